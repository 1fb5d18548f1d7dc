/** The agent as a user runs it: the built command line, as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { LAUNCHER, withOurNode } from '../launcher.js';
import { until } from './collector.js';

const SELF = 'agent';
/** paf and pr see the whole host, which may fail in more ways than they tell apart. */
const OTHERS = /beyond what can be told apart/;

export interface AgentProcessOptions {
  readonly dir: string;
  /** agent.yaml; JSON is YAML. */
  readonly config: object;
  readonly env?: NodeJS.ProcessEnv;
}

/** A line of `run --json`. */
export interface PointLine {
  readonly time: string;
  readonly plugin: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Of a histogram what it adds up to, and its buckets. */
  readonly value: number | { readonly count: number; readonly sum: number };
}

export class AgentProcess {
  readonly #process: ChildProcess;
  /** The points that it printed; events and spans are records as well. */
  readonly lines: PointLine[] = [];
  #errors = '';

  constructor({ dir, config, env }: AgentProcessOptions) {
    const file = join(dir, 'agent.yaml');
    writeFileSync(file, JSON.stringify(config));
    this.#process = spawn(LAUNCHER, ['run', '--json', '--config', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: withOurNode({ ...withoutOtel(process.env), ...env }),
    });
    this.#process.stderr?.on('data', (data) => {
      this.#errors += data;
    });
    if (this.#process.stdout) {
      createInterface({ input: this.#process.stdout }).on('line', (line) => {
        try {
          const record = JSON.parse(line) as object;
          if ('value' in record) this.lines.push(record as PointLine);
        } catch {
          this.#errors += `error: not a JSON line: ${line}\n`;
        }
      });
    }
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** What it said on stderr. */
  get errors(): string {
    return this.#errors;
  }

  /** Its own warnings and errors; not what others on this machine bring about meanwhile. */
  get complaints(): readonly string[] {
    const told = this.#errors.split('\n').filter((line) => line !== '');
    return told.filter((line) => !/"level":"(debug|info)"/.test(line) && !OTHERS.test(line));
  }

  /** Times of one plugin's snapshots, Unix ms; each plugin takes its own. */
  snapshots(plugin: string): number[] {
    const own = this.lines.filter((line) => line.plugin === plugin);
    return [...new Set(own.map((line) => Date.parse(line.time)))].sort((a, b) => a - b);
  }

  /** How many collections every plugin has made; the agent reports itself at its own pace. */
  get collections(): number {
    const plugins = new Set(this.lines.map((line) => line.plugin).filter((name) => name !== SELF));
    if (plugins.size === 0) return 0;
    return Math.min(...[...plugins].map((plugin) => this.snapshots(plugin).length));
  }

  async collected(count: number, timeoutMs = 60_000): Promise<void> {
    await until(
      () => this.collections >= count || this.#process.exitCode !== null,
      timeoutMs,
      () => `the agent made ${this.collections} of ${count} collections:\n${this.#errors}`,
    );
    if (this.#process.exitCode !== null) throw new Error(`the agent ended:\n${this.#errors}`);
  }

  /** Sends a signal and does not wait. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Sends the signal and waits for the end; gives the exit code. */
  async stop(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL' = 'SIGINT'): Promise<number | null> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const closed = once(this.#process, 'close');
      this.#process.kill(signal);
      await closed;
    }
    return this.#process.exitCode;
  }
}

/** The variables of whoever runs the tests must not change what is tested. */
const withoutOtel = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/^(OTEL_|MEM_WATCHER_)/.test(name)));
