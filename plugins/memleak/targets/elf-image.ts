import { readSync } from 'node:fs';
import { ElfFile } from '../../../core/elf/elf-file.js';
import { type ProbeOptions, probeSite } from '../../../core/elf/probe-site.js';
import type { Shape } from '../user/user-watch.js';
import { usualShape } from './allocators.js';
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
    for (const fn of file.functions(wanted)) {
      const names = fn.names.filter(
        (symbol) => !(fn.isLocal && PLAIN.test(symbol) && !PREFIXED.test(symbol)),
      );
      if (names.length === 0) continue;
      const { entry, offset, emulated } = probeSite(file, fn, optionsOf(names));
      const place = { entry, offset, emulated };
      for (const symbol of names) functions.set(symbol, place);
    }
    const isProgram = file.isStatic || file.interpreter !== undefined;
    return {
      bits: 64,
      // Of libraries nobody asks, and the answer costs another pass over all symbols.
      isGo: isProgram && file.isGo,
      isStatic: file.isStatic,
      hasSymbols: file.sections.some(({ name: section }) => section === '.symtab'),
      functions,
    };
  } finally {
    file.close();
  }
}

/** Arguments that the probe reads; of what is not known, all that are in registers. */
const ARGUMENTS: Readonly<Partial<Record<Shape, number>>> = {
  malloc: 1,
  calloc: 2,
  realloc: 2,
  reallocarray: 3,
  aligned_alloc: 2,
  posix_memalign: 3,
  free: 1,
};

function optionsOf(names: readonly string[]): ProbeOptions {
  const [shape, ...others] = new Set(names.map(usualShape));
  if (shape === undefined || others.length > 0) return {};
  const count = ARGUMENTS[shape];
  return { ...(count !== undefined && { arguments: count }), skipNull: shape === 'free' };
}

const NOTHING = { isGo: false, isStatic: false, hasSymbols: false, functions: new Map() };

function is32Bit(fd: number): boolean {
  const head = Buffer.alloc(5);
  readSync(fd, head, 0, head.length, 0);
  return head.readUInt32BE(0) === 0x7f454c46 && head[4] === 1;
}
