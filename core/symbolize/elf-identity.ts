/**
 * What tells an ELF file apart and where its bytes belong: program headers and build id, of a file
 * that anybody may have written. A few bounded reads; what is odd is left out.
 */
import { readSync } from 'node:fs';
import type { Segment } from './symbolizer.js';

export interface ElfIdentity {
  readonly segments: readonly Segment[];
  /** Hex. */
  readonly buildId?: string;
}

/** Reads `length` bytes at `at`; fewer at the end. */
export type ReadAt = (at: number, length: number) => Buffer;

/** Undefined if it is no ELF file of 64 bits in this machine's byte order. */
export function readElfIdentity(read: ReadAt): ElfIdentity | undefined {
  const header = read(0, HEADER);
  if (header.length < HEADER || header.readUInt32BE(0) !== MAGIC) return undefined;
  if (header[4] !== CLASS_64 || header[5] !== LITTLE_ENDIAN) return undefined;
  const at = toOffset(header.readBigUInt64LE(32));
  const count = Math.min(header.readUInt16LE(56), MAX_PROGRAM_HEADERS);
  if (at === undefined || header.readUInt16LE(54) !== PROGRAM_HEADER) return { segments: [] };
  const table = read(at, count * PROGRAM_HEADER);
  const segments: Segment[] = [];
  let buildId: string | undefined;
  for (let n = 0; (n + 1) * PROGRAM_HEADER <= table.length; n++) {
    const entry = table.subarray(n * PROGRAM_HEADER, (n + 1) * PROGRAM_HEADER);
    const type = entry.readUInt32LE(0);
    const fileOffset = entry.readBigUInt64LE(8);
    const size = entry.readBigUInt64LE(32);
    if (type === PT_LOAD) segments.push({ fileOffset, address: entry.readBigUInt64LE(16), size });
    if (type === PT_NOTE) buildId ??= readBuildId(read, fileOffset, size);
  }
  return buildId === undefined ? { segments } : { segments, buildId };
}

/** Of the file open at `fd`. Undefined also if it cannot be read. */
export function elfIdentityOf(fd: number): ElfIdentity | undefined {
  try {
    return readElfIdentity((at, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, at));
    });
  } catch {
    return undefined;
  }
}

/** The address in the file's own terms of what is mapped from `fileOffset`. */
export function toFileAddress(
  segments: readonly Segment[],
  fileOffset: bigint,
): bigint | undefined {
  for (const { fileOffset: begin, address, size } of segments) {
    if (fileOffset >= begin && fileOffset < begin + size) return fileOffset - begin + address;
  }
  return undefined;
}

function readBuildId(read: ReadAt, offset: bigint, size: bigint): string | undefined {
  const at = toOffset(offset);
  if (at === undefined) return undefined;
  const notes = read(at, Number(size < MAX_NOTES ? size : MAX_NOTES));
  for (let next = 0; next + NOTE_HEADER <= notes.length; ) {
    const nameSize = notes.readUInt32LE(next);
    const descriptionSize = notes.readUInt32LE(next + 4);
    const name = next + NOTE_HEADER;
    const description = name + align(nameSize);
    const end = description + descriptionSize;
    if (end > notes.length) return undefined;
    const isOurs =
      notes.readUInt32LE(next + 8) === NT_GNU_BUILD_ID &&
      notes.toString('latin1', name, name + nameSize) === 'GNU\0';
    if (isOurs && descriptionSize > 0 && descriptionSize <= MAX_BUILD_ID) {
      return notes.toString('hex', description, end);
    }
    next = description + align(descriptionSize);
  }
  return undefined;
}

const align = (size: number) => Math.ceil(size / 4) * 4;

function toOffset(value: bigint): number | undefined {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}

const MAGIC = 0x7f454c46;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const HEADER = 64;
const PROGRAM_HEADER = 56;
const MAX_PROGRAM_HEADERS = 128;
const NOTE_HEADER = 12;
const PT_LOAD = 1;
const PT_NOTE = 4;
const NT_GNU_BUILD_ID = 3;
const MAX_NOTES = 65536n;
const MAX_BUILD_ID = 64;
