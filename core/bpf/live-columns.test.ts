import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { CarryingWriter } from '../../test/fakes/carrying-writer.js';
import { code } from '../../test/fakes/error-code.js';
import { Columns } from './columns.js';
import type { FieldLayout, StructLayout } from './layout.js';
import { LiveArray, LiveColumns, type LiveMemory } from './live-columns.js';

const field = (name: string, offset: number, size: 1 | 2 | 4 | 8, signed = false): FieldLayout => ({
  name,
  offset,
  size,
  type: { kind: 'int', size, signed },
});
const layout: StructLayout = {
  name: 'slot',
  size: 40,
  fields: [
    field('count', 0, 8),
    field('balance', 8, 8, true),
    field('pid', 16, 4),
    field('change', 20, 4, true),
    field('kind', 24, 2),
    field('tilt', 26, 2, true),
    field('flag', 28, 1),
    field('sign', 29, 1, true),
    field('askew', 30, 8),
  ],
};
const ALIGNED = layout.fields.filter(({ name }) => name !== 'askew');

const memory = (rows: number, bytes: Uint8Array = new Uint8Array(rows * layout.size)) => ({
  bytes,
  stride: layout.size,
  entries: rows,
});

test('live columns read the same as columns, of every width and sign', () => {
  const live = memory(3);
  live.bytes.forEach((_, at) => {
    live.bytes[at] = (at * 89 + 131) % 256;
  });
  const columns = new Columns(layout).bind(live.bytes);
  const ours = new LiveColumns(layout, live);
  for (const { name } of ALIGNED) {
    for (let row = 0; row < 3; row++) {
      assert.equal(ours.column(name).at(row), columns.column(name).at(row), `${name} of ${row}`);
    }
  }
  assert.equal(ours.bigint('count').at(1), columns.bigint('count').at(1));
});

test('live memory copies, loads and stores whole words', () => {
  const live = memory(2);
  const array = new LiveArray(live);
  array.storeU64(40, 0x8123_4567_89ab_cdefn);
  array.storeU32(56, 0xffff_fff0);
  assert.equal(array.u64(40), 0x8123_4567_89ab_cdefn);
  assert.equal(array.u32(56), 0xffff_fff0);
  assert.deepEqual(array.copy(40, 20), live.bytes.slice(40, 60));
});

test('live columns refuse what one load cannot read', () => {
  const columns = new LiveColumns(layout, memory(1));
  assert.throws(() => columns.column('askew'), code('LAYOUT_INVALID', /askew is not aligned/));
  assert.throws(() => columns.bigint('pid'), code('LAYOUT_INVALID'));
  assert.throws(() => columns.column('nobody'), code('LAYOUT_INVALID', /does not exist/));
  const shifted = new Uint8Array(layout.size + 1).subarray(1);
  assert.throws(() => new LiveArray(memory(1, shifted)), code('LAYOUT_INVALID', /not aligned/));
  const narrow = { ...memory(1), stride: 32 };
  assert.throws(() => new LiveColumns(layout, narrow), code('LAYOUT_INVALID', /cannot hold/));
});

describe('while another thread carries into the high half', () => {
  /** Values that `read` gave and no counter ever had. */
  async function tornBy(read: (live: LiveMemory) => () => number): Promise<readonly number[]> {
    const writer = new CarryingWriter(layout.size, [0]);
    const next = read(memory(1, writer.bytes));
    const torn = new Set<number>();
    await CarryingWriter.watch(() => {
      const value = next();
      if (!CarryingWriter.isWhole(value)) torn.add(value);
      return value;
    });
    writer.close();
    return [...torn];
  }

  it('a column reads whole values', async () => {
    const torn = await tornBy((live) => {
      const count = new LiveColumns(layout, live).column('count');
      return () => count.at(0);
    });
    assert.deepEqual(torn, []);
  });

  it('a copy has whole values', async () => {
    const torn = await tornBy((live) => {
      const array = new LiveArray(live);
      return () => Number(new BigUint64Array(array.copy(0, 8).buffer)[0]);
    });
    assert.deepEqual(torn, []);
  });
});
