import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Retries } from './retries.js';

const refused = { key: '1@1', state: 'refused', isPassing: true } as const;
const dueOf = (retries: Retries, seconds: number) =>
  Array.from({ length: seconds }, (_, n) => n).filter((now) => retries.isDue(refused, now));

test('each wait is twice as long as the one before, up to the last', () => {
  assert.deepEqual(dueOf(new Retries(), 1600), [5, 15, 35, 75, 155, 315, 635, 955, 1275, 1595]);
});

test('who is followed, refused for good, or gone begins anew', () => {
  for (const over of [{ state: 'followed' }, { isPassing: false }] as const) {
    const retries = new Retries();
    dueOf(retries, 20);
    assert.equal(retries.isDue({ ...refused, ...over }, 20), false);
    assert.deepEqual(dueOf(retries, 10), [5]);
  }
  const retries = new Retries();
  dueOf(retries, 20);
  retries.forget(refused.key);
  assert.deepEqual(dueOf(retries, 10), [5]);
});
