/**
 * Names for the addresses of kernel stacks, from /proc/kallsyms.
 *
 * The file has some 120,000 lines, which would be tens of megabytes held for a few hundred addresses
 * that ever occur. So it is read again for each address not seen before: in one pass for all that
 * wait, in slices between which the event loop goes on, with what was found kept by address. Passes
 * keep a distance from one another that bounds what they cost, whatever is asked.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { describeError } from '../errors.js';
import type { Closable } from '../scope.js';
import type { KernelFrame } from './kernel-frame.js';
import { type KernelFunction, NearestSymbols } from './nearest-symbols.js';

export { formatKernelFrame, formatKernelStack, type KernelFrame } from './kernel-frame.js';

export interface KernelSymbolsOptions {
  readonly file?: string;
  /** Addresses whose function is remembered; some 150 bytes each. */
  readonly cacheSize?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly clock?: () => number;
}

/** What is known of an address; `found` is absent if no function lies there. */
interface Answer {
  readonly found: KernelFunction | undefined;
  /** By the clock; then it is looked for again. */
  readonly until: number;
}

interface Waiting {
  readonly targets: readonly bigint[];
  readonly answer: () => void;
}

export class KernelSymbols implements Closable {
  readonly #file: string;
  readonly #cacheSize: number;
  readonly #clock: () => number;
  /** The least recently asked for is first. */
  readonly #known = new Map<bigint, Answer>();
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reading = false;
  #closed = false;
  /** Of the next pass, by the clock. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #reason: string | undefined;
  #probeAgain = 0;
  #passes = 0;
  #turnedAway = 0;

  constructor({
    file = '/proc/kallsyms',
    cacheSize = 8192,
    clock = () => performance.now(),
  }: KernelSymbolsOptions = {}) {
    this.#file = file;
    this.#cacheSize = cacheSize;
    this.#clock = clock;
    this.#probe();
  }

  /**
   * Why frames have no names, for a plugin's status; undefined if they do. Known at once, and looked
   * at again after a while: permissions change.
   */
  get reason(): string | undefined {
    if (this.#reason !== undefined && this.#clock() >= this.#probeAgain) this.#probe();
    return this.#reason;
  }

  /** Times that the whole file was read. */
  get passes(): number {
    return this.#passes;
  }

  /** Stacks given back without all of their names, because too many waited already. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /**
   * The frames of a stack, innermost first: every address but the first is one that a call returns
   * to, and belongs to the function of the call. Never rejects; what has no name stays an address.
   * Addresses not seen before may take seconds, because passes keep their distance.
   */
  async resolve(stack: readonly bigint[]): Promise<readonly KernelFrame[]> {
    const isHidden = this.reason !== undefined;
    const targets = stack.map((address, n) => (n === 0 ? address : address - 1n));
    const now = this.#clock();
    const unknown = targets.filter((target) => (this.#known.get(target)?.until ?? 0) <= now);
    if (unknown.length === 0 || this.#closed || isHidden) {
      return this.#frames(stack, targets);
    }
    if (this.#waiting.length >= MAX_WAITING) {
      this.#turnedAway++;
      return this.#frames(stack, targets);
    }
    return new Promise((resolve) => {
      this.#waiting.push({ targets: unknown, answer: () => resolve(this.#frames(stack, targets)) });
      this.#schedule();
    });
  }

  /** Whoever waits is answered with what is known. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { answer } of this.#waiting.splice(0)) answer();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#reading) return;
    const delay = Math.max(0, this.#notBefore - this.#clock());
    this.#timer = setTimeout(() => void this.#pass(), delay);
  }

  /** Reads the file for all that wait. */
  async #pass(): Promise<void> {
    this.#timer = undefined;
    this.#reading = true;
    const waiting = this.#waiting.splice(0);
    const search = new NearestSymbols(waiting.flatMap(({ targets }) => targets));
    try {
      const worked = await this.#read(search);
      this.#passes++;
      this.#notBefore = this.#clock() + Math.min(worked * IDLE_SHARE, LONGEST_PAUSE);
      if (search.hidden) this.#unreadable(HIDDEN);
      else this.#learn(waiting, search.end());
    } catch (error) {
      this.#unreadable(`${this.#file} cannot be read: ${describeError(error)}`);
    }
    this.#reading = false;
    for (const { answer } of waiting) answer();
    this.#forget();
    if (this.#waiting.length > 0 && !this.#closed) this.#schedule();
  }

  /** Resolves to the milliseconds that it kept the event loop. */
  async #read(search: NearestSymbols): Promise<number> {
    const descriptor = openSync(this.#file, 'r');
    const buffer = Buffer.allocUnsafe(READ_SIZE);
    let worked = 0;
    try {
      for (let more = true; more && !this.#closed; await setImmediate()) {
        const began = this.#clock();
        // The kernel gives a page at a time; a turn of the event loop for each would cost more.
        for (let slice = 0; more && slice < SLICE; ) {
          const length = readSync(descriptor, buffer);
          search.feed(buffer.subarray(0, length));
          slice += length;
          more = length > 0;
        }
        worked += this.#clock() - began;
      }
    } finally {
      closeSync(descriptor);
    }
    return worked;
  }

  #learn(waiting: readonly Waiting[], found: ReadonlyMap<bigint, KernelFunction>): void {
    const now = this.#clock();
    for (const target of waiting.flatMap(({ targets }) => targets)) {
      const known = found.get(target);
      // Modules and BPF programs come and go; the kernel's own image stays where it is.
      const lasts = known === undefined ? RETRY : known.module === undefined ? Infinity : RENEW;
      this.#known.delete(target);
      this.#known.set(target, { found: known, until: now + lasts });
    }
  }

  #frames(stack: readonly bigint[], targets: readonly bigint[]): KernelFrame[] {
    return stack.map((address, n) => {
      const target = targets[n] ?? address;
      const answer = this.#known.get(target);
      if (answer?.found === undefined) return { address };
      this.#known.delete(target);
      this.#known.set(target, answer);
      const { name, start, module } = answer.found;
      const frame = { address, function: name, offset: Number(address - start) };
      return module === undefined ? frame : { ...frame, module };
    });
  }

  #forget(): void {
    for (const target of this.#known.keys()) {
      if (this.#known.size <= this.#cacheSize) return;
      this.#known.delete(target);
    }
  }

  /** Whether the file shows addresses at all, from its beginning. */
  #probe(): void {
    this.#probeAgain = this.#clock() + RETRY;
    try {
      const descriptor = openSync(this.#file, 'r');
      try {
        const buffer = Buffer.allocUnsafe(READ_SIZE);
        const search = new NearestSymbols([]);
        search.feed(buffer.subarray(0, readSync(descriptor, buffer)));
        this.#reason = search.hidden ? HIDDEN : undefined;
      } finally {
        closeSync(descriptor);
      }
    } catch (error) {
      this.#unreadable(`${this.#file} cannot be read: ${describeError(error)}`);
    }
  }

  #unreadable(reason: string): void {
    this.#reason = reason;
    this.#probeAgain = this.#clock() + RETRY;
  }
}

const HIDDEN =
  'the kernel hides the addresses of its functions (kernel.kptr_restrict=2, or CAP_SYSLOG is missing)';
const READ_SIZE = 1 << 16;
/** Bytes between which the event loop goes on: a millisecond or so. */
const SLICE = 1 << 17;
/** A pass is followed by so many times its own time without one: it costs 2 % … */
const IDLE_SHARE = 50;
/** … but nobody waits longer than this for the next, ms, however slow the machine. */
const LONGEST_PAUSE = 3000;
/** Stacks. */
const MAX_WAITING = 1024;
/** Milliseconds until what was not found is looked for again, in case a module was loaded. */
const RETRY = 30_000;
/** Milliseconds until what is in a module is looked for again. */
const RENEW = 300_000;
