/** What the dynamic loader is told: the table that PT_DYNAMIC points to. */
import type { ElfBytes } from './elf-bytes.js';
import { tryU64 } from './elf-bytes.js';
import { PT_DYNAMIC, type Segment } from './header.js';

const ENTRY_SIZE = 16;
const MAX_ENTRIES = 4096;

export const DT_PLTRELSZ = 2;
export const DT_STRTAB = 5;
export const DT_SYMTAB = 6;
export const DT_RELA = 7;
export const DT_RELASZ = 8;
export const DT_STRSZ = 10;
export const DT_JMPREL = 23;
export const DT_FLAGS_1 = 0x6ffffffb;
/** In DT_FLAGS_1: a program, not a library. */
export const DF_1_PIE = 0x08000000;

/** The last value of each tag; undefined of a file that is not linked dynamically. */
export function readDynamic(
  bytes: ElfBytes,
  segments: readonly Segment[],
): ReadonlyMap<number, number> | undefined {
  const segment = segments.find(({ type }) => type === PT_DYNAMIC);
  if (segment === undefined) return undefined;
  const count = Math.min(Math.floor(segment.fileSize / ENTRY_SIZE), MAX_ENTRIES);
  const table = bytes.read(segment.offset, count * ENTRY_SIZE);
  const tags = new Map<number, number>();
  for (let n = 0; n < count; n++) {
    const tag = tryU64(table, n * ENTRY_SIZE);
    if (tag === 0) break;
    const value = tryU64(table, n * ENTRY_SIZE + 8);
    if (tag !== undefined && value !== undefined) tags.set(tag, value);
  }
  return tags;
}
