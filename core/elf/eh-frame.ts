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
import { type FrameIndex, indexOf } from './frame-index.js';

export type { UnwindRow, UnwindRule } from './cfa-program.js';

/** The longest honest ones have a tenth of it. */
const MAX_ENTRY = 64 << 10;
const MAX_CIES = 4096;

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
  readonly #index: FrameIndex | undefined;
  readonly #cies = new Map<number, Cie>();

  private constructor(elf: ElfFile) {
    this.#elf = elf;
    this.#index = indexOf(elf, (fde) => this.#describe(fde).start);
  }

  /** undefined of a file that has none, or none that can be searched. */
  static of(elf: ElfFile): UnwindTable | undefined {
    const table = new UnwindTable(elf);
    return table.#index === undefined ? undefined : table;
  }

  /** Functions that it has rows of. */
  get functions(): number {
    return this.#index?.functions ?? 0;
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
    for (const fde of this.#index?.fdes() ?? []) yield* this.#rowsOf(fde);
  }

  /** The address of the description of the last function that begins at or before `address`. */
  #search(address: number): number | undefined {
    const index = this.#index;
    let low = 0;
    let high = this.functions;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((index?.entry(middle).start ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : index?.entry(low - 1).fde;
  }

  /** The head of a description; `reader` is behind it. */
  #describe(fde: number) {
    const reader = this.#open(fde);
    const pointerAt = fde + 4;
    const cie = this.#cie(pointerAt - reader.u32());
    const start = reader.pointer(cie.encoding, this.#index?.base);
    if (start === undefined) throw invalid('a nameless frame');
    return { reader, cie, start };
  }

  *#rowsOf(fde: number): Generator<UnwindRow> {
    const { reader, cie, start } = this.#describe(fde);
    // A length: of the same form, relative to nothing.
    const length = reader.pointer(cie.encoding & 0x0f);
    if (length === undefined || length < 0) throw invalid('a frame without a length');
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
