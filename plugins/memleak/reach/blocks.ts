/**
 * The blocks that a process holds, found by any address inside of them.
 *
 * An address is taken apart as a page table does: its upper bits choose a region of 4 GiB, most of
 * which hold nothing, the next ones a bucket of 64 KiB. A word that is no pointer, as nearly all are, is rejected by
 * its region alone.
 */

/** Bits of an address that count: what is above may be a tag (arm64 top byte, x86 LAM, NaN boxes). */
export const ADDRESS_BITS = 48;
export const REGION_MASK = 2 ** (ADDRESS_BITS - 32) - 1;
const REGION = 2 ** 32;
const BUCKET_BITS = 16;
const BUCKETS = 2 ** (32 - BUCKET_BITS);

export const NONE = -1;

/** Regions from `low` to `low + lowSpan`, and from `high` to `high + highSpan`. */
export interface Ranges {
  readonly low: number;
  readonly lowSpan: number;
  readonly high: number;
  readonly highSpan: number;
}

/** No address has this region. */
const NO_RANGES: Ranges = { low: 2 ** 16, lowSpan: 0, high: 2 ** 16, highSpan: 0 };

export class Blocks {
  readonly count: number;
  /** Ascending. */
  readonly starts: Float64Array;
  /** By place in that order: the number that the block was given with. */
  readonly numbers: Uint32Array;
  /** Exclusive; of a block of no bytes the byte after its start. */
  readonly ends: Float64Array;
  /** Two ranges of regions that hold them all: mostly the heap and the mappings. */
  readonly ranges: Ranges;
  /** By region: 0, or one more than the place of its buckets. */
  readonly #regions = new Uint16Array(REGION_MASK + 1);
  /** By bucket: how many blocks begin before it. One more than there are buckets. */
  readonly #buckets: Uint32Array[] = [];
  /** The block around each, NONE if there is none; absent where no block holds another. */
  readonly #around: Int32Array | undefined;

  /** Addresses, all different, and sizes in bytes, by block. */
  constructor(starts: Float64Array, sizes: Float64Array) {
    this.count = starts.length;
    this.starts = Float64Array.from(starts).sort();
    this.numbers = new Uint32Array(this.count);
    this.ends = new Float64Array(this.count);
    for (let n = 0; n < this.count; n++) {
      const start = starts[n] as number;
      const place = lowerBound(this.starts, start);
      this.numbers[place] = n;
      this.ends[place] = start + Math.max(1, sizes[n] as number);
    }
    this.#around = this.#nest();
    this.#index();
    this.ranges = rangesOf(this.#regions);
  }

  /** The innermost block that has the address; NONE if there is none. */
  find(region: number, low: number): number {
    const place = this.#regions[region];
    if (!place) return NONE;
    const buckets = this.#buckets[place - 1] as Uint32Array;
    const bucket = low >>> BUCKET_BITS;
    const address = region * REGION + low;
    let from = buckets[bucket] as number;
    let to = buckets[bucket + 1] as number;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.starts[middle] as number) <= address) from = middle + 1;
      else to = middle;
    }
    let block = from - 1;
    while (block >= 0 && address >= (this.ends[block] as number)) {
      block = this.#around?.[block] ?? NONE;
    }
    return block;
  }

  /** `find` by the whole address. */
  at(address: number): number {
    return this.find(Math.floor(address / REGION), address >>> 0);
  }

  /** The block that a block lies in, as a pool's blocks do; NONE if there is none. */
  around(block: number): number {
    return this.#around?.[block] ?? NONE;
  }

  /** The first block that lies in no other and ends after the address; `count` if there is none. */
  outerAfter(address: number): number {
    let block = lowerBound(this.starts, address);
    // Who begins before it and reaches beyond it comes first.
    if (block > 0) {
      let before = block - 1;
      for (let outer = this.around(before); outer !== NONE; outer = this.around(before))
        before = outer;
      if ((this.ends[before] as number) > address) return before;
    }
    while (block < this.count && this.around(block) !== NONE) block++;
    return block;
  }

  #nest(): Int32Array | undefined {
    const around = new Int32Array(this.count).fill(NONE);
    const open: number[] = [];
    let isNested = false;
    for (let n = 0; n < this.count; n++) {
      const start = this.starts[n] as number;
      while (open.length > 0 && (this.ends[open.at(-1) as number] as number) <= start) open.pop();
      const outer = open.at(-1);
      if (outer !== undefined) {
        around[n] = outer;
        isNested = true;
      }
      open.push(n);
    }
    return isNested ? around : undefined;
  }

  #index(): void {
    for (let n = 0; n < this.count; n++) {
      const last = Math.floor(((this.ends[n] as number) - 1) / REGION);
      for (let region = Math.floor((this.starts[n] as number) / REGION); region <= last; region++) {
        if (this.#regions[region] !== 0) continue;
        this.#regions[region] = this.#buckets.push(this.#bucketsOf(region));
      }
    }
  }

  #bucketsOf(region: number): Uint32Array {
    const buckets = new Uint32Array(BUCKETS + 1);
    let block = lowerBound(this.starts, region * REGION);
    for (let bucket = 0; bucket <= BUCKETS; bucket++) {
      const address = region * REGION + bucket * 2 ** BUCKET_BITS;
      while (block < this.count && (this.starts[block] as number) < address) block++;
      buckets[bucket] = block;
    }
    return buckets;
  }
}

/** Split at the widest gap. `places`: by region, not 0 where it holds blocks. */
function rangesOf(places: Uint16Array): Ranges {
  let [first, last, gapStart, gapEnd] = [-1, -1, 0, 0];
  for (let region = 0; region < places.length; region++) {
    if (places[region] === 0) continue;
    if (first < 0) first = region;
    else if (region - last > gapEnd - gapStart) [gapStart, gapEnd] = [last, region];
    last = region;
  }
  if (first < 0) return NO_RANGES;
  if (gapEnd === 0) return { low: first, lowSpan: 0, high: first, highSpan: 0 };
  return { low: first, lowSpan: gapStart - first, high: gapEnd, highSpan: last - gapEnd };
}

/** How many are less than `value`. */
function lowerBound(ascending: Float64Array, value: number): number {
  let from = 0;
  let to = ascending.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((ascending[middle] as number) < value) from = middle + 1;
    else to = middle;
  }
  return from;
}
