import type { MappedArray } from '../../../core/bpf/host.js';

/**
 * Rows of struct ml_ages or struct kernel_ages (the oldest, then allocations and bytes by age), summed
 * up in memory of our own: adding to numbers of 64 bits in the map's memory would cost a bigint each.
 */
export class AgeSums {
  readonly #mapped: MappedArray;
  readonly #octaves: number;
  readonly #width: number;
  #sums = new Float64Array(0);

  /** `octaves`: elements of allocations, and of bytes. */
  constructor(mapped: MappedArray, octaves: number) {
    this.#mapped = mapped;
    this.#octaves = octaves;
    this.#width = 1 + 2 * octaves;
  }

  begin(): void {
    const { entries } = this.#mapped;
    if (this.#sums.length === 0) this.#sums = new Float64Array(entries * this.#width);
    else this.#sums.fill(0);
  }

  /** `octave`: log2 of the age in ms. */
  add(slot: number, octave: number, allocations: number, bytes: number): void {
    const at = slot * this.#width + 1 + octave;
    this.#sums[at] = (this.#sums[at] ?? 0) + allocations;
    const further = at + this.#octaves;
    this.#sums[further] = (this.#sums[further] ?? 0) + bytes;
  }

  /** 0: nothing was added. */
  oldest(slot: number): number {
    return this.#sums[slot * this.#width] ?? 0;
  }

  setOldest(slot: number, oldest: number): void {
    this.#sums[slot * this.#width] = oldest;
  }

  /** Into the map, in place of what is there. */
  store(): void {
    const { bytes, stride, entries } = this.#mapped;
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
    words.fill(0);
    for (let slot = 0; slot < entries; slot++) {
      const from = slot * this.#width;
      const to = (slot * stride) >>> 2;
      for (let n = 0; n < this.#width; n++) {
        const value = this.#sums[from + n] ?? 0;
        if (value === 0) continue;
        words[to + 2 * n] = value % 2 ** 32;
        words[to + 2 * n + 1] = value / 2 ** 32;
      }
    }
  }
}

/** log2 of an age, of ns to ms, rounded down. */
export const octaveOf = (ns: number): number => {
  const ms = Math.floor(ns / 1e6);
  return ms < 2 ** 32 ? 31 - Math.clz32(ms | 1) : Math.floor(Math.log2(ms));
};
