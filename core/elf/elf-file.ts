/**
 * An ELF64 file of a process that is watched: what is where, read piece by piece. Nothing in it is
 * trusted: an offset beyond the file, a table without end or a name without one is ELF_INVALID, or
 * absent where the rest can be used without it.
 */
import { DF_1_PIE, DT_FLAGS_1, DT_STRSZ, DT_STRTAB, DT_SYMTAB, readDynamic } from './dynamic.js';
import { type ElfBytes, fileBytes, memoryBytes, openBytes } from './elf-bytes.js';
import {
  type ElfMachine,
  type ElfType,
  type Header,
  PF_W,
  PF_X,
  PT_INTERP,
  PT_LOAD,
  readHeader,
  readSections,
  type Section,
  type Segment,
  SHT_DYNSYM,
  SHT_NOBITS,
  SHT_SYMTAB,
} from './header.js';

import { type Note, readNotes } from './notes.js';
import { type FunctionSymbol, findFunctions, type SymbolTable } from './symbols.js';

const MAX_PATH = 4096;
const MAX_BUILD_ID = 64;
const NT_GNU_BUILD_ID = 3;
/** What the Go linker puts at the head of its build information, on a 16-byte boundary. */
const GO_MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
const GO_SEARCHED = 64 << 10;

/** A function, once, however many names it has. */
export interface ElfFunction {
  /** All of its names that were asked for, without versions, sorted. */
  readonly names: readonly string[];
  /** Virtual, as the file says. */
  readonly address: number;
  /** Bytes; 0 where the file does not say. */
  readonly size: number;
  /** Bytes into the file: where a probe of its entry goes. */
  readonly offset: number;
  /** None of its names is seen outside of the object file that it was compiled in. */
  readonly isLocal: boolean;
}

export class ElfFile {
  readonly bytes: ElfBytes;
  readonly #header: Header;
  #sections: readonly Section[] | undefined;

  private constructor(bytes: ElfBytes) {
    this.bytes = bytes;
    this.#header = readHeader(bytes);
  }

  /**
   * Of a path, or of a descriptor, which stays the caller's. ELF_INVALID if it is no ELF64
   * little-endian file, or cannot be opened.
   */
  static open(file: string | number): ElfFile {
    const bytes = typeof file === 'string' ? openBytes(file) : fileBytes(file, 'the descriptor');
    try {
      return new ElfFile(bytes);
    } catch (error) {
      bytes.close();
      throw error;
    }
  }

  static of(file: Uint8Array): ElfFile {
    return new ElfFile(memoryBytes(file));
  }

  get type(): ElfType {
    return this.#header.type;
  }

  get machine(): ElfMachine {
    return this.#header.machine;
  }

  get segments(): readonly Segment[] {
    return this.#header.segments;
  }

  get sections(): readonly Section[] {
    this.#sections ??= readSections(this.bytes, this.#header);
    return this.#sections;
  }

  section(name: string): Section | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** What the file holds of a section; undefined if it holds nothing of it. */
  sectionBytes(name: string): DataView | undefined {
    const section = this.section(name);
    if (section === undefined || section.type === SHT_NOBITS) return undefined;
    return this.bytes.read(section.offset, section.size);
  }

  /** The virtual address where a program begins; undefined of what is none. */
  get entry(): number | undefined {
    return this.#header.entry === 0 ? undefined : this.#header.entry;
  }

  /** The dynamic loader that the program asks for. */
  get interpreter(): string | undefined {
    const segment = this.segments.find(({ type }) => type === PT_INTERP);
    if (segment === undefined || segment.fileSize === 0 || segment.fileSize > MAX_PATH) {
      return undefined;
    }
    const view = this.bytes.read(segment.offset, segment.fileSize);
    const text = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    const end = text.indexOf(0);
    return text.toString('utf8', 0, end < 0 ? text.length : end);
  }

