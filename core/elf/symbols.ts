/**
 * Functions by name, from both symbol tables. Tables and names are read in pieces: a browser has a
 * million symbols and their names fill 100 MB, of which a handful is asked for.
 */
import { type ElfBytes, invalid, tryU64 } from './elf-bytes.js';

const SYMBOL_SIZE = 24;
/** Symbols of one table that are looked at; the rest is counted. */
const MAX_SYMBOLS = 2 ** 21;
const SYMBOLS_A_READ = 32_768;
const NAMES_A_READ = 1 << 20;
/** Bytes of names that are read at most: twice what the largest programs have. */
const MAX_NAMES = 512 << 20;
/** Longer names are no names that anyone asks for. */
const MAX_NAME = 1024;
const MAX_MATCHES = 100_000;

const STT_FUNC = 2;
const STB_LOCAL = 0;
const SHN_UNDEF = 0;
/** From here on: absolute, common and other things that are no place in a section. */
const SHN_SPECIAL = 0xff00;
const SHN_XINDEX = 0xffff;

/** A symbol table and its names, as places in the file. */
export interface SymbolTable {
  readonly offset: number;
  readonly size: number;
  readonly names: { readonly offset: number; readonly size: number };
}

export interface FunctionSymbol {
  /** Without its version: `malloc` of `malloc@@GLIBC_2.2.5`. */
  readonly name: string;
  readonly address: number;
  /** 0 where the file does not say. */
  readonly size: number;
  /** Seen by its own object file alone: not what others mean by the name. */
  readonly isLocal: boolean;
}

export interface Found {
  readonly symbols: readonly FunctionSymbol[];
  /** Symbols that were not looked at, or not kept. */
  readonly omitted: number;
}

/**
 * Defined functions whose name `wanted` takes. Not those that are chosen when the program starts
 * (IFUNC): their address is the chooser's, which runs once.
 */
export function findFunctions(
  bytes: ElfBytes,
  table: SymbolTable,
  wanted: (name: string) => boolean,
): Found {
  const all = Math.floor(table.size / SYMBOL_SIZE);
  const count = Math.min(all, MAX_SYMBOLS);
  if (table.offset + count * SYMBOL_SIZE > bytes.size) throw invalid('the symbols are cut short');
  const symbols: FunctionSymbol[] = [];
  let omitted = all - count;
  const names = new NameReader(bytes, table.names);
  // By the place of their names, so that these are read once from front to back.
  const candidates = definedFunctions(bytes, table.offset, count).sort();
  for (const candidate of candidates) {
    const name = names.at(Math.floor(candidate / MAX_SYMBOLS))?.replace(/@.*$/s, '');
    if (name === undefined || name === '' || !wanted(name)) continue;
    const at = table.offset + (candidate % MAX_SYMBOLS) * SYMBOL_SIZE;
    const symbol = readSymbol(bytes, at, name);
    if (symbol === undefined) continue;
    if (symbols.length < MAX_MATCHES) symbols.push(symbol);
    else omitted++;
  }
  return { symbols, omitted: omitted + names.omitted };
}

/** Of each the place of its name, times MAX_SYMBOLS, and its number: 53 bits, sorted in no time. */
function definedFunctions(bytes: ElfBytes, offset: number, count: number): Float64Array {
  let found = new Float64Array(1024);
  let length = 0;
  for (let from = 0; from < count; from += SYMBOLS_A_READ) {
    const size = Math.min(SYMBOLS_A_READ, count - from) * SYMBOL_SIZE;
    const view = bytes.read(offset + from * SYMBOL_SIZE, size);
    for (let at = 0; at < size; at += SYMBOL_SIZE) {
      if (!isDefinedFunction(view, at)) continue;
      if (length === found.length) {
        const larger = new Float64Array(2 * length);
        larger.set(found);
        found = larger;
      }
      const number = from + at / SYMBOL_SIZE;
      found[length++] = view.getUint32(at, true) * MAX_SYMBOLS + number;
    }
  }
  return found.subarray(0, length);
}

function isDefinedFunction(view: DataView, at: number): boolean {
  if ((view.getUint8(at + 4) & 0xf) !== STT_FUNC) return false;
  const section = view.getUint16(at + 6, true);
  return section !== SHN_UNDEF && (section < SHN_SPECIAL || section === SHN_XINDEX);
}

function readSymbol(bytes: ElfBytes, at: number, name: string): FunctionSymbol | undefined {
  const view = bytes.read(at, SYMBOL_SIZE);
  const address = tryU64(view, 8);
  const size = tryU64(view, 16);
  if (address === undefined || size === undefined) return undefined;
  return { name, address, size, isLocal: view.getUint8(4) >> 4 === STB_LOCAL };
}

/** Names from front to back. */
class NameReader {
  readonly #bytes: ElfBytes;
  readonly #offset: number;
  readonly #size: number;
  #piece: Buffer = Buffer.alloc(0);
  #from = 0;
  #read = 0;
  /** Names that would have been too much to read. */
  omitted = 0;

  constructor(bytes: ElfBytes, { offset, size }: SymbolTable['names']) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#size = Math.max(0, Math.min(size, bytes.size - offset));
  }

  /** undefined of a place outside, or of a name without an end. */
  at(place: number): string | undefined {
    if (place >= this.#size) return undefined;
    const known = place >= this.#from && place + MAX_NAME <= this.#from + this.#piece.length;
    if (!known && !this.#reachesEnd(place) && !this.#readFrom(place)) return undefined;
    const start = place - this.#from;
    const end = this.#piece.subarray(start, start + MAX_NAME).indexOf(0);
    return end < 0 ? undefined : this.#piece.toString('utf8', start, start + end);
  }

  #reachesEnd(place: number): boolean {
    return place >= this.#from && this.#from + this.#piece.length === this.#size && this.#size > 0;
  }

  #readFrom(from: number): boolean {
    if (this.#read >= MAX_NAMES) {
      this.omitted++;
      return false;
    }
    const length = Math.min(NAMES_A_READ, this.#size - from);
    const view = this.#bytes.read(this.#offset + from, length);
    this.#piece = Buffer.from(view.buffer, view.byteOffset, length);
    this.#from = from;
    this.#read += length;
    return true;
  }
}
