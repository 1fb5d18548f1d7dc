import type { BpfMap } from '../../../core/bpf/host.js';
import { wide, wordsOf } from '../walk/elements.js';
import { STEP } from '../walk/walk.js';
import { KEY, LIVE, ONE, SLOTS } from './decoder.js';

/** Allocations that a process holds, in no order. */
export interface HeldBlocks {
  readonly starts: Float64Array;
  /** Bytes. */
  readonly sizes: Float64Array;
  /** Allocations that each stands for: 1 without sampling. */
  readonly weights: Float64Array;
  /** The slot of each one's stack. */
  readonly slots: Uint32Array;
  /** What tells an allocation from another at the same address: slot and time, as they are stored. */
  readonly marks: Float64Array;
}

/** Those of each of the targets, in one walk, in steps of some milliseconds: other work may be done after each. */
export function* readHeldBlocks(
  live: BpfMap,
  targets: readonly number[],
): Generator<undefined, readonly HeldBlocks[]> {
  const rooms = new Map(targets.map((target) => [target, new Room()]));
  for (const batch of live.batches(STEP)) {
    const { keys, values } = wordsOf(batch);
    for (let n = 0; n < batch.count; n++) {
      rooms
        .get(keys[n * KEY.words + KEY.target] ?? 0)
        ?.add(keys, n * KEY.words, values, n * LIVE.words);
    }
    yield;
  }
  return targets.map((target) => (rooms.get(target) ?? new Room()).held);
}

/** Blocks as they come. */
class Room {
  #count = 0;
  #starts = new Float64Array(1024);
  #sizes = new Float64Array(1024);
  #weights = new Float64Array(1024);
  #marks = new Float64Array(1024);

  add(keys: Uint32Array, key: number, values: Uint32Array, value: number): void {
    if (this.#count === this.#starts.length) this.#grow();
    const at = this.#count++;
    this.#starts[at] = wide(keys, key);
    this.#sizes[at] = wide(values, value + LIVE.size);
    this.#weights[at] = wide(values, value + LIVE.weight) / ONE;
    this.#marks[at] = markOf(values, value);
  }

  get held(): HeldBlocks {
    const marks = this.#marks.subarray(0, this.#count);
    return {
      starts: this.#starts.subarray(0, this.#count),
      sizes: this.#sizes.subarray(0, this.#count),
      weights: this.#weights.subarray(0, this.#count),
      slots: Uint32Array.from(marks, (mark) => mark % SLOTS),
      marks,
    };
  }

  #grow(): void {
    const larger = (from: Float64Array) => {
      const to = new Float64Array(2 * from.length);
      to.set(from);
      return to;
    };
    this.#starts = larger(this.#starts);
    this.#sizes = larger(this.#sizes);
    this.#weights = larger(this.#weights);
    this.#marks = larger(this.#marks);
  }
}

/** Beyond 53 bits only the youngest bits of the time matter: two at one address are never as far apart. */
const markOf = (values: Uint32Array, at: number): number =>
  ((values[at + LIVE.where + 1] ?? 0) & 0x1f_ffff) * 2 ** 32 + (values[at + LIVE.where] ?? 0);
