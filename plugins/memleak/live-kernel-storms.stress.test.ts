/** More than the tables of the kernel's allocations hold: counted, shown, and no verdict. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { explain } from '../../core/kernel/loader.js';
import { runAlone } from '../../test/fakes/alone.js';
import { KernelObjects } from '../../test/fakes/kernel-objects.js';
import { LivePlugin } from '../../test/fakes/live-plugin.js';
import { memleak } from './index.js';
import { kernel, LiveKernel, profile } from './live-kernel-truth.js';
import type { LeakSnapshot } from './model.js';

const works = explain(kernel, profile).verdicts.some(({ outcome }) => outcome !== 'rejected');
const skip =
  KernelObjects.missing() ?? (works ? false : 'no strategy of memleak-kernel works here');
const FILES = 3600;
const MAX_LIVE = 1024;
/** What a table may hold besides: some wait on each CPU. */
const SLACK = 256;
const MAX_STACKS = 64;

describe('a storm in the kernel', { skip, timeout: 600_000 }, () => {
  runAlone();

  let objects: KernelObjects;
  before(async () => {
    objects = await KernelObjects.start();
  });
  after(() => objects.stop());
  afterEach(() => objects.drop());

  it('that fills the table of allocations is counted and said, and nothing is judged', async () => {
    const config = {
      kernel: { enabled: true, caches: ['filp'], max_live: MAX_LIVE, limit: 0 },
      state_dir: '-',
      top: 1000,
    };
    await LivePlugin.with<LeakSnapshot>(memleak, { config }, async (live) => {
      await live.collect();
      await objects.make('signalfd', FILES);
      const { snapshot, target } = await live.until((snapshot) => {
        const target = snapshot.targets.find(({ source }) => source.kind === 'kernel');
        return target && target.coverage.missedAllocations > 0 && { snapshot, target };
      });
      const { recorded, missedAllocations } = target.coverage;
      assert.ok(target.allocations <= MAX_LIVE + SLACK, `${target.allocations} are kept`);
      assert.ok(missedAllocations >= FILES - MAX_LIVE - SLACK, `${missedAllocations} are missed`);
      assert.ok(recorded + missedAllocations >= FILES);
      const [largest] = snapshot.stacks;
      assert.ok(largest);
      assert.match(largest.judgement.reason, /^no verdict: \d+ % coverage/);
      assert.equal(largest.judgement.state, 'watching');
      await live.until(() => /raise kernel\.max_live/.test(live.health.current.reason ?? ''));
      assert.equal(live.health.current.state, 'degraded');
      const missed = (await live.points()).get('memwatcher.allocation.missed');
      const told = missed?.scalars.filter(({ attributes }) =>
        Object.values(attributes).includes('kernel'),
      );
      assert.ok(told?.some(({ value }) => value >= FILES - MAX_LIVE - SLACK));
    });
  });

  it('of more stacks than there is room for is counted as missed', async () => {
    const live = new LiveKernel({
      always: ['pages'],
      caches: ['*'],
      max_followed: 256,
      max_stacks: MAX_STACKS,
      limit: 0,
    });
    try {
      // A process that starts passes hundreds of places that allocate.
      let { counts, coverage, readings } = live.watch.read({ ages: false });
      for (let n = 0; n < 20 && counts.stacks_full === 0; n++) {
        const other = await KernelObjects.start();
        await other.make('pipe', 100);
        await other.make('fill', 100);
        await other.make('epoll', 100);
        await other.stop();
        ({ counts, coverage, readings } = live.watch.read({ ages: false }));
      }
      assert.ok(counts.stacks_full > 0);
      assert.ok(coverage.missedAllocations >= counts.stacks_full);
      assert.ok(readings.length <= MAX_STACKS, `${readings.length} stacks`);
    } finally {
      await live.close();
    }
  });
});
