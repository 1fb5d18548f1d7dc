/** The agent as users run it, over programs that run; what it took for a leak, by process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../vm/initramfs.js';
import type { Alarm, StackFrame } from './verdict.js';

const MAIN = join(ROOT, 'dist/core/main.js');
const EVENT = 'memwatcher.memory_leak';
const WINDOWS = 12;

export interface Watching {
  readonly pid: number;
  /** What must be watched beyond the defaults. */
  readonly needs?: 'mmap' | undefined;
}

/** Alarms by pid, after `seconds` of watching. */
export type Watch = (
  targets: readonly Watching[],
  seconds: number,
) => Promise<ReadonlyMap<number, readonly Alarm[]>>;

export interface Asked {
  /** Arguments of `leaks` beside the process and the time. */
  readonly args?: readonly string[];
  /** Told what it said, and what it held of each stack at the end: why there is no alarm. */
  readonly onEnd?: (pid: number, words: string) => void;
}

/** `mem-watcher leaks --pid PID --duration D --format json`, one each: what a person does. */
export const watchByCommand = async (
  targets: readonly Watching[],
  seconds: number,
  { args = [], onEnd }: Asked = {},
): ReturnType<Watch> => {
  const each = targets.map(async ({ pid }) => {
    const time = ['--duration', `${seconds}s`];
    const agent = new Agent(['leaks', '--pid', `${pid}`, ...time, '--format', 'json', ...args]);
    await agent.end();
    onEnd?.(pid, agent.words);
    return [pid, agent.alarms.map(({ alarm }) => alarm)] as const;
  });
  return new Map(await Promise.all(each));
};

/** `mem-watcher run` with all of them as targets: what a fleet does. */
export const watchByAgent: Watch = async (targets, seconds) => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-corpus-'));
  const file = join(dir, 'agent.yaml');
  writeFileSync(file, JSON.stringify(configOf(targets, seconds)));
  const agent = new Agent(['run', '--json', '--config', file]);
  try {
    await agent.attached();
    await Promise.race([sleep(seconds * 1000), agent.closed]);
    agent.stop();
    await agent.end();
    return Map.groupBy(agent.alarms, ({ pid }) => pid)
      .entries()
      .reduce(
        (all, [pid, list]) =>
          all.set(
            pid,
            list.map(({ alarm }) => alarm),
          ),
        new Map(),
      );
  } finally {
    rmSync(dir, { recursive: true });
  }
};

const configOf = (targets: readonly Watching[], seconds: number): object => ({
  interval: `${Math.round((seconds * 1000) / WINDOWS / 2)}ms`,
  exporters: { prometheus: { enabled: false } },
  plugins: {
    paf: { enabled: false },
    pr: { enabled: false },
    procstat: { enabled: false },
    sysstat: { enabled: false },
    memleak: {
      enabled: true,
      targets: targets.map(({ pid, needs }) => ({ pid, ...(needs && { [needs]: true }) })),
      judging: { window: `${Math.round((seconds * 1000) / WINDOWS)}ms` },
      scan: { every: '2s', share: 1 },
      // So many at once are more than anybody's share of a CPU; the verdicts are in question here.
      budget: 0,
      limit: 0,
    },
  },
});

interface EventLine {
  readonly event: string;
  readonly plugin?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** One of the last lines of `leaks`, as docs/json.md has it. */
interface StackLine {
  readonly stack_id: string;
  readonly state: string;
  readonly class: string | null;
  readonly bytes: number;
  readonly allocations: number;
  readonly coverage: number;
  readonly frames: readonly { readonly function: string | null }[];
}

class Agent {
  readonly alarms: { readonly pid: number; readonly alarm: Alarm }[] = [];
  readonly #child: ChildProcess;
  /** Its exit code and the signal that ended it. */
  readonly closed: Promise<unknown[]>;
  readonly #attached: Promise<void>;
  readonly #stacks: StackLine[] = [];
  #began = performance.now();
  #words = '';

  constructor(args: readonly string[]) {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.closed = once(child, 'close');
    child.stderr.on('data', (data) => {
      this.#words += data;
    });
    const lines = createInterface({ input: child.stdout });
    // The first line of `run` says that it watches, that of `leaks` is a verdict.
    const isTold = args[0] === 'run';
    this.#attached = new Promise((resolve) => {
      lines.once('line', () => {
        if (isTold) this.#began = performance.now();
        resolve();
      });
    });
    lines.on('line', (line) => this.#take(line));
  }

  /** The first line says that it watches, or it has ended. */
  async attached(): Promise<void> {
    await Promise.race([this.#attached, this.closed]);
  }

  stop(): void {
    this.#child.kill('SIGINT');
  }

  /** What it wrote on stderr, and a line for each of the stacks that it was left with. */
  get words(): string {
    const stacks = this.#stacks.map(
      ({ state, class: of, bytes, allocations, coverage, frames }) => {
        const where = frames.map(({ function: name }) => name ?? '?').slice(0, 3);
        const verdict = `${state} ${of ?? 'without a class'}, coverage ${coverage}`;
        return `${where.join(' < ')}: ${verdict}: ${bytes} bytes in ${allocations}`;
      },
    );
    return [this.#words.trim(), ...stacks].join('\n');
  }

  async end(): Promise<void> {
    const [code, signal] = await this.closed;
    if (code !== 0) throw new Error(`the agent ended by ${signal ?? code}:\n${this.#words}`);
  }

  #take(line: string): void {
    const record = JSON.parse(line) as EventLine | StackLine;
    if ('stack_id' in record) this.#stacks.push(record);
    if (!('event' in record) || record.event !== EVENT) return;
    const { attributes, body } = record;
    const state = attributes[`${EVENT}.state`];
    if (state !== 'confirmed' && state !== 'suspected') return;
    if (attributes[`${EVENT}.class`] !== 'leak') return;
    const trace = String(attributes['code.stacktrace'] ?? '');
    const seconds = (performance.now() - this.#began) / 1000;
    this.alarms.push({
      pid: Number(attributes['process.pid']),
      alarm: {
        state,
        confidence: Number(attributes[`${EVENT}.confidence`] ?? 0),
        stack: String(attributes['memwatcher.allocation.stack.id']),
        frames: trace.split('\n').map(frameOf),
        seconds,
        age: (Date.now() - Date.parse(String(attributes[`${EVENT}.first_seen`]))) / 1000,
        text: `${body}\n${trace}`,
      },
    });
  }
}

/**
 * A line of the stack trace, as plugins/memleak/output/original.ts prints it: with its address, or
 * inlined into the one above.
 */
export function frameOf(text: string): StackFrame {
  const [, name, , file, line] = OUTER.exec(text) ?? INLINED.exec(text) ?? [];
  return {
    ...(name === undefined ? {} : { function: name }),
    ...(file === undefined ? {} : { file, line: Number(line) }),
  };
}

const OUTER = /^[0-9a-f]+: (.*?)(?: @ (0x[0-9a-f]+\+0x[0-9a-f]+)(?: (.+):(\d+))?)?$/;
const INLINED = /^ +(.*?)( @ (.+):(\d+))? \[inlined\]$/;
