/**
 * Scans the processes that are asked about, one after the other, within a share of a CPU, and knows what
 * came of it. A process of which something cannot be seen has no scan, and a reason.
 */
import { describeError } from '../../../core/errors.js';
import type { Closable } from '../../../core/scope.js';
import type { LastScan, ProcessId, Reach, ScanTotals } from '../model.js';
import type { HeldBlocks } from '../user/held-blocks.js';
import type { Registers } from '../user/registers.js';
import { ADDRESS_BITS } from './blocks.js';
import { kernelRootsOf } from './kernel-roots.js';
import { APART, LostBlocks } from './lost-blocks.js';
import { type Paused, pauseProcess } from './pause.js';
import { type Scan, Scanner } from './scanner.js';

/** What is asked of who watches. */
export interface Watched {
  /** In one walk, in steps. */
  held(processes: readonly ProcessId[]): Generator<undefined, readonly HeldBlocks[]>;
  registers(process: ProcessId): Registers | undefined;
  /** The key of the stack that has the slot. */
  keyOf(slot: number): string | undefined;
}

export interface WitnessOptions {
  /** Seconds between two scans of a process, at least; more where they cost more than `share`. */
  readonly every: number;
  /** Of one CPU, for all scans together. */
  readonly share: number;
  /** Holds a process still for the closer look. */
  readonly pause?: boolean;
}

interface Scanned {
  readonly blocks: LostBlocks;
  last?: LastScan;
  /** In a row. */
  failures: number;
}

export class Witness implements Closable {
  readonly #watched: Watched;
  readonly #options: WitnessOptions;
  readonly #scanner = new Scanner();
  readonly #scanned = new Map<string, Scanned>();
  readonly #totals = { scans: 0, refused: 0, cpuSeconds: 0, read: 0 };
  #isClosed = false;
  #tended: readonly ProcessId[] = [];
  /** The round that is under way. */
  #running: Promise<void> | undefined;
  #next: NodeJS.Timeout | undefined;

  constructor(watched: Watched, options: WitnessOptions) {
    this.#watched = watched;
    this.#options = options;
  }

