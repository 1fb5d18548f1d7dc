import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatCount, formatElapsed } from './format.js';

test('counts are written as Intl would', () => {
  const counts = [0, 7, 999, 1000, 12_345, 1e6, 123_456_789, -4321, -100, 0.5, 1234.5678, 9.9999];
  for (const count of counts) assert.equal(formatCount(count), count.toLocaleString('en-US'));
  assert.equal(formatCount(undefined), '-');
});

test('bytes and times', () => {
  assert.deepEqual(
    [0, 1023, 1536, 2 ** 30 * 150].map((bytes) => formatBytes(bytes)),
    ['0 B', '1023 B', '1.5 KiB', '150 GiB'],
  );
  assert.equal(formatBytes(1536, true), '1536');
  assert.deepEqual([1.23, 45.6, 3400].map(formatElapsed), ['1.2 ms', '46 ms', '3.4 s']);
});
