/**
 * Which functions .eh_frame describes, and where: by the table that linkers sort for the unwinder
 * (.eh_frame_hdr), or, where there is none, as in static programs of glibc, by the descriptions
 * themselves, one after another.
 */
import { DwarfReader } from './dwarf-reader.js';
import { invalid } from './elf-bytes.js';
import type { ElfFile } from './elf-file.js';
import { PT_GNU_EH_FRAME } from './header.js';

/** Addresses: of a function's first byte, and of its description (FDE). */
export interface IndexEntry {
  readonly start: number;
  readonly fde: number;
}

export interface FrameIndex {
  /** What addresses relative to data are relative to. */
  readonly base: number;
  readonly functions: number;
  /** In the order of the addresses of functions. */
  entry(n: number): IndexEntry;
  fdes(): Iterable<number>;
}

/** Of signed 4-byte distances from the table: what all linkers write. */
const TABLE_ENCODING = 0x3b;
const ENTRY_SIZE = 8;
const ENTRIES_A_READ = 8192;
/** The largest honest ones have a tenth of it. */
const MAX_SECTION = 256 << 20;
/** Lengths from here on announce another format. */
const RESERVED_LENGTH = 0xffff_fff0;

/** undefined of a file that has no frames, or none that can be searched. */
export function indexOf(elf: ElfFile, startOf: (fde: number) => number): FrameIndex | undefined {
  if (elf.machine !== 'x86_64') return undefined;
  const segment = elf.segments.find(({ type }) => type === PT_GNU_EH_FRAME);
  return segment === undefined ? ScannedIndex.of(elf, startOf) : TableIndex.of(elf, segment);
}

class TableIndex implements FrameIndex {
  readonly #elf: ElfFile;
  readonly #table: number;

  private constructor(
    elf: ElfFile,
    readonly base: number,
    table: number,
    readonly functions: number,
  ) {
    this.#elf = elf;
    this.#table = table;
  }

  static of(elf: ElfFile, segment: ElfFile['segments'][number]): FrameIndex | undefined {
    if (segment.fileSize < 4) return undefined;
    const { address } = segment;
    const reader = new DwarfReader(
      elf.bytes.read(segment.offset, Math.min(segment.fileSize, 32)),
      address,
    );
    const version = reader.u8();
    const [frame, count, table] = [reader.u8(), reader.u8(), reader.u8()];
    if (version !== 1 || table !== TABLE_ENCODING) return undefined;
    reader.pointer(frame, address);
    const functions = reader.pointer(count, address) ?? 0;
    if (functions < 0 || reader.at + functions * ENTRY_SIZE > segment.fileSize) {
      throw invalid('the table of frames is cut short');
    }
    return new TableIndex(elf, address, segment.offset + reader.at, functions);
  }

  entry(n: number): IndexEntry {
    const view = this.#elf.bytes.read(this.#table + n * ENTRY_SIZE, ENTRY_SIZE);
    return { start: this.base + view.getInt32(0, true), fde: this.base + view.getInt32(4, true) };
  }

  *fdes(): Generator<number> {
    for (let from = 0; from < this.functions; from += ENTRIES_A_READ) {
      const count = Math.min(ENTRIES_A_READ, this.functions - from);
      const view = this.#elf.bytes.read(this.#table + from * ENTRY_SIZE, count * ENTRY_SIZE);
      for (let n = 0; n < count; n++) yield this.base + view.getInt32(n * ENTRY_SIZE + 4, true);
    }
  }
}

class ScannedIndex implements FrameIndex {
  readonly base = 0;
  readonly #found: readonly number[];
  readonly #startOf: (fde: number) => number;
  #sorted: readonly IndexEntry[] | undefined;

  private constructor(found: readonly number[], startOf: (fde: number) => number) {
    this.#found = found;
    this.#startOf = startOf;
  }

  static of(elf: ElfFile, startOf: (fde: number) => number): FrameIndex | undefined {
    const section = elf.section('.eh_frame');
    if (section === undefined || section.size > MAX_SECTION) return undefined;
    const view = elf.bytes.read(section.offset, section.size);
    const found: number[] = [];
    for (let at = 0; at + 8 <= section.size; ) {
      const length = view.getUint32(at, true);
      // A zero ends them all; a description that belongs to none is a family's (CIE).
      if (length === 0) break;
      if (length < 4 || length >= RESERVED_LENGTH) throw invalid(`a frame of ${length} bytes`);
      if (view.getUint32(at + 4, true) !== 0) found.push(section.address + at);
      at += 4 + length;
    }
    return found.length === 0 ? undefined : new ScannedIndex(found, startOf);
  }

  get functions(): number {
    return this.#found.length;
  }

  entry(n: number): IndexEntry {
    const entry = this.#entries()[n];
    if (entry === undefined) throw invalid(`there is no function ${n}`);
    return entry;
  }

  *fdes(): Generator<number> {
    for (const { fde } of this.#entries()) yield fde;
  }

  #entries(): readonly IndexEntry[] {
    this.#sorted ??= this.#found
      .map((fde) => ({ start: this.#startOf(fde), fde }))
      .sort((a, b) => a.start - b.start);
    return this.#sorted;
  }
}
