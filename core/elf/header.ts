/** The fixed parts of an ELF64 file, little-endian: what it is for, its segments and sections. */
import { type ElfBytes, invalid, readU64, tryU64 } from './elf-bytes.js';

const HEADER_SIZE = 64;
const SEGMENT_SIZE = 56;
const SECTION_SIZE = 64;
/** Linkers make about ten; the kernel takes no more than fit a page or two. */
const MAX_SEGMENTS = 1024;
const MAX_SECTIONS = 65_535;

export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PT_GNU_EH_FRAME = 0x6474e550;
export const PF_X = 1;
export const PF_W = 2;
export const SHF_EXECINSTR = 4;
export const SHT_SYMTAB = 2;
export const SHT_DYNSYM = 11;
export const SHT_NOBITS = 8;

const TYPES = new Map([
  [1, 'object'],
  [2, 'executable'],
  [3, 'shared'],
  [4, 'core'],
] as const);
const MACHINES = new Map([
  [62, 'x86_64'],
  [183, 'arm64'],
] as const);

/** `shared`: libraries, and programs that can be loaded anywhere (PIE). */
export type ElfType = 'object' | 'executable' | 'shared' | 'core' | 'other';
export type ElfMachine = 'x86_64' | 'arm64' | 'other';

export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  /** Index of the section that this one refers to: of symbols, their names. */
  readonly link: number;
}

export interface Header {
  readonly type: ElfType;
  readonly machine: ElfMachine;
  /** Where execution begins; 0 if nowhere. */
  readonly entry: number;
  readonly segments: readonly Segment[];
  readonly sectionTable: {
    readonly offset: number;
    readonly count: number;
    readonly names: number;
  };
}

/** ELF_INVALID if it is none of ours. */
export function readHeader(bytes: ElfBytes): Header {
  if (bytes.size < HEADER_SIZE) throw invalid('not a 64-bit little-endian ELF file');
  const view = bytes.read(0, HEADER_SIZE);
  if (view.getUint32(0) !== 0x7f454c46 || view.getUint8(4) !== 2 || view.getUint8(5) !== 1) {
    throw invalid('not a 64-bit little-endian ELF file');
  }
  return {
    type: TYPES.get(view.getUint16(16, true) as 1) ?? 'other',
    machine: MACHINES.get(view.getUint16(18, true) as 62) ?? 'other',
    entry: readU64(view, 24),
    segments: readSegments(bytes, view),
    sectionTable: sectionTable(bytes, view),
  };
}

function readSegments(bytes: ElfBytes, header: DataView): Segment[] {
  const count = header.getUint16(56, true);
  if (count === 0) return [];
  if (header.getUint16(54, true) !== SEGMENT_SIZE) throw invalid('segments of an unknown form');
  if (count > MAX_SEGMENTS) throw invalid(`${count} segments`);
  const table = bytes.read(readU64(header, 32), count * SEGMENT_SIZE);
  return Array.from({ length: count }, (_, n): Segment => {
    const at = n * SEGMENT_SIZE;
    return {
      type: table.getUint32(at, true),
      flags: table.getUint32(at + 4, true),
      offset: readU64(table, at + 8),
      address: readU64(table, at + 16),
      fileSize: readU64(table, at + 32),
      memorySize: readU64(table, at + 40),
    };
  });
}

/** Of a file with too many sections for the header, the first of them has the count. */
function sectionTable(bytes: ElfBytes, header: DataView): Header['sectionTable'] {
  const offset = readU64(header, 40);
  const none = { offset: 0, count: 0, names: 0 };
  if (offset === 0 || header.getUint16(58, true) !== SECTION_SIZE) return none;
  const count = header.getUint16(60, true);
  const names = header.getUint16(62, true);
  if (count !== 0 && names !== 0xffff) return { offset, count, names };
  const first = bytes.read(offset, SECTION_SIZE);
  const extended = { count: readU64(first, 32), names: first.getUint32(40, true) };
  return {
    offset,
    count: count === 0 ? extended.count : count,
    names: names === 0xffff ? extended.names : names,
  };
}

/** The section headers, in the file's order; a stripped file may have none. */
export function readSections(bytes: ElfBytes, { sectionTable }: Header): Section[] {
  const { offset, count, names } = sectionTable;
  if (count === 0) return [];
  if (count > MAX_SECTIONS) throw invalid(`${count} sections`);
  const table = bytes.read(offset, count * SECTION_SIZE);
  const range = (n: number) => ({
    offset: tryU64(table, n * SECTION_SIZE + 24) ?? bytes.size,
    size: tryU64(table, n * SECTION_SIZE + 32) ?? 0,
  });
  const text = names < count ? readNames(bytes, range(names)) : Buffer.alloc(0);
  return Array.from({ length: count }, (_, n): Section => {
    const at = n * SECTION_SIZE;
    return {
      name: nameAt(text, table.getUint32(at, true)),
      type: table.getUint32(at + 4, true),
      // The upper half is for processors and operating systems to use.
      flags: table.getUint32(at + 8, true),
      address: tryU64(table, at + 16) ?? 0,
      ...range(n),
      link: table.getUint32(at + 40, true),
    };
  });
}

/** No honest name of a section is longer. */
const MAX_NAME = 256;
const MAX_NAMES = 4 << 20;

function readNames(bytes: ElfBytes, { offset, size }: { offset: number; size: number }): Buffer {
  const view = bytes.read(offset, Math.min(size, MAX_NAMES));
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

function nameAt(names: Buffer, at: number): string {
  if (at >= names.length) return '';
  const end = names.subarray(at, at + MAX_NAME).indexOf(0);
  return end < 0 ? '' : names.toString('latin1', at, at + end);
}
