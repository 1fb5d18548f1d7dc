/** What tells an ELF file apart and where its bytes belong, of a file that anybody may have written. */
import { ElfFile } from '../elf/elf-file.js';
import { PF_X, PT_LOAD } from '../elf/header.js';
import type { Segment } from './symbolizer.js';

export interface ElfIdentity {
  /** Those with code: linkers put others of a small file in the same page (lld, gold, mold). */
  readonly segments: readonly Segment[];
  /** Hex. */
  readonly buildId?: string;
}

/** Of the file open at `fd`, or of bytes. Undefined if it is no ELF file that we can read. */
export function elfIdentityOf(file: number | Uint8Array): ElfIdentity | undefined {
  try {
    const elf = typeof file === 'number' ? ElfFile.open(file) : ElfFile.of(file);
    const segments = elf.segments
      .filter(({ type, flags }) => type === PT_LOAD && (flags & PF_X) !== 0)
      .map(({ offset, address, fileSize }) => ({
        fileOffset: BigInt(offset),
        address: BigInt(address),
        size: BigInt(fileSize),
      }));
    const { buildId } = elf;
    return buildId === undefined ? { segments } : { segments, buildId };
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
