/** Runs pressure: allocations that fail and reclaim, counted by who caused them (pressure.c says what it can). */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { LineProgram } from './line-program.js';
import { programMissing, programOf } from './programs.js';

export const ROOT = join(import.meta.dirname, '../../..');
export const PROGRAM = programOf('pressure');
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
export const pressureMissing = (): string | undefined => programMissing('pressure');

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
export class Pressure extends LineProgram {
  readonly caused: Caused[] = [];

  /** Resolves at the first `wait`. */
  static async start(steps: Steps): Promise<Pressure> {
    const pressure = new Pressure(PROGRAM, steps);
    return Pressure.begun(pressure, () => pressure.#toNextWait());
  }

  /** Goes on to the next `wait`, and gives what it did on the way. */
  async next(): Promise<Caused[]> {
    const before = this.caused.length;
    this.tell('.', { raw: true });
    await this.#toNextWait();
    return this.caused.slice(before);
  }

  async #toNextWait(): Promise<void> {
    for (;;) {
      const line = await this.line();
      if (line === 'waiting') return;
      const caused = parse(line);
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
