import { MemWatcherError } from '../errors.js';

/**
 * The bytes of one section of a 64-bit little-endian ELF file (what clang makes for BPF), or
 * undefined if it has none of that name. BTF_INVALID if `file` is no such ELF file.
 */
export function elfSection(file: Uint8Array, name: string): Uint8Array | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) {
    throw new MemWatcherError('BTF_INVALID', 'not a 64-bit little-endian ELF file');
  }
  try {
    const table = Number(view.getBigUint64(40, true));
    const entrySize = view.getUint16(58, true);
    const count = view.getUint16(60, true);
    const header = (index: number) => {
      const at = table + index * entrySize;
      const offset = Number(view.getBigUint64(at + 24, true));
      const size = Number(view.getBigUint64(at + 32, true));
      return { name: view.getUint32(at, true), type: view.getUint32(at + 4, true), offset, size };
    };
    const names = header(view.getUint16(62, true));
    const wanted = Buffer.from(`${name}\0`);
    for (let index = 1; index < count; index++) {
      const section = header(index);
      const at = names.offset + section.name;
      if (!wanted.equals(file.subarray(at, at + wanted.length))) continue;
      const end = section.offset + section.size;
      if (section.type === 8 || end > file.length) throw new RangeError(`section ${name}`);
      return file.subarray(section.offset, end);
    }
    return undefined;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new MemWatcherError('BTF_INVALID', 'the ELF file is cut short', { cause });
  }
}
