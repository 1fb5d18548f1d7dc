import { MemWatcherError } from '../errors.js';
import type { FieldType, StructLayout } from './layout.js';
import { readText } from './record.js';
import { sizeOf } from './struct.js';

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

const HIGH = 2 ** 32;

/**
 * Many records of one struct in a row, read member by member where they lie: the hot path over map
 * slots and iterator rows. Nothing is allocated per row.
 *
 *   const slots = new Columns(object.layout('slot'));
 *   const bytes = slots.column('bytes');
 *   slots.bind(mapped.bytes, mapped.stride);
 *   for (let row = 0; row < slots.rows; row++) total += bytes.at(row);
 */
export class Columns {
  readonly layout: StructLayout;
  readonly #source: Source;
  #rows = 0;

  constructor(layout: StructLayout) {
    this.layout = layout;
    this.#source = new Source(layout.size);
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
    this.#source.bind(bytes, stride);
    this.#rows = bytes.length / stride;
    return this;
  }

  /** `path`: a member, or `zones[2].free`. LAYOUT_INVALID if there is no integer there. */
  column(path: string): Column {
    const { type, offset } = locate(this.layout, path);
    if (type.kind !== 'int') throw mismatch(this.layout, path, 'is no integer');
    const Kind = COLUMNS[`${type.signed ? 'i' : 'u'}${type.size}`];
    return new Kind(this.#source, offset);
  }

  /** A member of 8 bytes whose values can pass 2^53. */
  bigint(path: string): BigintColumn {
    const { type, offset } = locate(this.layout, path);
    if (type.kind !== 'int' || type.size !== 8) {
      throw mismatch(this.layout, path, 'is no integer of 8 bytes');
    }
    const source = this.#source;
    return type.signed
      ? { at: (row) => source.view.getBigInt64(row * source.stride + offset, true) }
      : { at: (row) => source.view.getBigUint64(row * source.stride + offset, true) };
  }

  /** A `char[]`. */
  text(path: string): TextColumn {
    const { type, offset } = locate(this.layout, path);
    if (type.kind !== 'chars') throw mismatch(this.layout, path, 'is no char[]');
    const source = this.#source;
    return { at: (row) => readText(source.bytes, row * source.stride + offset, type.length) };
  }
}

class Source {
  view: DataView = new DataView(new ArrayBuffer(0));
  bytes: Buffer = Buffer.alloc(0);

  constructor(public stride: number) {}

  bind(bytes: Uint8Array, stride: number): void {
    this.stride = stride;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

/** One class a width: a call site that reads one column stays monomorphic, and is inlined. */
abstract class IntColumn implements Column {
  constructor(
    protected readonly source: Source,
    protected readonly offset: number,
  ) {}

  abstract at(row: number): number;
}

class U64 extends IntColumn {
  at(row: number): number {
    const { view, stride } = this.source;
    const at = row * stride + this.offset;
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * HIGH;
  }
}

class I64 extends IntColumn {
  at(row: number): number {
    const { view, stride } = this.source;
    const at = row * stride + this.offset;
    return view.getUint32(at, true) + view.getInt32(at + 4, true) * HIGH;
  }
}

class U32 extends IntColumn {
  at(row: number): number {
    return this.source.view.getUint32(row * this.source.stride + this.offset, true);
  }
}

class I32 extends IntColumn {
  at(row: number): number {
    return this.source.view.getInt32(row * this.source.stride + this.offset, true);
  }
}

class U16 extends IntColumn {
  at(row: number): number {
    return this.source.view.getUint16(row * this.source.stride + this.offset, true);
  }
}

class I16 extends IntColumn {
  at(row: number): number {
    return this.source.view.getInt16(row * this.source.stride + this.offset, true);
  }
}

class U8 extends IntColumn {
  at(row: number): number {
    return this.source.view.getUint8(row * this.source.stride + this.offset);
  }
}

class I8 extends IntColumn {
  at(row: number): number {
    return this.source.view.getInt8(row * this.source.stride + this.offset);
  }
}

const COLUMNS = { u8: U64, i8: I64, u4: U32, i4: I32, u2: U16, i2: I16, u1: U8, i1: I8 } as const;

function locate(layout: StructLayout, path: string): { type: FieldType; offset: number } {
  let type: FieldType = { kind: 'struct', layout };
  let offset = 0;
  for (const [, index, name] of path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)) {
    if (index !== undefined) {
      const position = Number(index);
      if (type.kind !== 'array' || position >= type.length) {
        throw mismatch(layout, path, 'is outside of any array');
      }
      offset += position * sizeOf(type.element);
      type = type.element;
      continue;
    }
    const field: StructLayout['fields'][number] | undefined =
      type.kind === 'struct' ? type.layout.fields.find((one) => one.name === name) : undefined;
    if (!field) throw mismatch(layout, path, `does not exist`);
    offset += field.offset;
    type = field.type;
  }
  return { type, offset };
}

function mismatch(layout: StructLayout, path: string, what: string): MemWatcherError {
  return new MemWatcherError('LAYOUT_INVALID', `${layout.name}.${path} ${what}`, {
    hint: `its members are ${layout.fields.map((field) => field.name).join(', ')}`,
  });
}
