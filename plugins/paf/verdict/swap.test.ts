import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeSwap } from './swap.js';

test('free swap is in pages, none is 0, unknown is absent', () => {
  assert.equal(freeSwap(4096, 'SwapTotal:  2048 kB\nSwapFree:       1024 kB\n'), 256);
  assert.equal(freeSwap(65_536, 'SwapFree: 64 kB\n'), 1);
  assert.equal(freeSwap(4096, 'SwapFree:              0 kB\n'), 0);
  assert.equal(freeSwap(4096, 'MemTotal: 5 kB\n'), undefined);
  assert.equal(typeof freeSwap(4096), 'number');
});
