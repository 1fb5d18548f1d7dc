/** Runs pressure: allocations that fail and reclaim, counted by who caused them (pressure.c says what it can). */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const ROOT = join(import.meta.dirname, '../../..');
export const PROGRAM = join(ROOT, 'dist/test/fakes/pressure');
const TIMEOUT_MS = 300_000;

/** What one step did, as the program itself counted. */
export interface Caused {
  readonly step: string;
  readonly attempts: number;
  /** System calls that said ENOMEM: one failed page allocation each. */
  readonly failures: number;
  readonly pid: number;
  /** CLOCK_MONOTONIC, nanoseconds. */
  readonly began: number;
  readonly ended: number;
}

/** The steps of pressure.c in order, for instance `['lock', 'pipes=40', 'pipe=5']`. */
export type Steps = readonly string[];

/** A step's name of any bytes. */
export const named = (name: string | Buffer): string =>
  `name=${Buffer.from(name as string).toString('hex')}`;

/** Bytes of a pipe → the order of what the kernel allocates to describe it. */
export const PIPE_OF_ORDER = { 2: 2 ** 20, 4: 2 ** 22, 6: 2 ** 24 } as const;

/** Why there is none here; undefined if it is built, or just was. */
export function pressureMissing(): string | undefined {
  const built = spawnSync('make', ['-s', '-C', join(ROOT, 'test/fakes')], { encoding: 'utf8' });
  if (existsSync(PROGRAM)) return undefined;
  return `pressure is not built: ${built.error?.message ?? built.stderr.trim()}`;
}

/** Takes the steps; the process is gone when this returns, and nothing else ran here meanwhile. */
export function press(steps: Steps): Caused[] {
  const run = spawnSync(PROGRAM, [...steps], { encoding: 'utf8', timeout: TIMEOUT_MS });
  const complaint = run.error?.message ?? run.stderr;
  if (run.status !== 0)
    throw new Error(
      `pressure ${steps.join(' ')}: ${complaint || `exit ${run.status ?? run.signal}`}`,
    );
  return run.stdout.split('\n').flatMap((line) => parse(line) ?? []);
}

/** As `press`, of a process that stands still at every `wait` until it is told to go on. */
export class Pressure {
  readonly pid: number;
  readonly caused: Caused[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<void>;
  readonly #lines: AsyncIterator<string>;
  #complaint = '';

  private constructor(steps: Steps) {
    this.#child = spawn(PROGRAM, [...steps]);
    this.#child.stdin.on('error', () => undefined); // it may have been killed
    this.#child.stderr.on('data', (data) => {
      this.#complaint += data;
    });
    this.#closed = new Promise((resolve) => this.#child.once('close', () => resolve()));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.pid = this.#child.pid ?? 0;
  }

  /** Resolves at the first `wait`. */
  static async start(steps: Steps): Promise<Pressure> {
    const pressure = new Pressure(steps);
    try {
      await pressure.#toNextWait();
    } catch (error) {
      await pressure.stop();
      throw error;
    }
    return pressure;
  }

  /** Goes on to the next `wait`, and gives what it did on the way. */
  async next(): Promise<Caused[]> {
    const before = this.caused.length;
    this.#child.stdin.write('.');
    await this.#toNextWait();
    return this.caused.slice(before);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  async #toNextWait(): Promise<void> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`pressure ended before it waited: ${this.#complaint}`);
      if (value === 'waiting') return;
      const caused = parse(value);
      if (caused) this.caused.push(caused);
    }
  }
}

function parse(line: string): Caused | undefined {
  const [step = '', ...pairs] = line.split(' ');
  if (pairs.length === 0) return undefined;
  const value = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
  const figure = (key: string) => Number(value.get(key) ?? Number.NaN);
  return {
    step,
    attempts: figure('attempts'),
    failures: figure('failures'),
    pid: figure('pid'),
    began: figure('began'),
    ended: figure('ended'),
  };
}

export const failuresOf = (caused: readonly Caused[]): number =>
  caused.reduce((sum, { failures }) => sum + failures, 0);
