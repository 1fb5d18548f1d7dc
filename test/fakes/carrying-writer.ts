/**
 * A thread that counts in shared memory as BPF programs on other CPUs do: by whole words. Every step
 * carries from the low half of a word into the high one, so a reader of two halves sees values that
 * never were.
 */
import { Worker } from 'node:worker_threads';
import type { Closable } from '../../core/scope.js';

/** What each step adds: a value that ever was has two equal halves. */
const STEP = 2 ** 32 + 1;
/** Values stay below 2^53; then it begins anew. */
const STEPS = 2 ** 21 - 1;
/** Of what is read. A reader of two halves is wrong in one of 300 to 1,000 changes. */
const CHANGES = 10_000;
/** Reads until others get their turn. */
const READS = 10_000;

const CODE = `
  const { workerData: { shared, stop, words, steps } } = require('node:worker_threads');
  const memory = new BigUint64Array(shared);
  for (let n = 1; Atomics.load(stop, 0) === 0; n = n % steps + 1) {
    const value = BigInt(n) << 32n | BigInt(n);
    for (const word of words) Atomics.store(memory, word, value);
  }
`;

export class CarryingWriter implements Closable {
  /** As of a mapped array; 0 at first. */
  readonly bytes: Uint8Array;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));

  /** Counts at these offsets, in this order in every step. */
  constructor(size: number, offsets: readonly number[]) {
    const shared = new SharedArrayBuffer(size);
    this.bytes = new Uint8Array(shared);
    const words = offsets.map((offset) => offset / 8);
    const workerData = { shared, stop: this.#stop, words, steps: STEPS };
    new Worker(CODE, { eval: true, workerData }).unref();
  }

  /** Reads until what is read has changed often enough to be torn if it can be. */
  static async watch(read: () => number): Promise<void> {
    let last = read();
    for (let changes = 0; changes < CHANGES; ) {
      for (let n = 0; n < READS; n++) {
        const value = read();
        if (value !== last) changes++;
        last = value;
      }
      await new Promise(setImmediate);
    }
  }

  close(): void {
    Atomics.store(this.#stop, 0, 1);
  }

  /** Whether a counter has ever had that value; or it is what one grew by. */
  static isWhole(value: number): boolean {
    return value % STEP === 0;
  }
}
