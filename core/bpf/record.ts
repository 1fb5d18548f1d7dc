import { MemWatcherError } from '../errors.js';
import type { FieldType, StructLayout } from './layout.js';
import { sizeOf } from './struct.js';

/**
 * Turns records into objects, one property a member. Derived once from the layout, for paths that
 * want all of a record; to sweep over many slots, read `Columns`.
 *
 * Integers become numbers (beyond 2^53 the nearest; ask for bigints where that matters), `char[]`
 * text up to its NUL with U+FFFD for what is no UTF-8, arrays and structs what they are.
 */
export interface RecordDecoder<T> {
  readonly layout: StructLayout;
  /** A ring's record. LAYOUT_INVALID if it has another length than the struct. */
  decode(view: DataView, offset: number, length: number): T;
  /** A row of records, as an iterator writes them. LAYOUT_INVALID if the last one is cut. */
  decodeAll(bytes: Uint8Array): T[];
}

/** `T` with the integers of the members `B` as bigints. */
export type WithBigints<T, B extends keyof T> = {
  readonly [K in keyof T]: K extends B
    ? T[K] extends readonly number[]
      ? readonly bigint[]
      : bigint
    : T[K];
};

export interface DecoderOptions<B> {
  /** Members of the struct whose integers can pass 2^53 and must be exact: addresses, hashes. */
  readonly bigints?: readonly B[];
}

/** `T` is the interface that `npm run gen` printed for the struct. */
export function recordDecoder<T, B extends keyof T & string = never>(
  layout: StructLayout,
  { bigints = [] }: DecoderOptions<B> = {},
): RecordDecoder<WithBigints<T, B>> {
  type Decoded = WithBigints<T, B>;
  const read = structReader(layout, bigints) as (source: Source, at: number) => Decoded;
  let source: Source = sourceOf(new DataView(new ArrayBuffer(0)));

  const use = (view: DataView): Source => {
    if (source.view !== view) source = sourceOf(view);
    return source;
  };
  return {
    layout,
    decode(view, offset, length) {
      if (length !== layout.size || offset < 0 || offset + length > view.byteLength) {
        throw wrongLength(layout, `a record has ${length} bytes`);
      }
      return read(use(view), offset);
    },
    decodeAll(bytes) {
      const count = bytes.length / layout.size;
      if (!Number.isInteger(count)) {
        throw wrongLength(layout, `${bytes.length} bytes hold no whole number of records`);
      }
      const from = use(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return Array.from({ length: count }, (_, index) => read(from, index * layout.size));
    },
  };
}

/** Text of a `char[]`: up to the first NUL, bytes that are no UTF-8 replaced. */
export function readText(bytes: Buffer, at: number, length: number): string {
  let end = at;
  while (end < at + length && bytes[end] !== 0) end++;
  return bytes.toString('utf8', at, end);
}

interface Source {
  readonly view: DataView;
  readonly bytes: Buffer;
}

type Reader = (source: Source, at: number) => unknown;

const HIGH = 2 ** 32;

function sourceOf(view: DataView): Source {
  return { view, bytes: Buffer.from(view.buffer, view.byteOffset, view.byteLength) };
}

function structReader(layout: StructLayout, bigints: readonly string[]): Reader {
  const fields = layout.fields.map(({ name, offset, type }) => ({
    name,
    offset,
    read: readerOf(type, bigints.includes(name)),
  }));
  return (source, at) => {
    const record: Record<string, unknown> = {};
    for (const { name, offset, read } of fields) record[name] = read(source, at + offset);
    return record;
  };
}

function readerOf(type: FieldType, exact: boolean): Reader {
  switch (type.kind) {
    case 'int':
      return intReader(type.size, type.signed, exact);
    case 'chars':
      return ({ bytes }, at) => readText(bytes, at, type.length);
    case 'array': {
      const read = readerOf(type.element, exact);
      const stride = sizeOf(type.element);
      return (source, at) =>
        Array.from({ length: type.length }, (_, index) => read(source, at + index * stride));
    }
    case 'struct':
      return structReader(type.layout, []);
  }
}

function intReader(size: number, signed: boolean, exact: boolean): Reader {
  switch (size) {
    case 1:
      return signed ? ({ view }, at) => view.getInt8(at) : ({ view }, at) => view.getUint8(at);
    case 2:
      return signed
        ? ({ view }, at) => view.getInt16(at, true)
        : ({ view }, at) => view.getUint16(at, true);
    case 4:
      return signed
        ? ({ view }, at) => view.getInt32(at, true)
        : ({ view }, at) => view.getUint32(at, true);
    default:
      if (exact) {
        return signed
          ? ({ view }, at) => view.getBigInt64(at, true)
          : ({ view }, at) => view.getBigUint64(at, true);
      }
      return signed
        ? ({ view }, at) => view.getUint32(at, true) + view.getInt32(at + 4, true) * HIGH
        : ({ view }, at) => view.getUint32(at, true) + view.getUint32(at + 4, true) * HIGH;
  }
}

function wrongLength(layout: StructLayout, what: string): MemWatcherError {
  return new MemWatcherError(
    'LAYOUT_INVALID',
    `${what}, where a ${layout.name} has ${layout.size}`,
  );
}
