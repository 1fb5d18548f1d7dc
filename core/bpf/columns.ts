import { MemWatcherError } from '../errors.js';
import type { StructLayout } from './layout.js';
import { locate, mismatch } from './member.js';
import { readText } from './record.js';

/** One integer member of many rows. */
export interface Column {
  /** The member's value in that row; a u64 beyond 2^53 as the nearest number. */
  at(row: number): number;
}

export interface BigintColumn {
  at(row: number): bigint;
}

export interface TextColumn {
  at(row: number): string;
}

/**
 * Subtracted, not added: V8 narrows a sum whose inputs were small so far to checked integers, which
 * takes 18 ns for a slot of 64 bytes where a difference of doubles takes 11.
 */
const MINUS_HIGH = -(2 ** 32);

/**
 * Many records of one struct in a row, read member by member where they lie: iterator rows, look-ups
 * and other copies. Nothing is allocated per row. Make columns once: each is kept, and bound again by
 * `bind`. Memory that a program may be writing at the time is read by `LiveColumns` instead: a value
 * of 64 bits is two reads here.
 *
 *   const rows = new Columns(object.layout('row'));
 *   const bytes = rows.column('bytes');
 *   rows.bind(link.readAll());
 *   for (let row = 0; row < rows.rows; row++) total += bytes.at(row);
 */
export class Columns {
  readonly layout: StructLayout;
  readonly #cells: Cells[] = [];
  #view: DataView = new DataView(new ArrayBuffer(0));
  #stride: number;
  #rows = 0;

  constructor(layout: StructLayout) {
    this.layout = layout;
    this.#stride = layout.size;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Reads these bytes from now on. LAYOUT_INVALID if they are no whole number of rows. */
  bind(bytes: Uint8Array, stride = this.layout.size): this {
    const { name, size } = this.layout;
    if (stride < size || bytes.length % stride !== 0) {
      const message = `${bytes.length} bytes are no rows of ${stride} for ${name} of ${size} bytes`;
      throw new MemWatcherError('LAYOUT_INVALID', message);
    }
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#stride = stride;
    for (const cells of this.#cells) cells.bind(this.#view, stride);
    this.#rows = bytes.length / stride;
    return this;
  }

  /** `path`: a member, or `zones[2].free`. LAYOUT_INVALID if there is no integer there. */
  column(path: string): Column {
    const { type, offset } = locate(this.layout, path);
    if (type.kind !== 'int') throw mismatch(this.layout, path, 'is no integer');
    const Kind = COLUMNS[`${type.signed ? 'i' : 'u'}${type.size}`];
    return this.#bound(new Kind(offset));
  }

  /** A member of 8 bytes whose values can pass 2^53. */
  bigint(path: string): BigintColumn {
    const { type, offset } = locate(this.layout, path);
    if (type.kind !== 'int' || type.size !== 8) {
      throw mismatch(this.layout, path, 'is no integer of 8 bytes');
    }
    return this.#bound(type.signed ? new SignedBig(offset) : new Big(offset));
  }

  /** A `char[]`. */
  text(path: string): TextColumn {
    const { type, offset } = locate(this.layout, path);
    if (type.kind !== 'chars') throw mismatch(this.layout, path, 'is no char[]');
    return this.#bound(new Text(offset, type.length));
  }

  #bound<T extends Cells>(cells: T): T {
    cells.bind(this.#view, this.#stride);
    this.#cells.push(cells);
    return cells;
  }
}

/**
 * Where a column reads. Each has its own copy of view and stride, one indirection less a value; and
 * there is one class a width, so that a call site of one column stays monomorphic and is inlined.
 */
abstract class Cells {
  protected view: DataView = new DataView(new ArrayBuffer(0));
  protected stride = 0;

  constructor(protected readonly offset: number) {}

  bind(view: DataView, stride: number): void {
    this.view = view;
    this.stride = stride;
  }
}

class U64 extends Cells implements Column {
  at(row: number): number {
    const { view } = this;
    const at = row * this.stride + this.offset;
    return view.getUint32(at, true) - view.getUint32(at + 4, true) * MINUS_HIGH;
  }
}

class I64 extends Cells implements Column {
  at(row: number): number {
    const { view } = this;
    const at = row * this.stride + this.offset;
    return view.getUint32(at, true) - view.getInt32(at + 4, true) * MINUS_HIGH;
  }
}

class U32 extends Cells implements Column {
  at(row: number): number {
    return this.view.getUint32(row * this.stride + this.offset, true);
  }
}

class I32 extends Cells implements Column {
  at(row: number): number {
    return this.view.getInt32(row * this.stride + this.offset, true);
  }
}

class U16 extends Cells implements Column {
  at(row: number): number {
    return this.view.getUint16(row * this.stride + this.offset, true);
  }
}

class I16 extends Cells implements Column {
  at(row: number): number {
    return this.view.getInt16(row * this.stride + this.offset, true);
  }
}

class U8 extends Cells implements Column {
  at(row: number): number {
    return this.view.getUint8(row * this.stride + this.offset);
  }
}

class I8 extends Cells implements Column {
  at(row: number): number {
    return this.view.getInt8(row * this.stride + this.offset);
  }
}

class Big extends Cells implements BigintColumn {
  at(row: number): bigint {
    return this.view.getBigUint64(row * this.stride + this.offset, true);
  }
}

class SignedBig extends Cells implements BigintColumn {
  at(row: number): bigint {
    return this.view.getBigInt64(row * this.stride + this.offset, true);
  }
}

class Text extends Cells implements TextColumn {
  readonly #length: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(offset: number, length: number) {
    super(offset);
    this.#length = length;
  }

  override bind(view: DataView, stride: number): void {
    super.bind(view, stride);
    this.#bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  }

  at(row: number): string {
    return readText(this.#bytes, row * this.stride + this.offset, this.#length);
  }
}

const COLUMNS = { u8: U64, i8: I64, u4: U32, i4: I32, u2: U16, i2: I16, u1: U8, i1: I8 } as const;
