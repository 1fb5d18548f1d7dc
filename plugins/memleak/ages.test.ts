import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantilesOf } from './ages.js';

const ages = (counts: Readonly<Record<number, number>>, oldest: number) => {
  const allocations = Array.from({ length: 32 }, (_, n) => counts[n] ?? 0);
  return { oldest, allocations, bytes: allocations.map((count) => count * 64) };
};

test('of ages within a power of two, half lies in its middle', () => {
  // 1024 to 2048 ms.
  const quantiles = quantilesOf(ages({ 10: 100 }, 2));
  assert.deepEqual(quantiles, { p50: 1.536, p90: 1.9456, oldest: 2 });
});

test('the youngest begin at 0', () => {
  assert.equal(quantilesOf(ages({ 0: 4 }, 0.002))?.p50, 0.001);
});

test('no quantile is older than the oldest', () => {
  const quantiles = quantilesOf(ages({ 14: 1 }, 17));
  assert.equal(quantiles?.p90, 17);
});

test('few old ones do not move the middle', () => {
  const quantiles = quantilesOf(ages({ 3: 99, 20: 1 }, 1500));
  assert.ok(quantiles && quantiles.p90 < 0.016, `${quantiles?.p90}`);
  assert.equal(quantiles?.oldest, 1500);
});

test('of nothing there are none', () => {
  assert.equal(quantilesOf(ages({}, 0)), undefined);
});
