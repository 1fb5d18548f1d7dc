import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GfpFlags } from '../../core/memory/gfp.js';
import { kernel } from './fake.js';
import { requestedOf, scopesOf } from './flags.js';

const gfp = GfpFlags.of(kernel);
const plain = { gfp, cpusets: false };
const cpusets = { gfp, cpusets: true };

const GFP_KERNEL = 0xcc0;
const HARDWALL_ACCOUNT = GFP_KERNEL | 0x50_0000;
const NOFS = 0x4_0000;
const NOIO = 0x8_0000;
const PIN = 0x1000_0000;
const KTHREAD = 0x20_0000;

describe('the flags that the caller passed', () => {
  it('are those in use where nothing can have changed them', () => {
    assert.equal(requestedOf(GFP_KERNEL, KTHREAD, cpusets), GFP_KERNEL);
    assert.equal(requestedOf(HARDWALL_ACCOUNT, 0, plain), HARDWALL_ACCOUNT);
    assert.deepEqual(scopesOf(GFP_KERNEL, KTHREAD, cpusets), []);
  });

  it('are unknown in a scope of the task that takes some away', () => {
    for (const flags of [NOFS, NOIO, PIN]) {
      assert.equal(requestedOf(GFP_KERNEL, flags, plain), undefined);
    }
    assert.deepEqual(scopesOf(GFP_KERNEL, NOFS | NOIO | PIN, plain), ['noio', 'nofs', 'pin']);
  });

  it('are unknown where a bit of the task means a scope on some kernels', () => {
    assert.equal(requestedOf(GFP_KERNEL, 0x80_0000, plain), undefined);
  });

  it('are unknown where a cpuset may have added __GFP_HARDWALL', () => {
    assert.equal(requestedOf(HARDWALL_ACCOUNT, 0, cpusets), undefined);
    assert.deepEqual(scopesOf(HARDWALL_ACCOUNT, 0, cpusets), ['cpuset']);
    // Only a page that a memory cgroup refused can fail at the first attempt.
    assert.equal(requestedOf(GFP_KERNEL | 0x10_0000, 0, cpusets), GFP_KERNEL | 0x10_0000);
  });
});
