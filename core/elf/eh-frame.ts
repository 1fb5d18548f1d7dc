/**
 * Where a function's caller is, at any of its instructions: what compilers leave in .eh_frame for
 * exceptions, and what is there also of code without frame pointers. For x86-64; of other machines
 * nothing is known. A return address is looked up one byte before it: it may be the first of the
 * next function.
 */
import { type Alignment, initialState, type UnwindRow, unwindRows } from './cfa-program.js';
import { DwarfReader } from './dwarf-reader.js';
import { invalid } from './elf-bytes.js';
import type { ElfFile } from './elf-file.js';
import { PT_GNU_EH_FRAME } from './header.js';

export type { UnwindRow, UnwindRule } from './cfa-program.js';

/** Of signed 4-byte distances from the table: what all linkers write. */
const TABLE_ENCODING = 0x3b;
const ENTRY_SIZE = 8;
/** The longest honest ones have a tenth of it. */
const MAX_ENTRY = 64 << 10;
const MAX_CIES = 4096;
const ENTRIES_A_READ = 8192;

/** The row of one instruction; undefined where the file says nothing of it. */
export function rowAt(elf: ElfFile, address: number): UnwindRow | undefined {
  return UnwindTable.of(elf)?.rowAt(address);
}

type Cie = Alignment & {
  readonly initial: ReturnType<typeof initialState>;
  readonly augmented: boolean;
};

/** Of one file. What is damaged throws ELF_INVALID when it is looked at. */
export class UnwindTable {
  readonly #elf: ElfFile;
  readonly #hdr: number;
  readonly #table: number;
  readonly #cies = new Map<number, Cie>();
  /** Functions that it has rows of. */
  readonly functions: number;

  private constructor(elf: ElfFile, hdr: number, table: number, functions: number) {
    this.#elf = elf;
    this.#hdr = hdr;
    this.#table = table;
    this.functions = functions;
  }

  /** undefined of a file that has none, or none that can be searched. */
  static of(elf: ElfFile): UnwindTable | undefined {
    const segment = elf.segments.find(({ type }) => type === PT_GNU_EH_FRAME);
    if (segment === undefined || elf.machine !== 'x86_64' || segment.fileSize < 4) return undefined;
    const size = Math.min(segment.fileSize, 32);
    const { address } = segment;
    const reader = new DwarfReader(elf.bytes.read(segment.offset, size), address);
    const version = reader.u8();
    const [frame, count, table] = [reader.u8(), reader.u8(), reader.u8()];
    if (version !== 1 || table !== TABLE_ENCODING) return undefined;
    reader.pointer(frame, address);
    const functions = reader.pointer(count, address) ?? 0;
    if (functions < 0 || reader.at + functions * ENTRY_SIZE > segment.fileSize) {
      throw invalid('the table of frames is cut short');
    }
    return new UnwindTable(elf, address, segment.offset + reader.at, functions);
  }

  rowAt(address: number): UnwindRow | undefined {
    const entry = this.#search(address);
    if (entry === undefined) return undefined;
    for (const row of this.#rowsOf(entry)) {
      if (address < row.start) return undefined;
      if (address < row.end) return row;
    }
    return undefined;
  }

  /** All rows, in the order of their addresses, as far as the table is sorted. */
  *rows(): Generator<UnwindRow> {
    for (let from = 0; from < this.functions; from += ENTRIES_A_READ) {
      const count = Math.min(ENTRIES_A_READ, this.functions - from);
      const view = this.#elf.bytes.read(this.#table + from * ENTRY_SIZE, count * ENTRY_SIZE);
      for (let n = 0; n < count; n++) {
        yield* this.#rowsOf(this.#hdr + view.getInt32(n * ENTRY_SIZE + 4, true));
      }
    }
  }

  /** The address of the description of the last function that begins at or before `address`. */
  #search(address: number): number | undefined {
    let low = 0;
    let high = this.functions;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entry(middle).start <= address) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.#entry(low - 1).fde;
  }

  #entry(n: number): { readonly start: number; readonly fde: number } {
    const view = this.#elf.bytes.read(this.#table + n * ENTRY_SIZE, ENTRY_SIZE);
    return { start: this.#hdr + view.getInt32(0, true), fde: this.#hdr + view.getInt32(4, true) };
  }

  *#rowsOf(fde: number): Generator<UnwindRow> {
    const reader = this.#open(fde);
    const pointerAt = fde + 4;
    const cie = this.#cie(pointerAt - reader.u32());
    const start = reader.pointer(cie.encoding, this.#hdr);
    // A length: of the same form, relative to nothing.
    const length = reader.pointer(cie.encoding & 0x0f);
    if (start === undefined || length === undefined || length < 0)
      throw invalid('a nameless frame');
    if (cie.augmented) reader.skip(reader.uleb());
    yield* unwindRows(reader, cie, cie.initial, { start, end: start + length });
  }

  #cie(address: number): Cie {
    const known = this.#cies.get(address);
    if (known) return known;
    const reader = this.#open(address);
    if (reader.u32() !== 0) throw invalid('a frame of no family');
    const version = reader.u8();
    if (version !== 1 && version !== 3) throw invalid(`frames of version ${version}`);
    const augmentation = reader.text(8);
    const alignment = { code: reader.uleb(), data: reader.sleb() };
    if (version === 1) reader.u8();
    else reader.uleb();
    const augmented = augmentation.startsWith('z');
    const encoding = augmented ? encodingOf(reader, augmentation) : 0;
    if (!augmented && augmentation !== '') throw invalid(`frames of the kind ${augmentation}`);
    const family = { ...alignment, encoding };
    const cie = { ...family, augmented, initial: initialState(reader, family) };
    if (this.#cies.size >= MAX_CIES) this.#cies.clear();
    this.#cies.set(address, cie);
    return cie;
  }

  /** What comes behind the length of an entry. */
  #open(address: number): DwarfReader {
    const offset = this.#elf.offsetOf(address);
    if (offset === undefined) throw invalid('a frame outside of the file');
    const length = this.#elf.bytes.read(offset, 4).getUint32(0, true);
    if (length < 4 || length > MAX_ENTRY) throw invalid(`a frame of ${length} bytes`);
    return new DwarfReader(this.#elf.bytes.read(offset + 4, length), address + 4);
  }
}

/** How addresses are written; the rest of the augmentation is passed. */
function encodingOf(reader: DwarfReader, augmentation: string): number {
  const length = reader.uleb();
  const end = reader.at + length;
  let encoding = 0;
  for (const letter of augmentation.slice(1)) {
    if (letter === 'R') encoding = reader.u8();
    else if (letter === 'L') reader.u8();
    else if (letter === 'P') reader.pointer(reader.u8() & 0x7f);
    else if (letter !== 'S') break;
  }
  if (reader.at > end) throw invalid('frames that say too much');
  reader.skip(end - reader.at);
  return encoding;
}