  /** Has these scanned from now on, as they are due; who is not `alive` any more is forgotten. */
  tend(processes: readonly ProcessId[], alive: readonly ProcessId[]): void {
    this.#tended = processes;
    const keys = new Set(alive.map(keyOf));
    for (const key of this.#scanned.keys()) if (!keys.has(key)) this.#scanned.delete(key);
    if (!this.#running && !this.#next) this.#begin();
  }

  /** Scans all of them, whatever it costs; paused, if that is wanted. */
  async lookAtAll(): Promise<void> {
    await this.#running;
    clearTimeout(this.#next);
    const { pause = false } = this.#options;
    const last = Math.max(...this.#tended.map((process) => this.lastOf(process)?.time ?? 0));
    const wait = pause ? 0 : Math.max(0, last + APART - now());
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    if (this.#isClosed) return;
    this.#running = this.#round(this.#tended, pause).then(() => undefined);
    await this.#running;
    this.#running = undefined;
  }

  /** What is known of a stack's blocks. */
  reachOf(process: ProcessId, key: string): Reach | undefined {
    return this.#scanned.get(keyOf(process))?.blocks.of(key);
  }

  lastOf(process: ProcessId): LastScan | undefined {
    return this.#scanned.get(keyOf(process))?.last;
  }

  get totals(): ScanTotals {
    return { ...this.#totals };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#next);
    this.#scanner.close();
    await this.#running;
  }

  /** A round of those that are due, and after what it cost the next. */
  #begin(): void {
    this.#next = undefined;
    const time = now();
    const due = this.#tended.filter((process) => time >= this.#dueAt(process));
    if (due.length === 0 || this.#isClosed) return;
    this.#running = this.#round(due).then((cost) => {
      this.#running = undefined;
      const pause = Math.max(LEAST_PAUSE, cost / this.#options.share);
      if (!this.#isClosed) this.#next = setTimeout(() => this.#begin(), pause * 1000).unref();
    });
  }

  /** Who could not be scanned is asked less and less often. */
  #dueAt(process: ProcessId): number {
    const { last, failures = 0 } = this.#scanned.get(keyOf(process)) ?? {};
    const every = Math.max(APART, this.#options.every) * 2 ** failures;
    return last ? last.time + Math.min(every, MOST_PAUSE) : Number.NEGATIVE_INFINITY;
  }

  /** Gives what it cost, seconds of a CPU. Resolves in any case. */
  async #round(processes: readonly ProcessId[], pause = false): Promise<number> {
    let cost = 0;
    const spend = (seconds: number) => {
      cost += seconds;
      this.#totals.cpuSeconds += seconds;
    };
    const together = pause ? undefined : this.#held(processes, spend);
    // Who asks below is told.
    together?.catch(() => undefined);
    for (const [n, process] of processes.entries()) {
      if (this.#isClosed) break;
      const time = now();
      const scanned = this.#scannedOf(process);
      try {
        scanned.last = pause
          ? await this.#pausedScan(process, scanned, time)
          : await this.#scan(process, scanned, (await together)?.[n], { time, spend });
      } catch (error) {
        spend(now() - time);
        scanned.last = { time: now(), blocks: 0, refusal: describeError(error) };
      }
      this.#count(scanned.last);
      scanned.failures = scanned.last.refusal === undefined ? 0 : scanned.failures + 1;
    }
    return cost;
  }

  #count({ blocks, refusal, figures }: LastScan): void {
    if (blocks === 0 && refusal === undefined) return;
    this.#totals.scans++;
    if (refusal !== undefined) this.#totals.refused++;
    this.#totals.read += figures?.read ?? 0;
  }

  #scannedOf(process: ProcessId): Scanned {
    const key = keyOf(process);
    const scanned = this.#scanned.get(key) ?? { blocks: new LostBlocks(), failures: 0 };
    this.#scanned.set(key, scanned);
    return scanned;
  }

  async #pausedScan(process: ProcessId, scanned: Scanned, time: number): Promise<LastScan> {
    await this.#scanner.prepare();
    const began = performance.now();
    const until = began + MOST_PAUSED_MS;
    const paused = pauseProcess(process.pid);
    try {
      const spend = () => undefined;
      const [held] = await this.#held([process], spend);
      const last = await this.#scan(process, scanned, held, { time, spend, paused, until });
      return { ...last, pausedMs: performance.now() - began };
    } finally {
      paused.close();
    }
  }

  async #scan(
    process: ProcessId,
    { blocks: lost }: Scanned,
    held: HeldBlocks | undefined,
    { time, spend, paused, until = Number.POSITIVE_INFINITY }: ScanOptions,
  ): Promise<LastScan> {
    const blocks = held?.starts.length ?? 0;
    const refused = (refusal: string): LastScan => ({ time, blocks, refusal });
    if (!held || blocks === 0) return { time, blocks };
    const began = performance.now();
    // What is handed on from a register to memory meanwhile was in one of them before.
    const registers = paused ? { ...paused, unread: 0 } : this.#watched.registers(process);
    spend((performance.now() - began) / 1000);
    if (!registers) return refused('this kernel does not tell the registers of its threads');
    if (registers.unread > 0) {
      return refused(`registers of ${registers.unread} threads are unreadable`);
    }
    const { addresses, untold } = await kernelRootsOf(process.pid);
    if (untold.length > 0) return refused(`the kernel does not tell ${untold.join(', ')}`);
    const left = until - performance.now();
    if (left <= 0) return refused('it would have to stand still for too long');
    const roots = [...addresses, ...addressesOf(registers)];
    const limit = Number.isFinite(left) ? left : undefined;
    const { reached, ...figures } = await this.#scanner.scan(process, held, roots, limit);
    // It need not stand still for what follows.
    paused?.close();
    spend(figures.cpuMs / 1000);
    if (figures.unread.length > 0) return { ...refused(unreadText(figures)), figures };
    const keyOfSlot = (slot: number) => this.#watched.keyOf(slot) ?? `slot ${slot}`;
    await inSteps(lost.take(held, reached, time, keyOfSlot, paused !== undefined), spend);
    return { time, blocks, figures };
  }

  #held(
    processes: readonly ProcessId[],
    spend: (seconds: number) => void,
  ): Promise<readonly HeldBlocks[]> {
    return inSteps(this.#watched.held(processes), spend);
  }
}

interface ScanOptions {
  readonly time: number;
  /** Told of every second of a CPU. */
  readonly spend: (seconds: number) => void;
  readonly paused?: Paused;
  /** By performance.now(): it must be done then. */
  readonly until?: number;
}

/** Between the steps others have their turn. */
async function inSteps<T>(
  steps: Generator<undefined, T>,
  spend: (seconds: number) => void,
): Promise<T> {
  for (;;) {
    const began = performance.now();
    const step = steps.next();
    spend((performance.now() - began) / 1000);
    if (step.done) return step.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** CLOCK_MONOTONIC, seconds. */
const now = (): number => Number(process.hrtime.bigint()) / 1e9;

/** Seconds between two rounds, and at most between two scans of a process. */
const LEAST_PAUSE = 0.2;
const MOST_PAUSE = 3600;
/** A closer look that takes longer is broken off, and the process goes on. */
const MOST_PAUSED_MS = 1000;

const keyOf = ({ pid, startTime }: ProcessId): string => `${pid}:${startTime}`;

/** The lower bits of an address: what is above may be a tag. */
export const addressesOf = ({ words }: Pick<Registers, 'words'>): number[] =>
  words.map((word) => Number(BigInt.asUintN(ADDRESS_BITS, word)));

function unreadText({ unread, swapped }: Pick<Scan, 'unread' | 'swapped'>): string {
  const bytes = unread.reduce((sum, one) => sum + one.bytes, 0);
  const mebibytes = Math.ceil(bytes / 2 ** 20);
  if (swapped > 0 && unread.some(({ path }) => path === 'swap')) {
    return `${Math.ceil(swapped / 2 ** 20)} MiB of its memory are swapped out`;
  }
  const paths = unread.map(({ path }) => path || 'anonymous memory').slice(0, 3);
  return `${mebibytes} MiB of its memory cannot be read: ${paths.join(', ')}`;
}
