/**
 * Functions by name, from both symbol tables. Tables and names are read in pieces: a browser has a
 * million symbols and their names fill 100 MB, of which a handful is asked for.
 */
import { type ElfBytes, invalid, tryU64 } from './elf-bytes.js';

const SYMBOL_SIZE = 24;
/** Symbols of one table that are looked at; the rest is counted. */
const MAX_SYMBOLS = 4_000_000;
const SYMBOLS_A_READ = 32_768;
const NAMES_A_READ = 1 << 20;
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
  const { candidates, omitted } = definedFunctions(bytes, table);
  const symbols: FunctionSymbol[] = [];
  let lost = omitted;
  // By the place of their names, so that these are read once from front to back.
  candidates.sort((a, b) => a.nameAt - b.nameAt);
  const names = new NameReader(bytes, table.names);
  for (const { nameAt, address, size, isLocal } of candidates) {
    const name = names.at(nameAt)?.replace(/@.*$/s, '');
    if (name === undefined || name === '' || !wanted(name)) continue;
    if (symbols.length < MAX_MATCHES) symbols.push({ name, address, size, isLocal });
    else lost++;
  }
  return { symbols, omitted: lost };
}

interface Candidate {
  readonly nameAt: number;
  readonly address: number;
  readonly size: number;
  readonly isLocal: boolean;
}

function definedFunctions(bytes: ElfBytes, { offset, size }: SymbolTable) {
  const all = Math.floor(size / SYMBOL_SIZE);
  const count = Math.min(all, MAX_SYMBOLS);
  if (offset + count * SYMBOL_SIZE > bytes.size) throw invalid('the symbol table is cut short');
  const candidates: Candidate[] = [];
  for (let from = 0; from < count; from += SYMBOLS_A_READ) {
    const length = Math.min(SYMBOLS_A_READ, count - from) * SYMBOL_SIZE;
    const view = bytes.read(offset + from * SYMBOL_SIZE, length);
    for (let at = 0; at < length; at += SYMBOL_SIZE) {
      const info = view.getUint8(at + 4);
      if ((info & 0xf) !== STT_FUNC) continue;
      const section = view.getUint16(at + 6, true);
      if (section === SHN_UNDEF || (section >= SHN_SPECIAL && section !== SHN_XINDEX)) continue;
      const address = tryU64(view, at + 8);
      const bytesLong = tryU64(view, at + 16);
      if (address === undefined || bytesLong === undefined) continue;
      const nameAt = view.getUint32(at, true);
      candidates.push({ nameAt, address, size: bytesLong, isLocal: info >> 4 === STB_LOCAL });
    }
  }
  return { candidates, omitted: all - count };
}

/** Names from front to back. */
class NameReader {
  readonly #bytes: ElfBytes;
  readonly #offset: number;
  readonly #size: number;
  #piece: Buffer = Buffer.alloc(0);
  #from = 0;

  constructor(bytes: ElfBytes, { offset, size }: SymbolTable['names']) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#size = Math.max(0, Math.min(size, bytes.size - offset));
  }

  /** undefined of a place outside, or of a name without an end. */
  at(place: number): string | undefined {
    if (place >= this.#size) return undefined;
    const known = place >= this.#from && place + MAX_NAME <= this.#from + this.#piece.length;
    if (!known && !this.#reachesEnd(place)) this.#read(place);
    const start = place - this.#from;
    const end = this.#piece.subarray(start, start + MAX_NAME).indexOf(0);
    return end < 0 ? undefined : this.#piece.toString('utf8', start, start + end);
  }

  #reachesEnd(place: number): boolean {
    return place >= this.#from && this.#from + this.#piece.length === this.#size && this.#size > 0;
  }

  #read(from: number): void {
    const length = Math.min(NAMES_A_READ, this.#size - from);
    const view = this.#bytes.read(this.#offset + from, length);
    this.#piece = Buffer.from(view.buffer, view.byteOffset, length);
    this.#from = from;
  }
}
