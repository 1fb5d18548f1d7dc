/**
 * The functions of a file by address. libdw looks through all symbols for each address, 4 ms in a
 * program that has 200,000; what it has read of them is put in order once.
 */
import type { LibDw, Pointer } from './libdw.js';

export class SymbolIndex {
  readonly #dw: LibDw;
  readonly #module: Pointer;
  /** By address; of several at one the best last. Addresses are below 2^53 on every machine. */
  readonly #starts: Float64Array;
  readonly #sizes: Float64Array;
  readonly #numbers: Uint32Array;

  constructor(dw: LibDw, module: Pointer) {
    this.#dw = dw;
    this.#module = module;
    const count = Math.min(dw.symbolCount(module), MAX_SYMBOLS);
    const starts = new Float64Array(count);
    const sizes = new Float64Array(count);
    const ranks = new Uint8Array(count);
    const numbers = new Uint32Array(count);
    let found = 0;
    for (let number = 0; number < count; number++) {
      const symbol = dw.symbolAt(module, number);
      if (symbol === undefined || !isCode(symbol.info & 0xf)) continue;
      starts[number] = symbol.address;
      sizes[number] = symbol.size;
      ranks[number] = rankOf(symbol.info, symbol.size);
      numbers[found++] = number;
    }
    const by = (of: Float64Array | Uint8Array) => (a: number, b: number) =>
      (of[a] ?? 0) - (of[b] ?? 0);
    const [byStart, byRank] = [by(starts), by(ranks)];
    this.#numbers = numbers.slice(0, found).sort((a, b) => byStart(a, b) || byRank(a, b));
    this.#starts = Float64Array.from(this.#numbers, (number) => starts[number] ?? 0);
    this.#sizes = Float64Array.from(this.#numbers, (number) => sizes[number] ?? 0);
  }

  /** The innermost that holds the address; else what has no size and is the next below. */
  find(address: bigint): { readonly name: string; readonly offset: bigint } | undefined {
    const place = Number(address);
    const below = this.#below(place);
    for (let n = below; n >= Math.max(0, below - MAX_NESTED); n--) {
      const start = this.#starts[n] ?? 0;
      if (place < start + (this.#sizes[n] ?? 0)) return this.#named(n, place - start);
    }
    const start = this.#starts[below];
    const isOpen = start !== undefined && this.#sizes[below] === 0 && place - start < MAX_UNSIZED;
    return isOpen ? this.#named(below, place - start) : undefined;
  }

  #named(n: number, offset: number) {
    const name = this.#dw.symbolName(this.#module, this.#numbers[n] ?? 0);
    return name === undefined ? undefined : { name, offset: BigInt(offset) };
  }

  #below(place: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= place) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** Labels of assembler have no type. */
const isCode = (type: number) => type === STT_NOTYPE || type === STT_FUNC || type === STT_GNU_IFUNC;

/** Higher is better: what has a size, is a function, is seen by others. */
function rankOf(info: number, size: number): number {
  const binding = info >> 4;
  const seen = binding === STB_GLOBAL ? 2 : binding === STB_WEAK ? 1 : 0;
  return (size > 0 ? 8 : 0) + ((info & 0xf) === STT_NOTYPE ? 0 : 4) + seen;
}

const STT_NOTYPE = 0;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const STB_GLOBAL = 1;
const STB_WEAK = 2;
/** A browser has half as many. */
const MAX_SYMBOLS = 2_000_000;
/** Symbols that begin within another before its end. */
const MAX_NESTED = 64;
/** Bytes that code of assembler is followed for. */
const MAX_UNSIZED = 1 << 16;
