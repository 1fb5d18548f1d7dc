import { ElfFile } from '../elf/elf-file.js';
import { MemWatcherError } from '../errors.js';

/**
 * The bytes of one section of a 64-bit little-endian ELF file (what clang makes for BPF), or
 * undefined if it has none of that name. BTF_INVALID if `file` is no such ELF file.
 */
export function elfSection(file: Uint8Array, name: string): Uint8Array | undefined {
  try {
    const view = ElfFile.of(file).sectionBytes(name);
    return view && new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  } catch (cause) {
    if (!(cause instanceof MemWatcherError) || cause.code !== 'ELF_INVALID') throw cause;
    throw new MemWatcherError('BTF_INVALID', cause.message, { cause });
  }
}
