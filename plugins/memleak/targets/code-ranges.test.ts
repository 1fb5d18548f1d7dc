import assert from 'node:assert/strict';
import { it } from 'node:test';
import { codeRanges } from './code-ranges.js';

const range = (start: number, end: number) => ({ start: BigInt(start), end: BigInt(end) });

it('few ranges stay as they are, sorted', () => {
  assert.deepEqual(codeRanges([range(50, 60), range(10, 20)], 4), [range(10, 20), range(50, 60)]);
  assert.deepEqual(codeRanges([], 4), []);
});

it('many grow together where the gap is smallest', () => {
  const scattered = [range(0, 1), range(2, 3), range(100, 101), range(103, 104), range(1000, 1001)];
  assert.deepEqual(codeRanges(scattered, 3), [range(0, 3), range(100, 104), range(1000, 1001)]);
  assert.deepEqual(codeRanges(scattered, 1), [range(0, 1001)]);
});

it('all code is in some range, whatever the number', () => {
  const scattered = Array.from({ length: 200 }, (_, n) => range(n * n * 16, n * n * 16 + 8));
  for (let max = 1; max <= 16; max++) {
    const ranges = codeRanges(scattered, max);
    assert.ok(ranges.length <= max);
    for (const { start, end } of scattered) {
      assert.ok(ranges.some((one) => one.start <= start && end <= one.end));
    }
  }
});
