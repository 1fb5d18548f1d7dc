import { statSync } from 'node:fs';
import type { BpfObject, MappedArray } from '../../../core/bpf/host.js';
import { type UnwindRow, UnwindTable } from '../../../core/elf/eh-frame.js';
import { ElfFile } from '../../../core/elf/elf-file.js';
import type { Scope } from '../../../core/scope.js';
import { fileIdOf } from '../../../core/symbolize/file-id.js';
import { ModuleFiles } from '../../../core/symbolize/module-files.js';
import type { MappedModule } from '../../../core/symbolize/symbolizer.js';
import type { CodeRange } from './user-watch.js';

/** enum ml_rule. */
const UNKNOWN = 0;
const FROM_SP = 1;
const FROM_POINTER = 2;
const OUTERMOST = 3;
/** The kernel's side counts in words of 8 bytes. */
const WORD = 8;
const MAX_DISTANCE = 0xffff;
const MAX_SAVED = -128;
const MAX_ADDRESS = 2 ** 32;
/** Rows between two steps of `prepare`. */
const STEP = 2048;
/** Files that are looked at a time; they are closed once their rows are known. */
const OPEN_FILES = 4;
/** Files that are remembered; of more, those that nobody uses or that have no rows are looked at anew. */
const MAX_FILES = 1024;

/** Where a file's rows are, and how far its addresses are from the process's. */
export interface Unwinding {
  readonly first: number;
  readonly rows: number;
  readonly bias: bigint;
}

interface Kept {
  readonly first: number;
  readonly rows: number;
  /** Numbers of targets. */
  readonly users: Set<number>;
}

/** How frames are undone without frame pointers: rows of files, in memory shared with the programs. */
export class UnwindRows {
  readonly #memory: MappedArray;
  readonly #words: Uint32Array;
  readonly #files = new ModuleFiles({ limit: OPEN_FILES });
  /** By file; undefined of one that has none, or too many. */
  readonly #kept = new Map<string, Kept | undefined>();

