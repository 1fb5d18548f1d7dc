import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemWatcherError } from '../errors.js';
import { Columns } from './columns.js';
import type { FieldType, StructLayout } from './layout.js';
import { recordDecoder } from './record.js';
import { sizeOf } from './struct.js';

const int = (size: 1 | 2 | 4 | 8, signed = false): FieldType => ({ kind: 'int', size, signed });

function struct(name: string, types: Readonly<Record<string, FieldType>>): StructLayout {
  let offset = 0;
  const fields = Object.entries(types).map(([field, type]) => {
    const size = sizeOf(type);
    offset += size;
    return { name: field, offset: offset - size, size, type };
  });
  return { name, size: offset, fields };
}

const zone = struct('zone', { free: int(8), node: int(4, true), pad: int(4) });
const layout = struct('event', {
  address: int(8),
  delta: int(8, true),
  flags: int(4),
  error: int(4, true),
  order: int(2),
  signed_order: int(2, true),
  kind: int(1),
  signed_kind: int(1, true),
  comm: { kind: 'chars', length: 10 },
  stack: { kind: 'array', length: 2, element: int(8) },
  zones: { kind: 'array', length: 2, element: { kind: 'struct', layout: zone } },
});

/** One event as the kernel of a little-endian machine would write it. */
const GOLDEN = Buffer.from(
  'efcdab8967452301' + // address
    'feffffffffffffff' + // delta
    'ffffffff' + // flags
    'f4ffffff' + // error
    'ffff' + // order
    'feff' + // signed_order
    'ff' + // kind
    '80' + // signed_kind
    '6261c3a9ff006a756e6b' + // comm: "ba", é, a stray byte, NUL, junk
    '0100000000000000' +
    'ffffffffffffffff' +
    '0000000001000000' + // zones[0].free
    'ffffffff' +
    '00000000' +
    '0700000000000000' +
    '02000000' +
    '00000000',
  'hex',
);

interface Event {
  readonly address: number;
  readonly delta: number;
  readonly stack: readonly number[];
  readonly comm: string;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

test('a record becomes what its bytes say', () => {
  const decoded = recordDecoder<Event>(layout).decode(view(GOLDEN), 0, GOLDEN.length);
  assert.deepEqual(decoded, {
    address: Number(0x0123456789abcdefn),
    delta: -2,
    flags: 0xffffffff,
    error: -12,
    order: 0xffff,
    signed_order: -2,
    kind: 255,
    signed_kind: -128,
    comm: 'baé\ufffd',
    stack: [1, 2 ** 64],
    zones: [
      { free: 2 ** 32, node: -1, pad: 0 },
      { free: 7, node: 2, pad: 0 },
    ],
  });
});

test('members that were asked for as bigints are exact', () => {
  const decoder = recordDecoder<Event, 'address' | 'stack'>(layout, {
    bigints: ['address', 'stack'],
  });
  const decoded = decoder.decode(view(GOLDEN), 0, GOLDEN.length);
  assert.equal(decoded.address, 0x0123456789abcdefn);
  assert.deepEqual(decoded.stack, [1n, 2n ** 64n - 1n]);
  assert.equal(decoded.delta, -2);
});

test('short, long and cut input is refused with both lengths', () => {
  const decoder = recordDecoder<Event>(layout);
  const refused = (error: unknown) =>
    error instanceof MemWatcherError &&
    error.code === 'LAYOUT_INVALID' &&
    error.message.includes(`event has ${layout.size}`);
  const twice = Buffer.concat([GOLDEN, GOLDEN]);
  assert.throws(() => decoder.decode(view(GOLDEN), 0, GOLDEN.length - 1), refused);
  assert.throws(() => decoder.decode(view(twice), 0, GOLDEN.length + 1), refused);
  assert.throws(() => decoder.decode(view(GOLDEN), 8, GOLDEN.length), refused);
  assert.throws(() => decoder.decodeAll(twice.subarray(1)), refused);
  assert.equal(decoder.decodeAll(twice).length, 2);
  assert.deepEqual(decoder.decodeAll(new Uint8Array(0)), []);
});

test('any bytes of the right length decode', () => {
  const decoder = recordDecoder<Event>(layout);
  for (let fill = 0; fill < 256; fill++) {
    const garbage = new Uint8Array(layout.size).fill(fill);
    const decoded = decoder.decode(view(garbage), 0, garbage.length);
    assert(Number.isFinite(decoded.address));
    assert(decoded.comm.length <= 10);
  }
});

test('columns read the same, row by row, with a stride', () => {
  const stride = layout.size + 3;
  const bytes = new Uint8Array(3 * stride + 1).subarray(1);
  for (let row = 0; row < 3; row++) bytes.set(GOLDEN, row * stride);
  bytes[2 * stride] = 0;
  const columns = new Columns(layout);
  const address = columns.column('address');
  const exact = columns.bigint('address');
  columns.bind(bytes, stride);
  assert.equal(columns.rows, 3);
  const expected: Record<string, number> = {
    address: Number(0x0123456789abcdefn),
    delta: -2,
    flags: 0xffffffff,
    error: -12,
    order: 0xffff,
    signed_order: -2,
    kind: 255,
    signed_kind: -128,
    'stack[1]': 2 ** 64,
    'zones[0].free': 2 ** 32,
    'zones[1].node': 2,
  };
  for (const [path, value] of Object.entries(expected)) {
    assert.equal(columns.column(path).at(1), value, path);
  }
  assert.equal(address.at(2), Number(0x0123456789abcd00n));
  assert.equal(exact.at(1), 0x0123456789abcdefn);
  assert.equal(columns.bigint('delta').at(0), -2n);
  assert.equal(columns.text('comm').at(2), 'baé\ufffd');
  assert.throws(() => address.at(3));
  assert.throws(() => address.at(-1));
});

test('columns refuse a member that is not there, and bytes that are no rows', () => {
  const columns = new Columns(layout);
  const refused = (pattern: RegExp) => (error: unknown) =>
    error instanceof MemWatcherError &&
    error.code === 'LAYOUT_INVALID' &&
    pattern.test(error.message);
  assert.throws(() => columns.column('adress'), refused(/event\.adress does not exist/));
  assert.throws(() => columns.column('comm'), refused(/no integer/));
  assert.throws(() => columns.column('stack[2]'), refused(/outside/));
  assert.throws(() => columns.column('zones[0].nothing'), refused(/does not exist/));
  assert.throws(() => columns.text('flags'), refused(/no char/));
  assert.throws(() => columns.bigint('flags'), refused(/8 bytes/));
  assert.throws(() => columns.bind(GOLDEN.subarray(1)), refused(/no rows/));
  assert.throws(() => columns.bind(GOLDEN, 8), refused(/no rows/));
});
