import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Failure } from '../failure.js';
import { context, failure, gfp, KERNEL } from '../sample.js';
import { judge } from './verdict.js';

describe('a request bound to a node that is not known', () => {
  const bound = { order: 9, gfp: KERNEL | gfp('THISNODE', 'RETRY_MAYFAIL') } as const;
  const short = { id: 1, zone: 2, free: 9_000, needed: 8_700, largest: 3 };
  const judged = (values: Partial<Failure>) => judge(failure({ ...bound, ...values }), context());

  it('was refused by the one that had no room', () => {
    const verdict = judged({ otherNodes: [short] });
    assert.deepEqual([verdict.reason, verdict.node], ['below_watermark', 1]);
    assert.deepEqual([verdict.usable, verdict.mark], [9_000 - 511, 8_700]);
    assert.equal(
      verdict.sentence,
      'Below the watermark: the roomiest zone of node 1 has 35.2 MiB free, of which 33.2 MiB count for this request, ' +
        'and more than 34.0 MiB must be.',
    );
  });

  it('as the pool of huge pages of node 1 on a kernel of two nodes, asked for on node 0', () => {
    const other = { id: 1, zone: 1, free: 7_789, needed: 7_391, largest: 10 };
    const verdict = judged({ otherNodes: [other] });
    assert.deepEqual([verdict.reason, verdict.usable], ['below_watermark', 7_278]);
  });

  it('or by the one that had no block', () => {
    const verdict = judged({ otherNodes: [{ ...short, free: 90_000 }] });
    assert.equal(verdict.reason, 'fragmentation');
    assert.match(verdict.sentence, /the largest has 32\.0 KiB \(order 3\)/);
  });

  it('cannot be judged where several would do, or the node is known', () => {
    assert.equal(judged({ otherNodes: [short, { ...short, id: 2 }] }).reason, 'unknown');
    assert.equal(judged({ otherNodes: [short], nodeFrom: 'request' }).reason, 'unknown');
    assert.equal(judged({ otherNodes: [short], gfp: KERNEL }).reason, 'unknown');
  });
});
