/**
 * Where jumps through the global offset table lead within a file: a library calls even its own exported
 * functions by it. Of x86-64.
 */
import { DT_JMPREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_SYMTAB, readDynamic } from './dynamic.js';
import { tryU64 } from './elf-bytes.js';
import type { ElfFile } from './elf-file.js';

const RELA_SIZE = 24;
const SYMBOL_SIZE = 24;
const R_X86_64_GLOB_DAT = 6;
const R_X86_64_JUMP_SLOT = 7;
/** Larger tables are not read: they are of programs, whose allocators call within themselves. */
const MAX_RELOCATIONS = 1 << 17;

/** By the virtual address of a slot, that of the function of this file that it is of. */
export function jumpSlots(elf: ElfFile): ReadonlyMap<number, number> {
  const slots = new Map<number, number>();
  const dynamic = readDynamic(elf.bytes, elf.segments);
  const symbols = elf.offsetOf(dynamic?.get(DT_SYMTAB) ?? -1);
  if (dynamic === undefined || symbols === undefined) return slots;
  for (const [table, length] of [
    [DT_JMPREL, DT_PLTRELSZ],
    [DT_RELA, DT_RELASZ],
  ] as const) {
    const offset = elf.offsetOf(dynamic.get(table) ?? -1);
    const count = Math.floor((dynamic.get(length) ?? 0) / RELA_SIZE);
    if (offset === undefined || count === 0 || count > MAX_RELOCATIONS) continue;
    if (offset + count * RELA_SIZE > elf.bytes.size) continue;
    readTable(elf, { offset, count, symbols }, slots);
  }
  return slots;
}

interface Table {
  readonly offset: number;
  readonly count: number;
  readonly symbols: number;
}

function readTable(elf: ElfFile, table: Table, slots: Map<number, number>): void {
  const view = elf.bytes.read(table.offset, table.count * RELA_SIZE);
  for (let at = 0; at < view.byteLength; at += RELA_SIZE) {
    const type = view.getUint32(at + 8, true);
    if (type !== R_X86_64_JUMP_SLOT && type !== R_X86_64_GLOB_DAT) continue;
    const slot = tryU64(view, at);
    const symbol = table.symbols + view.getUint32(at + 12, true) * SYMBOL_SIZE;
    if (slot === undefined || symbol + SYMBOL_SIZE > elf.bytes.size) continue;
    const value = tryU64(elf.bytes.read(symbol, SYMBOL_SIZE), 8);
    if (value !== undefined && value !== 0) slots.set(slot, value);
  }
}
