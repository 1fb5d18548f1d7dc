import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Failure } from '../failure.js';
import { context, failure, gfp, KERNEL, zone } from '../sample.js';
import { judge } from './verdict.js';

describe('a memory cgroup at its limit', () => {
  const ACCOUNT = KERNEL | gfp('ACCOUNT');
  const memcg: Failure['memcg'] = {
    cgroupId: 7,
    chargedId: 7,
    v1: false,
    counter: 'memory',
    usage: 2_048,
    limit: 2_048,
    depth: 0,
  };
  const reasonOf = (values: Partial<Failure>) =>
    judge(failure({ gfp: ACCOUNT, memcg, ...values }), context()).reason;

  it('explains a request that some zone would have served', () => {
    assert.equal(reasonOf({}), 'memcg_limit');
  });

  it('explains a request that is never refused for want of pages', () => {
    assert.equal(reasonOf({ zones: [zone({ free: 100 })] }), 'memcg_limit');
  });

  it('explains where the zones could not be read', () => {
    assert.equal(reasonOf({ zones: [] }), 'memcg_limit');
  });

  it('does not where the zones refuse and the request gives up: it got no page to charge', () => {
    const gfpMask = ACCOUNT | gfp('NORETRY');
    assert.equal(reasonOf({ gfp: gfpMask, zones: [zone({ free: 100 })] }), 'below_watermark');
  });

  it('does not without __GFP_ACCOUNT, with room, or without a limit', () => {
    assert.equal(reasonOf({ gfp: KERNEL }), 'unknown');
    assert.equal(reasonOf({ memcg: { ...memcg, usage: 1_900 } }), 'unknown');
    assert.equal(reasonOf({ memcg: { ...memcg, limit: undefined } }), 'unknown');
  });

  it('has no room for a block that is larger than what is left', () => {
    const at = (usage: number) => reasonOf({ order: 4, memcg: { ...memcg, usage } });
    // but for what CPUs give back of charges in advance when one fails
    assert.equal(at(2_048 - 64 - 16 + 1), 'memcg_limit');
    assert.equal(at(2_048 - 64 - 16), 'unknown');
  });
});