  /** Hexadecimal, of the linker's NT_GNU_BUILD_ID; undefined of a file that has none. */
  get buildId(): string | undefined {
    const note = this.#notes().find(
      ({ owner, type, content: { length } }) =>
        owner === 'GNU' && type === NT_GNU_BUILD_ID && length > 0 && length <= MAX_BUILD_ID,
    );
    return note === undefined ? undefined : Buffer.from(note.content).toString('hex');
  }

  /** Compiled by Go, whose growing stacks a return probe would break. */
  get isGo(): boolean {
    const sections = ['.go.buildinfo', '.note.go.buildid', '.gopclntab'];
    return (
      this.#notes().some(({ owner }) => owner === 'Go') ||
      this.sections.some(({ name }) => sections.includes(name)) ||
      this.#hasGoMagic() ||
      this.functions(['runtime.goexit', 'runtime.goexit.abi0', 'runtime.mstart']).length > 0
    );
  }

  /** A program that no dynamic loader has part in. */
  get isStatic(): boolean {
    if (this.interpreter !== undefined) return false;
    if (this.type === 'executable') return true;
    const flags = readDynamic(this.bytes, this.segments)?.get(DT_FLAGS_1) ?? 0;
    return this.type === 'shared' && (flags & DF_1_PIE) !== 0;
  }

  /** Symbols that the last `functions` did not look at, since there are too many. */
  omittedSymbols = 0;

  /**
   * The functions of these names, or whose names match, by address. Defined here, in code that is
   * loaded; not those that are chosen at start (IFUNC), since their address is the chooser's.
   */
  functions(wanted: readonly string[] | RegExp): ElfFunction[] {
    const names = wanted instanceof RegExp ? undefined : new Set(wanted);
    const matches = (name: string) =>
      wanted instanceof RegExp ? name.search(wanted) >= 0 : names?.has(name) === true;
    this.omittedSymbols = 0;
    const byAddress = new Map<number, FunctionSymbol[]>();
    for (const table of this.#symbolTables()) {
      const { symbols, omitted } = findFunctions(this.bytes, table, matches);
      this.omittedSymbols += omitted;
      for (const symbol of symbols) {
        const same = byAddress.get(symbol.address);
        if (same) same.push(symbol);
        else byAddress.set(symbol.address, [symbol]);
      }
    }
    const found = [...byAddress].flatMap(([address, symbols]): ElfFunction[] => {
      const offset = this.codeOffsetOf(address);
      if (offset === undefined) return [];
      const names = [...new Set(symbols.map(({ name }) => name))].sort();
      const size = Math.max(...symbols.map((symbol) => symbol.size));
      const isLocal = symbols.every((symbol) => symbol.isLocal);
      return [{ names, address, size, offset, isLocal }];
    });
    return found.sort((a, b) => a.address - b.address);
  }

  #symbolTables(): SymbolTable[] {
    const { sections } = this;
    const tables = sections
      .filter(({ type }) => type === SHT_SYMTAB || type === SHT_DYNSYM)
      .flatMap(({ offset, size, link }): SymbolTable[] => {
        const names = sections[link];
        return names === undefined ? [] : [{ offset, size, names }];
      });
    return tables.length > 0 ? tables.slice(0, 2) : this.#loadersTable();
  }

  /**
   * Of a file without section headers. Nothing says how many symbols there are; but linkers put the
   * names behind them.
   */
  #loadersTable(): SymbolTable[] {
    const dynamic = readDynamic(this.bytes, this.segments);
    const offset = this.offsetOf(dynamic?.get(DT_SYMTAB) ?? -1);
    const names = this.offsetOf(dynamic?.get(DT_STRTAB) ?? -1);
    if (offset === undefined || names === undefined || names <= offset) return [];
    const size = dynamic?.get(DT_STRSZ) ?? 0;
    return [{ offset, size: names - offset, names: { offset: names, size } }];
  }

  #notes(): readonly Note[] {
    return readNotes(this.bytes, this.segments, () => this.sections);
  }

  #hasGoMagic(): boolean {
    const data = this.segments.find(
      ({ type, flags }) => type === PT_LOAD && (flags & PF_X) === 0 && (flags & PF_W) !== 0,
    );
    if (data === undefined) return false;
    const length = Math.min(data.fileSize, GO_SEARCHED);
    if (data.offset + length > this.bytes.size) return false;
    const view = this.bytes.read(data.offset, length);
    const start = Buffer.from(view.buffer, view.byteOffset, length);
    for (let at = start.indexOf(GO_MAGIC); at >= 0; at = start.indexOf(GO_MAGIC, at + 1)) {
      if (at % 16 === 0) return true;
    }
    return false;
  }

  /** Where in the file the byte of a virtual address is; undefined if it is not in the file. */
  offsetOf(address: number): number | undefined {
    const segment = this.#loaded((start) => address - start.address);
    return segment === undefined ? undefined : segment.offset + (address - segment.address);
  }

  /** As `offsetOf`, of code only. */
  codeOffsetOf(address: number): number | undefined {
    const segment = this.#loaded((start) => address - start.address);
    if (segment === undefined || (segment.flags & PF_X) === 0) return undefined;
    return segment.offset + (address - segment.address);
  }

  /** The virtual address of what is at an offset of the file; undefined if it is not loaded. */
  addressOf(offset: number): number | undefined {
    const segment = this.#loaded((start) => offset - start.offset);
    return segment === undefined ? undefined : segment.address + (offset - segment.offset);
  }

  #loaded(into: (segment: Segment) => number): Segment | undefined {
    return this.segments.find((segment) => {
      const at = into(segment);
      return segment.type === PT_LOAD && at >= 0 && at < segment.fileSize;
    });
  }

  close(): void {
    this.bytes.close();
  }
}
