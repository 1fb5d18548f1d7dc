import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Failure } from '../failure.js';
import { ATOMIC, blocks, context, failure, gfp, KERNEL, zone } from '../sample.js';
import { judge } from './verdict.js';

describe('the sentence', () => {
  const say = (values: Partial<Failure>, more?: Parameters<typeof context>[0]) =>
    judge(failure(values), context(more)).sentence;

  it('has the figures of a watermark, and what became of reclaim', () => {
    assert.equal(
      say({ gfp: ATOMIC, zones: [zone({ free: 3_000, freeCma: 40 })] }),
      'Below the watermark: zone Normal of node 0 has 11.7 MiB free, of which 11.6 MiB count for this ' +
        'request, and more than 12.0 MiB must be. This request may not wait for reclaim: it depends on ' +
        'what kswapd keeps free.',
    );
  });

  it('is exact where the two would read the same, as of a huge page on 5.10', () => {
    const zones = [
      zone({ name: 'DMA32', free: 11_668, watermark: { min: 11_166, low: 13_957, high: 16_748 } }),
    ];
    assert.match(
      say({ order: 9, zones }),
      /has 45\.6 MiB free, of which 44,628 KiB count for this request, and more than 44,664 KiB must be/,
    );
  });

  it('has the largest block', () => {
    assert.match(
      say({ order: 9, zones: [zone({ blocks: blocks({ 0: [1], 3: [1] }) })] }),
      /no block of 2\.0 MiB \(order 9\) that this request may take; the largest has 32\.0 KiB \(order 3\)/,
    );
  });

  it('names the cgroup whose limit it is, and the one that is charged', () => {
    const charge = { v1: false, counter: 'memsw', usage: 2_048, limit: 2_048, depth: 1 } as const;
    assert.equal(
      say(
        { gfp: KERNEL | gfp('ACCOUNT'), memcg: { cgroupId: 7, chargedId: 9, ...charge } },
        { cgroupName: (id) => (id === 7 ? '/a' : undefined) },
      ),
      'Cgroup /a is at its limit: 8.0 MiB of 8.0 MiB used (memory and swap), no room for 4.0 KiB ' +
        'more. The request is charged to cgroup with id 9 below it.',
    );
  });

  it('says that the request was bound to its node where another had room', () => {
    const otherNodes = [{ id: 1, zone: 2, free: 90_000, needed: 8_192, largest: 10 }];
    assert.match(say({ zones: [zone({ free: 100 })], otherNodes }), /Node 1 had room: .* bound to/);
    const short = [{ id: 1, zone: 2, free: 90, needed: 8_192, largest: 1 }];
    assert.match(say({ otherNodes: short }), /Node 1 was short of memory/);
  });
});
