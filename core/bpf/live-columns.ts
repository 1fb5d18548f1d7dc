/**
 * Memory that BPF programs write while we read it: mapped arrays. The one place that reads it, by one
 * rule: **a value is read by one load of its whole width, and loads keep their order.**
 *
 * `Atomics.load` is the only way in JavaScript that promises both (ECMA-262, 29.7 Tear Free Reads:
 * for 64 bits not even `BigUint64Array[i]` does, and V8 reads a `DataView` byte by byte until it
 * compiles the caller). In V8 it is one `mov` on x86-64 and one `ldar` on arm64, also of memory that
 * is no SharedArrayBuffer. It costs about 20 ns per value where two halves cost 2 (`npm run bench --
 * decode`), so what is not written meanwhile is read by `Columns`.
 *
 * Several values belong together only under the writer's own sequence: read what the writer wrote
 * last, copy, and read it again (`LiveArray.copy`; decision 0095).
 */
import { MemWatcherError } from '../errors.js';
import type { BigintColumn, Column } from './columns.js';
import type { MappedArray } from './host.js';
import type { StructLayout } from './layout.js';
import { locate, mismatch } from './member.js';

/** What of a mapped array is looked at. */
export type LiveMemory = Pick<MappedArray, 'bytes' | 'stride' | 'entries'>;

/** Words of live memory, by their offset in bytes. */
export class LiveArray {
  readonly #words: BigUint64Array;
  readonly #halves: Int32Array;

  /** LAYOUT_INVALID if its words are not aligned. */
  constructor({ bytes, stride }: LiveMemory) {
    const { buffer, byteOffset, byteLength } = bytes;
    if ((byteOffset | byteLength | stride) % 8 !== 0) {
      throw new MemWatcherError('LAYOUT_INVALID', 'live memory is not aligned to 8 bytes');
    }
    this.#words = new BigUint64Array(buffer, byteOffset, byteLength / 8);
    this.#halves = new Int32Array(buffer, byteOffset, byteLength / 4);
  }

  u64(at: number): bigint {
    return Atomics.load(this.#words, at / 8);
  }

  u32(at: number): number {
    return Atomics.load(this.#halves, at / 4) >>> 0;
  }

  /** For what programs read: they see it whole, and after all that was stored before. */
  storeU64(at: number, value: bigint): void {
    Atomics.store(this.#words, at / 8, value);
  }

  storeU32(at: number, value: number): void {
    Atomics.store(this.#halves, at / 4, value | 0);
  }

  /** A copy in which every word is whole, and none older than those before it. */
  copy(at: number, size: number): Uint8Array<ArrayBuffer> {
    const words = new BigUint64Array(Math.ceil(size / 8));
    for (let n = 0; n < words.length; n++) words[n] = Atomics.load(this.#words, at / 8 + n);
    return new Uint8Array(words.buffer, 0, size);
  }
}

/**
 * `Columns` over live memory.
 *
 *   const slots = new LiveColumns(object.layout('slot'), object.map('slots').mapped());
 *   const bytes = slots.column('bytes');
 *   for (let row = 0; row < slots.rows; row++) total += bytes.at(row);
 */
export class LiveColumns {
  readonly rows: number;

  constructor(
    readonly layout: StructLayout,
    private readonly memory: LiveMemory,
  ) {
    if (memory.stride < layout.size) {
      const message = `rows of ${memory.stride} bytes cannot hold ${layout.name} of ${layout.size}`;
      throw new MemWatcherError('LAYOUT_INVALID', message);
    }
    this.rows = memory.entries;
  }

  /** An integer; a u64 beyond 2^53 as the nearest number. */
  column(path: string): Column {
    const { type, offset } = locate(this.layout, path);
    if (type.kind !== 'int') throw mismatch(this.layout, path, 'is no integer');
    const Kind = COLUMNS[`${type.signed ? 'i' : 'u'}${type.size}`];
    return this.#aligned(new Kind(this.memory, offset), path, offset, type.size);
  }

  /** A member of 8 bytes whose values can pass 2^53. */
  bigint(path: string): BigintColumn {
    const { type, offset } = locate(this.layout, path);
    if (type.kind !== 'int' || type.size !== 8 || type.signed) {
      throw mismatch(this.layout, path, 'is no unsigned integer of 8 bytes');
    }
    return this.#aligned(new Big(this.memory, offset), path, offset, 8);
  }

  #aligned<T>(column: T, path: string, offset: number, size: number): T {
    if ((this.memory.bytes.byteOffset + offset) % size === 0 && this.memory.stride % size === 0) {
      return column;
    }
    throw mismatch(this.layout, path, 'is not aligned, and cannot be read by one load');
  }
}

type Words = BigUint64Array | BigInt64Array | Int32Array | Uint32Array | Uint16Array | Int16Array;
type Bytes = Uint8Array | Int8Array;

/** By element, not by byte: an index is `row * step + first`. */
abstract class Cells<T extends Words | Bytes> {
  protected readonly step: number;
  protected readonly first: number;

  constructor(
    protected readonly cells: T,
    { stride }: LiveMemory,
    offset: number,
  ) {
    this.step = stride / cells.BYTES_PER_ELEMENT;
    this.first = offset / cells.BYTES_PER_ELEMENT;
  }
}

type ArrayType<T> = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
};

function over<T>(Type: ArrayType<T>, { bytes }: LiveMemory): T {
  const length = Math.floor(bytes.byteLength / Type.BYTES_PER_ELEMENT);
  return new Type(bytes.buffer, bytes.byteOffset, length);
}

/** One class per width, so that a call site of one column stays monomorphic. */
class Big extends Cells<BigUint64Array> implements BigintColumn {
  constructor(memory: LiveMemory, offset: number) {
    super(over(BigUint64Array, memory), memory, offset);
  }
  at(row: number): bigint {
    return Atomics.load(this.cells, row * this.step + this.first);
  }
}

class U64 extends Cells<BigUint64Array> implements Column {
  constructor(memory: LiveMemory, offset: number) {
    super(over(BigUint64Array, memory), memory, offset);
  }
  at(row: number): number {
    return Number(Atomics.load(this.cells, row * this.step + this.first));
  }
}

class I64 extends Cells<BigInt64Array> implements Column {
  constructor(memory: LiveMemory, offset: number) {
    super(over(BigInt64Array, memory), memory, offset);
  }
  at(row: number): number {
    return Number(Atomics.load(this.cells, row * this.step + this.first));
  }
}

/** Of an array type for numbers. */
function narrow<T extends Exclude<Words | Bytes, BigUint64Array | BigInt64Array>>(
  Type: ArrayType<T>,
) {
  return class extends Cells<T> implements Column {
    constructor(memory: LiveMemory, offset: number) {
      super(over(Type, memory), memory, offset);
    }
    at(row: number): number {
      return Atomics.load(this.cells, row * this.step + this.first);
    }
  };
}

const COLUMNS = {
  u8: U64,
  i8: I64,
  u4: narrow(Uint32Array),
  i4: narrow(Int32Array),
  u2: narrow(Uint16Array),
  i2: narrow(Int16Array),
  u1: narrow(Uint8Array),
  i1: narrow(Int8Array),
} as const;