  constructor(object: BpfObject, scope: Scope) {
    scope.use(this.#files);
    this.#memory = scope.use(object.map('unwind').mapped());
    const { buffer, byteOffset, byteLength } = this.#memory.bytes;
    this.#words = new Uint32Array(buffer, byteOffset, byteLength >>> 2);
  }

  get capacity(): number {
    return this.#words.length >>> 1;
  }

  /** Reads what is not yet known, in steps of some milliseconds. */
  *prepare(pid: number, code: readonly CodeRange[]): Generator<undefined, void> {
    for (const module of code) {
      if (!isModule(module) || this.#kept.has(keyOf(module))) continue;
      const rows: number[] = [];
      yield* readRows(this.#files, pid, module, rows, this.capacity);
      this.#keep(keyOf(module), rows);
    }
  }

  /** Whether there are rows of the file. */
  knows(path: string): boolean {
    try {
      const { version } = fileIdOf(statSync(path, { bigint: true }));
      return this.#kept.get(version) !== undefined;
    } catch {
      return false;
    }
  }

  /** For the target of that number, which holds on to them. */
  of(range: CodeRange, target: number): Unwinding | undefined {
    if (!isModule(range)) return undefined;
    const kept = this.#kept.get(keyOf(range));
    const bias = biasOf(range);
    if (kept === undefined || bias === undefined) return undefined;
    kept.users.add(target);
    return { first: kept.first, rows: kept.rows, bias };
  }

  release(target: number): void {
    for (const kept of this.#kept.values()) kept?.users.delete(target);
  }

  #keep(key: string, rows: readonly number[]): void {
    if (this.#kept.size >= MAX_FILES) this.#forgetUnused();
    const count = rows.length / 2;
    const first = count > 0 && count <= this.capacity ? this.#room(count) : undefined;
    if (first === undefined) {
      this.#kept.set(key, undefined);
      return;
    }
    this.#words.set(rows, first * 2);
    this.#kept.set(key, { first, rows: count, users: new Set() });
  }

  /** Of files that nobody uses any more, where there is no other. */
  #room(count: number): number | undefined {
    const gap = this.#gap(count);
    if (gap !== undefined) return gap;
    this.#forgetUnused();
    return this.#gap(count);
  }

  /** What found no room before may find it now. */
  #forgetUnused(): void {
    for (const [key, kept] of this.#kept) {
      if (kept === undefined || kept.users.size === 0) this.#kept.delete(key);
    }
  }

  #gap(count: number): number | undefined {
    let at = 0;
    const taken = [...this.#kept.values()].filter((kept) => kept !== undefined);
    for (const { first, rows } of taken.sort((a, b) => a.first - b.first)) {
      if (first - at >= count) return at;
      at = first + rows;
    }
    return this.capacity - at >= count ? at : undefined;
  }
}

type Module = Pick<MappedModule, 'start' | 'end' | 'fileOffset' | 'segments'> & MappedModule;

function isModule(range: CodeRange): range is Module {
  const { inode, segments, fileOffset } = range as Partial<MappedModule>;
  return inode !== undefined && segments !== undefined && fileOffset !== undefined;
}

/** A file that could not be opened has no rows, now or later. */
const keyOf = ({ file, device, inode }: Module): string => file ?? `${device} ${inode}`;

/**
 * How far the process's addresses are from the file's. Linkers let two segments share a page of the
 * file (lld does): the mapping that begins with it is the later one's.
 */
export function biasOf({
  start,
  fileOffset,
  segments = [],
}: Pick<Module, 'start' | 'fileOffset' | 'segments'>): bigint | undefined {
  let last: { readonly page: bigint; readonly bias: bigint } | undefined;
  for (const { fileOffset: offset, address, size } of segments) {
    // A mapping begins with the page that the segment begins in.
    const page = offset - (offset & 0xfffn);
    if (fileOffset < page || fileOffset >= offset + size) continue;
    if (last !== undefined && last.page > page) continue;
    last = { page, bias: start - (address + (fileOffset - offset)) };
  }
  return last?.bias;
}

/** Two words a row, as memleak.h has it. Nothing of a file that is broken, or has more than `limit`. */
function* readRows(
  files: ModuleFiles,
  pid: number,
  module: Module,
  into: number[],
  limit: number,
): Generator<undefined, void> {
  const file = files.open(pid, module);
  if (file === undefined) return;
  try {
    const table = UnwindTable.of(ElfFile.open(file.fd));
    if (table === undefined || table.functions > limit) return;
    const packer = new Packer(into);
    let n = 0;
    for (const row of table.rows()) {
      packer.add(row);
      if (into.length > 2 * limit) break;
      if (++n % STEP === 0) yield undefined;
    }
    packer.end();
    if (into.length > 2 * limit) into.length = 0;
  } catch {
    into.length = 0;
  }
}

/** Rows in ascending order, what lies between them unknown, and what is alike once. */
class Packer {
  #end = 0;
  #last = -1;

  constructor(private readonly into: number[]) {}

  add(row: UnwindRow): void {
    if (row.start < this.#end || row.end > MAX_ADDRESS) return;
    if (row.start > this.#end) this.#put(this.#end, UNKNOWN);
    this.#put(row.start, ruleOf(row));
    this.#end = row.end;
  }

  end(): void {
    if (this.into.length > 0) this.#put(this.#end, UNKNOWN);
  }

  #put(start: number, rule: number): void {
    if (rule === this.#last) return;
    this.#last = rule;
    this.into.push(start, rule);
  }
}

/** The high word of a row. */
function ruleOf(row: UnwindRow): number {
  if (row.kind === 'outermost') return OUTERMOST * 2 ** 24;
  if (row.kind === 'inexpressible') return UNKNOWN;
  const distance = row.offset / WORD;
  const saved = row.rbp === undefined ? 0 : row.rbp / WORD;
  const fits =
    Number.isInteger(distance) &&
    distance >= 0 &&
    distance <= MAX_DISTANCE &&
    Number.isInteger(saved) &&
    saved <= 0 &&
    saved >= MAX_SAVED &&
    (row.rbp === undefined || saved < 0);
  if (!fits) return UNKNOWN;
  const rule = row.cfa === 'rsp' ? FROM_SP : FROM_POINTER;
  return (rule * 2 ** 24 + (saved & 0xff) * 2 ** 16 + distance) >>> 0;
}
