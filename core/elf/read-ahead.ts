/**
 * Reads the tables of an ELF file in the threads of libuv, and keeps nothing: who reads them on the
 * event loop afterwards finds them in the page cache. A browser's symbols are 150 MB, and a disk that
 * is busy with swap gives them in its own time.
 */
import { fstatSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { ElfFile } from './elf-file.js';
import { type Section, SHT_DYNSYM, SHT_NOBITS, SHT_SYMTAB } from './header.js';

/** `fd` stays the caller's. Never rejects: what is wrong with the file is found when it is read. */
export async function readAhead(fd: number): Promise<void> {
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.allocUnsafe(PIECE);
    // The headers: of the file, and of the sections, which linkers put last.
    await touch(fd, buffer, 0, HEAD);
    await touch(fd, buffer, Math.max(0, size - HEAD), HEAD);
    let left = MOST;
    for (const { offset, size: length } of tablesOf(ElfFile.open(fd))) {
      await touch(fd, buffer, offset, Math.min(length, left));
      left -= Math.min(length, left);
    }
  } catch {
    // Who needs the tables says what is wrong with them.
  }
}

/** Symbols and their names, and how frames are unwound. */
function tablesOf({ sections }: ElfFile): readonly Section[] {
  return sections.flatMap((section) => {
    const { type, name, link } = section;
    if (type === SHT_SYMTAB || type === SHT_DYNSYM) return [section, sections[link] ?? []].flat();
    const isFrames = name === '.eh_frame' || name === '.eh_frame_hdr';
    return isFrames && type !== SHT_NOBITS ? [section] : [];
  });
}

async function touch(fd: number, buffer: Buffer, at: number, length: number): Promise<void> {
  for (let done = 0; done < length; ) {
    const { bytesRead } = await readPiece(fd, buffer, 0, Math.min(PIECE, length - done), at + done);
    if (bytesRead === 0) return;
    done += bytesRead;
  }
}

const readPiece = promisify(read);
const PIECE = 1 << 20;
const HEAD = 1 << 16;
/** Bytes of a file. */
const MOST = 256 << 20;
