/**
 * Which blocks are reachable. Every word of the target's memory that is part of no block is a root;
 * from there pointers are followed from block to block, into the middle of a block too.
 *
 * What errs, errs on the side of reachable: a number that looks like an address counts as one, and
 * so do words at 4 bytes, which packed structures have, tagged pointers (the upper 16 bits and what a
 * tag adds within the block are ignored) and, in a block, pointers that are XORed with the one by which
 * the block before was reached, as lists have them that store both neighbours in one word.
 */
import { type Blocks, NONE, REGION_MASK } from './blocks.js';
import { CHUNK, Words } from './words.js';

export interface Memory {
  /** Of the target, into the beginning of `into`; zeroes for what cannot be read. */
  read(address: number, into: Uint8Array, length: number): void;
}

/** Of the target's address space, exclusive of `end`; multiples of 4. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Bytes between two blocks that are read with them rather than apart. */
const NEAR = 4096;
/** Bytes of a block that is not read with the roots around it: a read of its own is cheaper than to copy it twice. */
const LARGE = 16_384;
/** Roots that are looked at again lie in pages of this size; of more only the first are. */
const PAGE = 4096;
const MOST_PAGES = 1 << 16;
/** Sweeps go on while the last has scanned one in so many blocks; what is left is read block by block. */
const WORTH_A_SWEEP = 16;

const UNSEEN = 0;
const FOUND = 1;
const SCANNED = 2;

export class Marker {
  readonly #blocks: Blocks;
  readonly #memory: Memory;
  readonly #states: Uint8Array;
  /** From which block each was found first (NONE: from a root), and the pointer that did. */
  readonly #parents: Int32Array;
  readonly #pointers: Float64Array;
  readonly #found: Uint32Array;
  #foundCount = 0;
  /** Pages with roots that point to a block. */
  readonly #pages = new Set<number>();
  /** Blocks. */
  #scanned = 0;
  readonly #chunk: Words;

  constructor(blocks: Blocks, memory: Memory, chunk = new Words()) {
    this.#chunk = chunk;
    this.#blocks = blocks;
    this.#memory = memory;
    this.#states = new Uint8Array(blocks.count);
    this.#parents = new Int32Array(blocks.count).fill(NONE);
    this.#pointers = new Float64Array(blocks.count);
    this.#found = new Uint32Array(blocks.count);
  }

