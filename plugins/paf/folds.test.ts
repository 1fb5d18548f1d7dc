import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { writeRecord } from '../../test/fakes/record.js';
import { fakeObject, layoutOf, who } from './fake.js';
import { Folds, SPARE } from './folds.js';

const SLOT = SPARE + 1;

describe('Folds', () => {
  it('gives a slot back once, whatever is written to it afterwards', () => {
    const object = fakeObject();
    for (const map of ['folds', 'slots', 'free_slots']) object.setMaxEntries(map, SPARE + 2);
    const mapped = object.map('folds').mapped();
    const folds = new Folds(object, mapped, object.map('totals').mapped());
    let failures = 0;
    const fail = (count: number, generation = 1) => {
      const layout = layoutOf('paf_fold');
      const values = { count, generation, key: { order: 1 }, who: who() };
      writeRecord(mapped.bytes, SLOT * mapped.stride, layout, values);
      writeRecord(object.map('totals').bytes, 0, layoutOf('paf_totals'), { failures: ++failures });
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
    const next = fail(3, 2);
    folds.drop(next.key);
    folds.free(next.key);
    assert.equal(object.map('free_slots').records.length, 2);
  });
});
