import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { SwapCounters } from './swap.js';

const vmstat = (swapIn: number, swapOut: number) =>
  `nr_free_pages 5\npswpin ${swapIn}\npswpout ${swapOut}\npgfault 9\n`;

describe('pages swapped in and out', () => {
  it('are those since the plugin began', () => {
    let text = vmstat(1000, 5000);
    const swap = new SwapCounters(() => text);
    assert.deepEqual([swap.since(), swap.lacks], [{ in: 0, out: 0 }, []]);
    text = vmstat(1234, 5678);
    assert.deepEqual(swap.since(), { in: 234, out: 678 });
  });

  it('are absent, and said to be, on a kernel without swap', () => {
    const swap = new SwapCounters(() => 'nr_free_pages 5\n');
    assert.equal(swap.since(), undefined);
    assert.deepEqual(swap.lacks, ['pages swapped in and out']);
  });

  it('are not 0 where they cannot be read', () => {
    let readable = true;
    const swap = new SwapCounters(() => {
      if (!readable) throw new Error('EIO');
      return vmstat(7, 7);
    });
    readable = false;
    assert.equal(swap.since(), undefined);
    readable = true;
    assert.deepEqual(swap.since(), { in: 0, out: 0 });
  });

  it('are lacking on the running kernel only if vmstat has none', () => {
    const has = /^pswpin \d+$/m.test(readFileSync('/proc/vmstat', 'utf8'));
    assert.deepEqual(new SwapCounters().lacks, has ? [] : ['pages swapped in and out']);
  });
});
