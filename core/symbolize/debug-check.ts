/**
 * Whether a debug file belongs to a file: by build id, or by checksum where there is none, and by
 * where the code is.
 */
import { fstatSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { ElfFile } from '../elf/elf-file.js';
import { type CodeLayout, codeLayoutOf, isCodeOf } from './code-layout.js';
import type { DebugWanted } from './libdw.js';

export function belongs(fd: number, wanted: DebugWanted, code: CodeLayout): boolean {
  // What several debug files share has no code.
  return isNamed(fd, wanted) && (wanted.isShared || isCodeOf(codeLayoutOf(fd), code));
}

function isNamed(fd: number, { buildId, checksum }: DebugWanted): boolean {
  if (buildId.length > 0) return buildIdOfSections(fd)?.equals(buildId) === true;
  return checksum !== 0 && checksumOf(fd) === checksum;
}

/** The build id of what a file shares with others (dwz): .gnu_debugaltlink is a name and it. */
export function sharedIdOf(fd: number): Buffer {
  const content = section(fd, '.gnu_debugaltlink');
  const end = content?.indexOf(0) ?? -1;
  return content === undefined || end < 0 ? Buffer.alloc(0) : content.subarray(end + 1, end + 65);
}

/** Of the section: program headers of debug files are those of the stripped file, and lead astray. */
function buildIdOfSections(fd: number): Buffer | undefined {
  const note = section(fd, '.note.gnu.build-id');
  if (note === undefined || note.length < 16) return undefined;
  return note.subarray(16, 16 + note.readUInt32LE(4));
}

function section(fd: number, name: string): Buffer | undefined {
  try {
    const view = ElfFile.open(fd).sectionBytes(name);
    return view && Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  } catch {
    return undefined;
  }
}

function checksumOf(fd: number): number | undefined {
  if (fstatSync(fd).size > MAX_SUMMED) return undefined;
  const piece = Buffer.alloc(1 << 20);
  let sum = 0;
  for (let at = 0; ; ) {
    const length = readSync(fd, piece, 0, piece.length, at);
    if (length === 0) return sum;
    sum = crc32(piece.subarray(0, length), sum);
    at += length;
  }
}

/** Bytes: a second's work. */
const MAX_SUMMED = 1 << 30;
