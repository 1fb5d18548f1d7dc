import { readSync } from 'node:fs';
import { ElfFile } from '../../../core/elf/elf-file.js';
import type { Image, ImageFunction } from './image.js';

/** A C name that a file keeps to itself is not what others mean by it. */
const PLAIN = /^[a-z_]+$/;
const PREFIXED = /^(je_|_rjem_|tc_|mi_)/;

/** Reads a file by its descriptor. ELF_INVALID if it is broken, or no ELF file. */
export function readImage(fd: number, wanted: RegExp): Image {
  if (is32Bit(fd)) return { bits: 32, ...NOTHING };
  const file = ElfFile.open(fd);
  try {
    const functions = new Map<string, ImageFunction>();
    for (const { names, offset, isLocal } of file.functions(wanted)) {
      for (const symbol of names) {
        if (isLocal && PLAIN.test(symbol) && !PREFIXED.test(symbol)) continue;
        functions.set(symbol, { entry: offset, offset, stepped: false });
      }
    }
    return {
      bits: 64,
      isGo: file.isGo,
      isStatic: file.isStatic,
      hasSymbols: file.sections.some(({ name: section }) => section === '.symtab'),
      functions,
    };
  } finally {
    file.close();
  }
}

const NOTHING = { isGo: false, isStatic: false, hasSymbols: false, functions: new Map() };

function is32Bit(fd: number): boolean {
  const head = Buffer.alloc(5);
  readSync(fd, head, 0, head.length, 0);
  return head.readUInt32BE(0) === 0x7f454c46 && head[4] === 1;
}
