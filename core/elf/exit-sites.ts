/**
 * Where a function returns, for probes that see its result there. A return probe puts its own address
 * on the stack, and an exception that meets it ends the program; a probe of a `ret` changes nothing.
 * There the stack pointer is what it was at the entry, at the return address, by which a call is told
 * from others that come by: functions share their ends, for one may jump to another as its last act.
 */
import type { ElfFile, ElfFunction } from './elf-file.js';
import { PF_X, PT_LOAD } from './header.js';
import { jumpSlots } from './jump-slots.js';
import { decode, type Instruction } from './x86-decode.js';

const MAX_INSTRUCTIONS = 20_000;
/** Bytes before and behind its beginning in which a function may go on. */
const REACH = 4 << 20;
/** More are no allocator's. */
const MAX_EXITS = 128;

/**
 * Bytes into the file of all `ret` that the function may come to, ascending; undefined where that is not
 * known: another machine, code that is not understood. What jumps to an address that is read from
 * memory leaves unseen, but for the global offset table's of functions of the same file.
 */
export function exitSites(
  elf: ElfFile,
  fn: Pick<ElfFunction, 'offset' | 'size'>,
): readonly number[] | undefined {
  if (elf.machine !== 'x86_64') return undefined;
  const segment = elf.segments.find(
    ({ type, flags, offset, fileSize }) =>
      type === PT_LOAD &&
      (flags & PF_X) !== 0 &&
      fn.offset >= offset &&
      fn.offset < offset + fileSize,
  );
  if (segment === undefined) return undefined;
  const from = Math.max(segment.offset, fn.offset - REACH);
  const to = Math.min(segment.offset + segment.fileSize, fn.offset + REACH, elf.bytes.size);
  const view = elf.bytes.read(from, to - from);
  const code = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const base = segment.address + from - segment.offset;
  let slots: ReadonlyMap<number, number> | undefined;
  const throughSlot: ThroughSlot = (slot) => {
    slots ??= jumpSlots(elf);
    const target = slots.get(base + slot);
    return target === undefined ? undefined : target - base;
  };
  const found = findExits(code, fn.offset - from, fn.size, throughSlot);
  return found?.map((at) => from + at);
}

/** Where a jump by the address that is in a slot leads. Both as distances from the code's beginning. */
type ThroughSlot = (slot: number) => number | undefined;

/** Of the function of `size` bytes at `entry` of `code`; 0: of unknown size. Pure. */
export function findExits(
  code: Uint8Array,
  entry: number,
  size: number,
  throughSlot: ThroughSlot = () => undefined,
): number[] | undefined {
  return new Walk(code, entry, size, throughSlot).run();
}

class Walk {
  readonly #exits = new Set<number>();
  readonly #seen = new Set<number>();
  readonly #todo: number[];
  /** A jump in the function goes where that is not known. */
  #hasTable = false;

  constructor(
    private readonly code: Uint8Array,
    private readonly entry: number,
    private readonly size: number,
    private readonly throughSlot: ThroughSlot,
  ) {
    this.#todo = [entry];
  }

  run(): number[] | undefined {
    for (let at = this.#todo.pop(); at !== undefined; at = this.#todo.pop()) {
      if (!this.#follow(at) || this.#exits.size > MAX_EXITS) return undefined;
    }
    if (this.#hasTable && !this.#sweep()) return undefined;
    if (this.#exits.size > MAX_EXITS) return undefined;
    return this.#exits.size === 0 ? undefined : [...this.#exits].sort((a, b) => a - b);
  }

  /** Until it ends or goes where somebody was; false if that is not understood. */
  #follow(start: number): boolean {
    for (let at = start; !this.#seen.has(at); ) {
      if (this.#isBeyond(start, at)) return true;
      const instruction = decode(this.code, at);
      if (instruction === undefined || this.#seen.size > MAX_INSTRUCTIONS) return false;
      this.#seen.add(at);
      const next = at + instruction.length;
      const target = this.#targetOf(instruction, next);
      switch (endOf(instruction)) {
        case 'return':
          this.#exits.add(at);
          return true;
        case 'stop':
          return true;
        case 'jump':
          if (target === undefined && this.#isWithin(at)) this.#hasTable = true;
          this.#visit(target);
          return true;
        case 'branch':
          this.#visit(target);
      }
      at = next;
    }
    return true;
  }

  #targetOf({ distance, modrm, length }: Instruction, next: number): number | undefined {
    if (distance !== undefined) return next + distance;
    const isBySlot = modrm?.mod === 0 && (modrm.rm & 7) === 5 && length >= 6;
    if (!isBySlot) return undefined;
    const view = new DataView(this.code.buffer, this.code.byteOffset + next - 4, 4);
    return this.throughSlot(next + view.getInt32(0, true));
  }

  #visit(target: number | undefined): void {
    if (target !== undefined && target >= 0 && target < this.code.length) this.#todo.push(target);
  }

  /** Behind the last call of a function may lie the next one, as it does not come back. */
  #isBeyond(start: number, at: number): boolean {
    const end = this.entry + this.size;
    return this.size > 0 && start >= this.entry && start < end && at >= end;
  }

  #isWithin(at: number): boolean {
    return at >= this.entry && at < this.entry + this.size;
  }

  /**
   * What only a table of jumps leads to: all of the function. False if it is not code from end to end: then
   * a probe could be put into data, or into the middle of an instruction.
   */
  #sweep(): boolean {
    const begins = new Set<number>();
    const end = this.entry + this.size;
    for (let at = this.entry; at < end; ) {
      const instruction = decode(this.code, at);
      if (instruction === undefined) return end - at < MAX_PADDING && this.#agrees(begins);
      if (begins.size > MAX_INSTRUCTIONS) return false;
      begins.add(at);
      if (endOf(instruction) === 'return') this.#exits.add(at);
      at += instruction.length;
    }
    return this.#agrees(begins);
  }

  #agrees(begins: ReadonlySet<number>): boolean {
    return [...this.#seen].every((at) => !this.#isWithin(at) || begins.has(at));
  }
}

const MAX_PADDING = 15;

type End = 'return' | 'jump' | 'branch' | 'stop' | 'none';

function endOf({ map, opcode, modrm }: Instruction): End {
  if (map === '0f') {
    if (opcode === 0x0b || opcode === 0xb9 || opcode === 0xff) return 'stop'; // ud2, ud1, ud0
    return opcode >= 0x80 && opcode <= 0x8f ? 'branch' : 'none';
  }
  if (map !== 'one') return 'none';
  if (opcode === 0xc3 || opcode === 0xc2) return 'return';
  if (opcode === 0xe9 || opcode === 0xeb) return 'jump';
  if ((opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xe0 && opcode <= 0xe3)) return 'branch';
  if (opcode === 0xf4 || opcode === 0xcc) return 'stop'; // hlt, int3
  return opcode === 0xff && modrm !== undefined && (modrm.reg & 7) === 4 ? 'jump' : 'none';
}
