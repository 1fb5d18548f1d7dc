import { readSync } from 'node:fs';
import { ElfFile } from '../../../core/elf/elf-file.js';
import { type ProbeOptions, probeSite } from '../../../core/elf/probe-site.js';
import type { Shape } from '../user/user-watch.js';
import { INTERPRETER, isSanitizer, usualShape } from './allocators.js';
import type { FileRange, Image, ImageFunction } from './image.js';

/**
 * A C name that a file keeps to itself is not what others mean by it; but what is linked statically keeps
 * all of libc's to itself (-static-pie), and then there is no other of that name.
 */
const PLAIN = /^[a-z_]+$/;
const PREFIXED = /^(je_|_rjem_|tc_|mi_)/;

/** Reads a file by its descriptor. ELF_INVALID if it is broken, or no ELF file. */
export function readImage(fd: number, wanted: RegExp): Image {
  if (is32Bit(fd)) return { bits: 32, ...NOTHING };
  const file = ElfFile.open(fd);
  try {
    const functions = new Map<string, ImageFunction>();
    const { isStatic } = file;
    const found = file.functions(wanted);
    const shared = new Set(found.filter(({ isLocal }) => !isLocal).flatMap(({ names }) => names));
    const interpreter: FileRange[] = [];
    for (const fn of found) {
      if (fn.names.some((name) => INTERPRETER.test(name))) {
        addRange(interpreter, { start: fn.offset, end: fn.offset + fn.size });
        continue;
      }
      const isHidden = (symbol: string) => isStatic && !shared.has(symbol);
      const names = fn.names.filter(
        (symbol) => !fn.isLocal || !PLAIN.test(symbol) || PREFIXED.test(symbol) || isHidden(symbol),
      );
      if (names.length === 0) continue;
      const { entry, offset, emulated } = probeSite(file, fn, optionsOf(names));
      const place = { entry, offset, emulated, size: fn.size };
      for (const symbol of names) functions.set(symbol, place);
    }
    const isProgram = isStatic || file.interpreter !== undefined;
    return {
      bits: 64,
      isSanitizer: isSanitizer((symbol) => functions.has(symbol)),
      // Of libraries nobody asks, and the answer costs another pass over all symbols.
      isGo: isProgram && file.isGo,
      isStatic,
      hasSymbols: file.sections.some(({ name: section }) => section === '.symtab'),
      functions,
      interpreter,
    };
  } finally {
    file.close();
  }
}

/** They come in ascending order; what lies close together is one. */
function addRange(ranges: FileRange[], { start, end }: FileRange): void {
  const last = ranges.at(-1);
  if (last && start - last.end < GAP) ranges[ranges.length - 1] = { start: last.start, end };
  else ranges.push({ start, end });
}

/** Bytes between two functions: padding. */
const GAP = 128;

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

const NOTHING = {
  isGo: false,
  isSanitizer: false,
  isStatic: false,
  hasSymbols: false,
  interpreter: [],
  functions: new Map(),
};

function is32Bit(fd: number): boolean {
  const head = Buffer.alloc(5);
  readSync(fd, head, 0, head.length, 0);
  return head.readUInt32BE(0) === 0x7f454c46 && head[4] === 1;
}
