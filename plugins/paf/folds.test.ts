import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CarryingWriter } from '../../test/fakes/carrying-writer.js';
import { type RecordValues, writeRecord } from '../../test/fakes/record.js';
import { fakeObject, layoutOf, who } from './fake.js';
import { Folds, SPARE } from './folds.js';

const SLOT = SPARE + 1;
const FOLD = layoutOf('paf_fold');
const TOTALS = layoutOf('paf_totals');

describe('Folds', () => {
  it('gives a slot back once, whatever is written to it afterwards', () => {
    const object = fakeObject();
    for (const map of ['folds', 'slots', 'free_slots']) object.setMaxEntries(map, SPARE + 2);
    const mapped = object.map('folds').mapped();
    const folds = new Folds(object, mapped, object.map('totals').mapped());
    let failures = 0;
    const fail = (count: number, generation = 2) => {
      const values = { count, generation, key: { order: 1 }, who: who() };
      writeRecord(mapped.bytes, SLOT * mapped.stride, FOLD, values);
      writeRecord(object.map('totals').bytes, 0, TOTALS, { failures: ++failures });
      const [change] = folds.changes();
      assert(change);
      return change;
    };
    const { key } = fail(1);
    folds.drop(key);
    folds.free(key);
    // By a program that had been held up for long.
    const late = fail(2);
    assert.equal(late.count, 1);
    folds.drop(late.key);
    folds.free(late.key);
    assert.equal(object.map('free_slots').records.length, 1);
    const next = fail(3, 4);
    folds.drop(next.key);
    folds.free(next.key);
    assert.equal(object.map('free_slots').records.length, 2);
  });

  it('reads a slot that is being given to another key once it is whole', () => {
    const object = fakeObject();
    for (const map of ['folds', 'slots', 'free_slots']) object.setMaxEntries(map, SPARE + 2);
    const mapped = object.map('folds').mapped();
    const folds = new Folds(object, mapped, object.map('totals').mapped());
    const write = (values: RecordValues) =>
      writeRecord(mapped.bytes, SLOT * mapped.stride, FOLD, values);
    writeRecord(object.map('totals').bytes, 0, TOTALS, { failures: 3 });
    // A late writer of the key before counts while the next key is half written.
    write({ count: 2, generation: 3, key: { order: 4 }, who: who({ pid: 0 }) });
    assert.deepEqual(folds.changes(), []);
    write({ count: 3, generation: 4, key: { order: 4 }, who: who({ pid: 4711 }) });
    const [change] = folds.changes();
    assert.equal(change?.count, 3);
    assert.equal(change.key.request.order, 4);
    assert.equal(change.key.who?.pid, 4711);
    assert.deepEqual(folds.changes(), []);
  });

  it('counts whole values while programs carry into the high half of its counters', async () => {
    const object = fakeObject();
    for (const map of ['folds', 'slots', 'free_slots']) object.setMaxEntries(map, SPARE + 2);
    const { stride, bytes } = object.map('folds').mapped();
    const at = (member: string) =>
      FOLD.fields.find(({ name }) => name === member)?.offset ?? assert.fail();
    const slot = SLOT * stride;
    const writer = new CarryingWriter(bytes.length, [slot + at('count'), slot + at('others')]);
    object.map('folds').bytes = writer.bytes;
    const folds = new Folds(object, object.map('folds').mapped(), object.map('totals').mapped());
    const torn = new Set<number>();
    let failures = 0;
    await CarryingWriter.watch(() => {
      writeRecord(object.map('totals').bytes, 0, TOTALS, { failures: ++failures });
      const [change] = folds.changes();
      for (const value of [change?.count ?? 0, change?.others ?? 0]) {
        if (!CarryingWriter.isWhole(value)) torn.add(value);
      }
      return change?.count ?? 0;
    });
    writer.close();
    assert.deepEqual([...torn], []);
  });
});
