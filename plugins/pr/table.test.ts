import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Scope } from '../../core/scope.js';
import type { FakeObject } from '../../test/fakes/bpf-host.js';
import type { PrProcess } from './events.gen.js';
import { fakeObject, layoutOf, put } from './fake.js';
import { RECLAIM_TYPES } from './reclaim.js';
import { Table } from './table.js';

const FIRST = RECLAIM_TYPES.length;
const MINUTE = 60_000;

function fakeTable(entries: number) {
  const object = fakeObject();
  for (const name of ['processes', 'processes_index', 'processes_free']) {
    object.setMaxEntries(name, entries);
  }
  let now = 1000;
  Table.fill(object, 'processes');
  const table = new Table<PrProcess>(
    object,
    new Scope(),
    'processes',
    'pr_process',
    10 * MINUTE,
    () => now,
  );
  return {
    object,
    table,
    pass: (ms: number) => {
      now += ms;
    },
    now: () => now,
  };
}

/** As the kernel takes a slot and adds to it. */
function take(object: FakeObject, slot: number, pid: number, episodes: number) {
  const key = { pid, start_time: pid * 1000, type: 1 };
  put(object, 'processes', slot, { key, used: 1, figures: { episodes, ns: episodes * 10 } });
}

function offsetOfUsed(): number {
  const { size, fields } = layoutOf('pr_process');
  return FIRST * size + (fields.find(({ name }) => name === 'used')?.offset ?? Number.NaN);
}

const free = (object: FakeObject) =>
  object.map('processes_free').records.map((value) => new Uint32Array(value.buffer)[0]);
const pids = (snapshot: { entries: readonly { row: PrProcess }[] }) =>
  snapshot.entries.map(({ row }) => row.key.pid);

describe('a table of slots', () => {
  it('offers every slot but those for what finds none', () => {
    const { object } = fakeTable(10);
    assert.deepEqual(free(object), [6, 7, 8, 9]);
  });

  it('tells what is taken, since when, and what found it full', () => {
    const { object, table, pass } = fakeTable(10);
    pass(500);
    take(object, FIRST, 42, 1);
    put(object, 'processes', 1, { figures: { episodes: 3 } });
    const { entries, overflow, leaving } = table.read();
    assert.deepEqual(
      entries.map(({ slot, since, row }) => [slot, since, row.key.pid, row.figures.episodes]),
      [[FIRST, 1000, 42, 1]],
    );
    assert.deepEqual(
      [...overflow].map(([type, row]) => [type, row.figures.episodes]),
      [[1, 3]],
    );
    assert.deepEqual(leaving, []);
    assert.equal(table.fullness, 0.25);
    pass(500);
    const [again] = table.read().entries;
    assert.equal(again?.since, 1000, 'it does not begin anew');
  });

  it('gives a snapshot that stays as it was', () => {
    const { object, table } = fakeTable(10);
    take(object, FIRST, 42, 1);
    const before = table.read();
    take(object, FIRST, 42, 2);
    assert.equal(before.entries[0]?.row.figures.episodes, 1);
  });

  it('lets go what has long been idle: forgotten first, read once more, then free', () => {
    const { object, table, pass } = fakeTable(10);
    free(object).length = 0;
    object.map('processes_free').records.length = 0;
    take(object, FIRST, 42, 1);
    table.read();
    pass(10 * MINUTE);
    assert.deepEqual(pids(table.read()), [42], 'the last time that it is told');
    const [used] = new Uint32Array(object.map('processes').bytes.buffer, offsetOfUsed(), 1);
    assert.equal(used, 2, 'threads that remember the slot are told');
    // A program that had found the slot before still adds to it.
    take(object, FIRST, 42, 2);
    const { entries, leaving } = table.read();
    assert.deepEqual(entries, []);
    assert.deepEqual(
      leaving.map(({ figures }) => figures.episodes),
      [2],
    );
    assert.deepEqual(free(object), [FIRST]);
    assert.equal(table.fullness, 0);
    assert.deepEqual(table.read().leaving, []);
  });

  it('makes room when it gets crowded: those that are idle for longest go first', () => {
    const { object, table, pass } = fakeTable(FIRST + 8);
    for (let n = 0; n < 7; n++) take(object, FIRST + n, n, 1);
    table.read();
    pass(MINUTE);
    for (const busy of [1, 3]) take(object, FIRST + busy, busy, 2);
    table.read();
    pass(MINUTE);
    table.read();
    assert.deepEqual(pids(table.read()), [1, 3, 5, 6]);
  });

  it('never lets go what is busy, however crowded it is', () => {
    const { object, table, pass } = fakeTable(FIRST + 4);
    for (let round = 1; round < 4; round++) {
      for (let n = 0; n < 4; n++) take(object, FIRST + n, n, round);
      pass(MINUTE);
      assert.deepEqual(pids(table.read()), [0, 1, 2, 3]);
    }
  });
});