  /** By the number that a block was given with: 0, or 1 if it was reached. */
  get reached(): Uint8Array {
    const reached = new Uint8Array(this.#blocks.count);
    for (const [place, number] of this.#blocks.numbers.entries()) {
      if (this.#states[place] !== UNSEEN) reached[number] = 1;
    }
    return reached;
  }

  get hasUnreached(): boolean {
    return this.#states.includes(UNSEEN);
  }

  /**
   * Looks once more at all that points to a block, and at all that was reached: in a moment, so that what is
   * moved from list to list meanwhile is seen where it is. What was reached before stays reached.
   */
  again(): void {
    for (let block = 0; block < this.#blocks.count; block++) {
      if (this.#states[block] === SCANNED) this.#states[block] = FOUND;
    }
    for (const page of [...this.#pages])
      this.#rootsAround({ start: page * PAGE, end: (page + 1) * PAGE });
    this.#collect();
    this.follow();
  }

  /** A pointer that is known from elsewhere. */
  root(address: number): void {
    this.#reach(this.#blocks.at(address), NONE, address);
  }

  /** Takes all words that belong to no block as roots. */
  roots({ start, end }: Span): void {
    const { starts, ends, count } = this.#blocks;
    let at = start;
    let block = this.#blocks.outerAfter(start);
    for (; block < count && (starts[block] as number) < end; block = this.#nextOuter(block)) {
      if ((ends[block] as number) - (starts[block] as number) < LARGE) continue;
      this.#rootsAround({ start: at, end: starts[block] as number });
      at = roundUp(ends[block] as number);
    }
    this.#rootsAround({ start: at, end });
  }

  #rootsAround({ start, end }: Span): void {
    const { starts, ends, count } = this.#blocks;
    let block = this.#blocks.outerAfter(start);
    for (let at = start; at < end; at += CHUNK) {
      const limit = Math.min(at + CHUNK, end);
      this.#memory.read(at, this.#chunk.bytes, limit - at);
      let from = at;
      while (block < count && (starts[block] as number) < limit) {
        this.#scan(at, from, starts[block] as number, NONE);
        from = Math.max(from, roundUp(ends[block] as number));
        if ((ends[block] as number) > limit) break;
        block = this.#nextOuter(block);
      }
      this.#scan(at, from, limit, NONE);
    }
  }

  /** Follows all that was found, to the end. */
  follow(): void {
    let upwards = true;
    for (let scanned = this.#blocks.count; this.#foundCount > 0; upwards = !upwards) {
      if (scanned * WORTH_A_SWEEP < this.#blocks.count) {
        this.#followEach();
        return;
      }
      const before = this.#scanned;
      this.#sweep(upwards);
      scanned = this.#scanned - before;
      this.#collect();
    }
  }

  /** One after the other: what is found is scanned next. */
  #followEach(): void {
    while (this.#foundCount > 0) {
      const block = this.#found[--this.#foundCount] as number;
      if (this.#states[block] === FOUND) this.#scanBlock(block);
    }
  }

  /** All in the order of their addresses; what is found further on is scanned in the same sweep. */
  #sweep(upwards: boolean): void {
    const { count } = this.#blocks;
    if (upwards) {
      for (let block = 0; block < count; ) block = this.#sweepFrom(block);
      return;
    }
    for (let block = count - 1; block >= 0; block--) {
      if (this.#states[block] === FOUND) this.#scanBlock(block);
    }
  }

  /** Scans the block with those that are read with it; gives the next. */
  #sweepFrom(block: number): number {
    const { starts, ends, count } = this.#blocks;
    if (this.#states[block] !== FOUND) return block + 1;
    const start = roundDown(starts[block] as number);
    if ((ends[block] as number) - start > CHUNK) {
      this.#scanBlock(block);
      return block + 1;
    }
    let end = ends[block] as number;
    let last = block;
    for (let next = block + 1; next < count; next++) {
      const reaches = Math.max(end, ends[next] as number);
      if ((starts[next] as number) - end > NEAR || reaches - start > CHUNK) break;
      end = reaches;
      last = next;
    }
    this.#memory.read(start, this.#chunk.bytes, roundUp(end) - start);
    for (let next = block; next <= last; next++) {
      if (this.#states[next] !== FOUND) continue;
      this.#states[next] = SCANNED;
      this.#scanned++;
      this.#scan(start, roundDown(starts[next] as number), ends[next] as number, next);
    }
    return last + 1;
  }

  #scanBlock(block: number): void {
    this.#states[block] = SCANNED;
    this.#scanned++;
    const end = this.#blocks.ends[block] as number;
    for (let at = roundDown(this.#blocks.starts[block] as number); at < end; at += CHUNK) {
      const limit = Math.min(at + CHUNK, end);
      this.#memory.read(at, this.#chunk.bytes, roundUp(limit) - at);
      this.#scan(at, at, limit, block);
    }
  }

  #collect(): void {
    this.#foundCount = 0;
    for (let block = 0; block < this.#blocks.count; block++) {
      if (this.#states[block] === FOUND) this.#found[this.#foundCount++] = block;
    }
  }

  #nextOuter(block: number): number {
    let next = block + 1;
    while (next < this.#blocks.count && this.#blocks.around(next) !== NONE) next++;
    return next;
  }

  /** Takes the words of [from, to) as pointers; the chunk at hand begins at `base`. */
  #scan(base: number, from: number, to: number, block: number): void {
    if (to <= from) return;
    const { words, found } = this.#chunk;
    const count = this.#chunk.pointers((from - base) >>> 2, (to - base) >>> 2, this.#blocks.ranges);
    for (let each = 0; each < count; each++) {
      const n = found[each] as number;
      const region = (words[n + 1] as number) & REGION_MASK;
      const low = words[n] as number;
      const target = this.#blocks.find(region, low);
      if (target === NONE) continue;
      this.#reach(target, block, region * 2 ** 32 + low);
      if (block === NONE && this.#pages.size < MOST_PAGES) {
        this.#pages.add(Math.floor((base + 4 * n) / PAGE));
      }
    }
    const parent = block === NONE ? NONE : (this.#parents[block] as number);
    if (parent !== NONE) this.#scanXored(base, from, to, block, this.#pointers[parent] as number);
  }

  /** Words that are a pointer once the address of the block before is taken out, at 8 bytes. */
  #scanXored(base: number, from: number, to: number, block: number, key: number): void {
    const { words, found } = this.#chunk;
    const low = key >>> 0;
    const high = Math.floor(key / 2 ** 32);
    const first = ((from - base + 7) >>> 3) << 1;
    const count = this.#chunk.xored(first, (to - base) >>> 2, this.#blocks.ranges, high);
    for (let each = 0; each < count; each++) {
      const n = found[each] as number;
      const region = ((words[n + 1] as number) ^ high) & REGION_MASK;
      const rest = ((words[n] as number) ^ low) >>> 0;
      const target = this.#blocks.find(region, rest);
      if (target !== NONE) this.#reach(target, block, region * 2 ** 32 + rest);
    }
  }

  #reach(block: number, from: number, pointer: number): void {
    for (let one = block; one !== NONE; one = this.#blocks.around(one)) {
      if (this.#states[one] !== UNSEEN) return;
      this.#states[one] = FOUND;
      this.#parents[one] = from;
      this.#pointers[one] = pointer;
      this.#found[this.#foundCount++] = one;
    }
  }
}

const roundDown = (address: number): number => address - (address % 8);
const roundUp = (address: number): number => roundDown(address + 7);
