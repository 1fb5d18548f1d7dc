import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentKeys } from './key-filter.js';

test('knows recent keys, and takes few others for them, however many there were', () => {
  const keys = new RecentKeys();
  for (let n = 0; n < 2_000_000; n++) keys.add(`key ${n}`);
  for (let n = 1_900_000; n < 2_000_000; n++) assert.ok(keys.mayHave(`key ${n}`), `${n}`);
  const others = Array.from({ length: 10_000 }, (_, n) => keys.mayHave(`other ${n}`));
  const mistaken = others.filter(Boolean).length;
  assert.ok(mistaken < 1000, `${mistaken} of 10,000`);
});
