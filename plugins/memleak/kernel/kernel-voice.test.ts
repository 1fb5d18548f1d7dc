/** What the status says of the kernel's part. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../core/logger.js';
import { COUNTS, type KernelCounts } from './counts.js';
import { KernelVoice } from './kernel-voice.js';

const NONE = Object.fromEntries(COUNTS.map((name) => [name, 0])) as KernelCounts;

function heard() {
  const conditions = new Map<string, string>();
  const watch = {
    counts: (): KernelCounts => NONE,
    weigh: () => undefined,
    tooCostly: '' as string | undefined,
    unreadable: '' as string | undefined,
  };
  watch.tooCostly = undefined;
  watch.unreadable = undefined;
  const health = {
    degraded: (id: string, reason: string) => void conditions.set(id, reason),
    clear: (id: string) => void conditions.delete(id),
  };
  return { conditions, watch, voice: new KernelVoice(watch, health, silentLogger) };
}

describe('the status of the kernel’s part', () => {
  it('says which table is full, for a while', () => {
    const { conditions, watch, voice } = heard();
    voice.look();
    assert.equal(conditions.size, 0);
    watch.counts = () => ({ ...NONE, live_full: 7 });
    voice.look();
    assert.match(conditions.get('kernel_tables') ?? '', /raise kernel\.max_live$/);
    watch.counts = () => ({ ...NONE, live_full: 7, stacks_full: 1 });
    voice.look();
    assert.match(conditions.get('kernel_tables') ?? '', /max_live; .*max_stacks$/);
    for (let look = 0; look < 60; look++) voice.look();
    assert.equal(conditions.size, 0);
  });

  it('says which file cannot be read, until it can', () => {
    const { conditions, watch, voice } = heard();
    watch.unreadable = '/proc/slabinfo: EACCES: permission denied';
    voice.look();
    assert.match(conditions.get('kernel_accounting') ?? '', /cannot read \/proc\/slabinfo: EACCES/);
    watch.unreadable = undefined;
    voice.look();
    assert.equal(conditions.size, 0);
  });

  it('says what is left for its cost, and that it is followed again', () => {
    const { conditions, watch, voice } = heard();
    watch.tooCostly = 'slab costs too much';
    voice.look();
    assert.equal(conditions.get('kernel_budget'), 'slab costs too much');
    watch.tooCostly = undefined;
    voice.look();
    assert.equal(conditions.size, 0);
  });

  it('says what went wrong, until it goes well', () => {
    const { conditions, watch, voice } = heard();
    watch.counts = () => {
      throw new Error('no such map');
    };
    voice.look();
    assert.match(conditions.get('kernel_look') ?? '', /no such map/);
    watch.counts = () => NONE;
    voice.look();
    assert.equal(conditions.size, 0);
  });
});
