/**
 * The inner loop of the scan: which words of a piece of memory may be pointers. In WebAssembly (words.wasm.c), four times
 * as fast as in JavaScript. clang's object file is a module that exports nothing: its functions are exported
 * here, and so the build needs no linker.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findInstallation } from '../../../core/install.js';
import type { Ranges } from './blocks.js';

/** What is used of it: its full types come with the browser's, which are no part of this program's. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (pages: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: Exports };
}
const { Module, Memory, Instance } = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;

type Find = (...args: readonly number[]) => number;
interface Exports {
  readonly pointers: Find;
  readonly xored: Find;
}

/** Bytes of memory that are searched at a time. */
export const CHUNK = 1 << 18;
const PAGE = 1 << 16;
/** In the order of words.wasm.c. */
const FUNCTIONS = ['pointers', 'xored'];
const HEADER = 8;
const CUSTOM = 0;
const EXPORT = 7;

let compiled: object | undefined;

function compile(): object {
  if (compiled) return compiled;
  const { root } = findInstallation(import.meta.url);
  compiled = new Module(withExports(readFileSync(join(root, 'dist/bpf/words.wasm.o'))));
  return compiled;
}

/** The first in a process reads a file: a child without files makes it before it gives them up. */
export class Words {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** Places of words, as many as the last search has found. */
  readonly found: Uint32Array;
  readonly #exports: Exports;

  constructor() {
    const memory = new Memory({
      initial: (2 * CHUNK) / PAGE,
      maximum: (2 * CHUNK) / PAGE,
    });
    this.bytes = new Uint8Array(memory.buffer, 0, CHUNK);
    this.words = new Uint32Array(memory.buffer, 0, CHUNK / 4);
    this.found = new Uint32Array(memory.buffer, CHUNK, CHUNK / 4);
    const imports = { env: { __linear_memory: memory } };
    this.#exports = new Instance(compile(), imports).exports;
  }

  /** At 4 bytes, among the words [from, end). */
  pointers(from: number, end: number, ranges: Ranges): number {
    const { low, lowSpan, high, highSpan } = ranges;
    return this.#exports.pointers(0, from, end, low, lowSpan, high, highSpan, CHUNK);
  }

  /** At 8 bytes, from an even place on: XORed with an address whose upper half is `key`. */
  xored(from: number, end: number, ranges: Ranges, key: number): number {
    const { low, lowSpan, high, highSpan } = ranges;
    return this.#exports.xored(0, from, end, low, lowSpan, high, highSpan, CHUNK, key);
  }
}

/** Puts the export section before those that must follow it; what only a linker needs goes. */
function withExports(object: Buffer): Uint8Array<ArrayBuffer> {
  const parts: Buffer[] = [object.subarray(0, HEADER)];
  const exported = exportSection();
  let isDone = false;
  for (let at = HEADER; at < object.length; ) {
    const id = object[at] as number;
    const [size, begin] = readNumber(object, at + 1);
    if (!isDone && id > EXPORT) {
      parts.push(exported);
      isDone = true;
    }
    if (id !== CUSTOM) parts.push(object.subarray(at, begin + size));
    at = begin + size;
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** Of functions 0, 1, …; all lengths are below 128, which take one byte. */
function exportSection(): Buffer {
  const entries = FUNCTIONS.map((name, index) =>
    Buffer.from([name.length, ...Buffer.from(name), 0, index]),
  );
  const body = Buffer.concat([Buffer.from([FUNCTIONS.length]), ...entries]);
  return Buffer.concat([Buffer.from([EXPORT, body.length]), body]);
}

/** LEB128; with the place behind it. */
function readNumber(bytes: Buffer, start: number): [value: number, end: number] {
  let [value, at] = [0, start];
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] as number;
    value += (byte & 0x7f) * 2 ** shift;
    if ((byte & 0x80) === 0) return [value, at];
  }
}
