import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { describeError, MemWatcherError } from '../errors.js';

/**
 * Bytes of an ELF file, read where they are asked for: a file of gigabytes costs what is looked at.
 * Whoever wrote the file may mean ill, so every offset is checked and every length is bounded.
 */
export interface ElfBytes {
  readonly size: number;
  /** [offset, offset + length). ELF_INVALID if the file ends before. */
  read(offset: number, length: number): DataView;
  close(): void;
}

/** What no honest table that is read at once exceeds; of files, since memory has been given already. */
const MAX_READ = 16 << 20;

/** Opens regular files only: a pipe would block, and a device may do anything. */
export function openBytes(path: string): ElfBytes {
  try {
    if (!statSync(path).isFile()) throw new Error('it is no regular file');
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      return fileBytes(fd, path, () => closeSync(fd));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  } catch (cause) {
    if (cause instanceof MemWatcherError) throw cause;
    const why = describeError(cause);
    throw new MemWatcherError('ELF_INVALID', `cannot read ${path}: ${why}`, { cause });
  }
}

/** Of a descriptor that stays the caller's. */
export function fileBytes(fd: number, name: string, close: () => void = () => undefined): ElfBytes {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw invalid(`${name} is no regular file`);
  const { size } = stat;
  return {
    size,
    read(offset, length) {
      checkRange(offset, length, size);
      if (length > MAX_READ) throw invalid(`a table of ${length} bytes`);
      // Outside the shared pool: what is kept of it must not keep more.
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const got = readSync(fd, bytes, done, length - done, offset + done);
        if (got === 0) throw invalid('the file has become shorter');
        done += got;
      }
      return new DataView(bytes.buffer);
    },
    close,
  };
}

/** Of a file that is in memory already. */
export function memoryBytes(file: Uint8Array): ElfBytes {
  return {
    size: file.length,
    read(offset, length) {
      checkRange(offset, length, file.length);
      return new DataView(file.buffer, file.byteOffset + offset, length);
    },
    close: () => undefined,
  };
}

export function invalid(why: string): MemWatcherError {
  return new MemWatcherError('ELF_INVALID', why);
}

/** A u64 of the file as a number. ELF_INVALID where it is beyond any file or user address. */
export function readU64(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  if (value > Number.MAX_SAFE_INTEGER) throw invalid('an offset is beyond any file');
  return value;
}

/** As `readU64`; undefined where it is beyond. */
export function tryU64(view: DataView, at: number): number | undefined {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  return value > Number.MAX_SAFE_INTEGER ? undefined : value;
}

function checkRange(offset: number, length: number, size: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > size) {
    throw invalid(`bytes ${offset} to ${offset + length} of a file of ${size}`);
  }
}
