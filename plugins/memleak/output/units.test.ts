import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatAge,
  formatAllocations,
  formatEstimate,
  formatGrowth,
  formatMany,
  formatShare,
} from './units.js';

test('ages', () => {
  const said = [0, 3.06, 42.9, 119, 120, 7199, 7200, 172_799, 172_800].map(formatAge);
  const meant = ['0.0 s', '3.1 s', '42 s', '119 s', '2 min', '119 min', '2 h', '47 h', '2 d'];
  assert.deepEqual(said, meant);
  assert.equal(formatAge(undefined), '-');
});

test('growth has its sign, an estimate its error, a share is whole only if it is', () => {
  assert.deepEqual(
    [2048, 0, -2048, undefined].map((growth) => formatGrowth(growth)),
    ['+2.0 KiB', '0 B', '-2.0 KiB', '-'],
  );
  assert.equal(formatEstimate(4096.4, 0), '4.0 KiB');
  assert.equal(formatEstimate(4096.4, 100, true), '4096 ±100');
  assert.deepEqual([1, 0.9999, 0.5, 0, undefined].map(formatShare), [
    '100 %',
    '99 %',
    '50 %',
    '0 %',
    '-',
  ]);
  assert.deepEqual([1, 9999, 45_000, 1_234_567].map(formatMany), ['1', '9999', '45 k', '1.2 M']);
  assert.deepEqual([1.2, 12_345].map(formatAllocations), ['1 allocation', '12,345 allocations']);
});
