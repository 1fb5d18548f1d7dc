/**
 * Every plugin once on a kernel of the matrix: it loads, attaches, and is right about one fact that
 * is known without it. What `npm test` runs on the oldest and the newest kernel.
 */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { pageSize } from '../../../core/identity/host.js';
import type { PluginModule } from '../../../core/plugin.js';
import { memleak } from '../../../plugins/memleak/index.js';
import { LiveKernel } from '../../../plugins/memleak/live-kernel-truth.js';
import { attached, bySite, targetOf, withoutBudget } from '../../../plugins/memleak/live-truth.js';
import type { LeakSnapshot } from '../../../plugins/memleak/model.js';
import { paf } from '../../../plugins/paf/index.js';
import { sumOf, told } from '../../../plugins/paf/live-truth.js';
import type { PafRecords } from '../../../plugins/paf/records.js';
import { pr } from '../../../plugins/pr/index.js';
import { fail } from '../../../plugins/pr/live-workloads.js';
import type { ReclaimSnapshot } from '../../../plugins/pr/reclaim.js';
import { LivePlugin as LiveProcstat } from '../../../plugins/procstat/live-plugin.js';
import { resident } from '../../../plugins/procstat/truth.js';
import { sysstat } from '../../../plugins/sysstat/index.js';
import type { SysstatRecords } from '../../../plugins/sysstat/memory.js';
import { Allocator } from '../../fakes/allocator.js';
import { KernelObjects } from '../../fakes/kernel-objects.js';
import { type LiveOptions, LivePlugin } from '../../fakes/live-plugin.js';
import { MemoryCgroup } from '../../fakes/memory-cgroup.js';
import { MemoryHog } from '../../fakes/memory-hog.js';
import { failuresOf, pressureMissing } from '../../fakes/pressure.js';

const PAGES = 3000;
const ROUNDS = 2000;
const FILES = 200;

const started = async <Records>(t: TestContext, module: PluginModule, options?: LiveOptions) => {
  const live = await LivePlugin.start<Records>(module, options);
  t.after(() => live.close());
  return live;
};

describe('every plugin on this kernel', { timeout: 300_000 }, () => {
  it('sysstat: the managed memory of the host is that of /proc/zoneinfo', async (t) => {
    const live = await started<SysstatRecords>(t, sysstat);
    const zones = readFileSync('/proc/zoneinfo', 'utf8').matchAll(/^ +managed +(\d+)$/gm);
    const pages = [...zones].reduce((sum, [, managed]) => sum + Number(managed), 0);
    assert.ok(pages > 0);
    assert.equal((await live.collect()).managed, pages * pageSize());
  });

  it('procstat: the anonymous memory of a process is exact to the page', async (t) => {
    const live = new LiveProcstat();
    t.after(() => live.close());
    const hog = await MemoryHog.start({ threads: 3, anon: PAGES });
    t.after(() => hog.stop());
    const { anon } = live.process(hog.pid);
    assert.equal(anon, resident(hog.pid).anon);
    assert.ok(anon >= PAGES * pageSize());
  });

  const lack = pressureMissing() ?? MemoryCgroup.missing() ?? false;

  it('paf: each allocation that a cgroup at its limit refuses is an event', {
    skip: lack,
  }, async (t) => {
    const live = await started<PafRecords>(t, paf, { config: { window: '100ms' } });
    const caused = fail();
    const failures = failuresOf(caused);
    assert.ok(failures > 0, 'nothing failed');
    assert.equal(sumOf(await told(live, caused[0]?.pid, failures)), failures);
  });

  it('pr: who reclaims at the limit of a cgroup is named, with its episodes', {
    skip: lack,
  }, async (t) => {
    const live = await started<ReclaimSnapshot>(t, pr);
    const caused = fail();
    const row = await live.until(({ processes }) =>
      processes.find(
        ({ type, attributes }) => type === 'memcg' && attributes['process.pid'] === caused[0]?.pid,
      ),
    );
    assert.equal(row.comm, 'pressure');
    // An allocation that failed had reclaimed first.
    assert.ok(row.figures.episodes >= failuresOf(caused), `${row.figures.episodes} episodes`);
  });

  it('memleak: what a program holds, by call site and to the byte', {
    skip: Allocator.missing() ?? false,
  }, async (t) => {
    const allocator = await Allocator.start('allocator', 'work', 2, ROUNDS);
    t.after(() => allocator.stop());
    const live = await started<LeakSnapshot>(t, memleak, withoutBudget(allocator.pid));
    await attached(live, allocator.pid);
    const held = await allocator.work();
    const truth = held.map(({ name, bytes, count }) => ({ name, bytes, count }));
    const seen = (snapshot: LeakSnapshot) => {
      const sums = bySite(snapshot, allocator);
      return held.map(({ name, address }) => {
        const { bytes = 0, count = 0 } = sums.get(address) ?? {};
        return { name, bytes, count };
      });
    };
    const isWhole = (snapshot: LeakSnapshot) => isDeepStrictEqual(seen(snapshot), truth);
    await live.until(isWhole).catch(() => undefined);
    const last = await live.collect();
    assert.deepEqual(seen(last), truth, JSON.stringify(targetOf(last, allocator.pid)));
  });

  it('memleak: files that the kernel holds for a process', {
    skip: KernelObjects.missing() ?? false,
  }, async (t) => {
    const live = new LiveKernel({ caches: ['filp'] });
    t.after(() => live.close());
    const objects = await KernelObjects.start();
    t.after(() => objects.stop());
    await objects.make('signalfd', FILES);
    // A slab of files has tables of its own: allocators of files alone.
    const { allocations } = await live.held([/signalfd/, /alloc_(empty_)?file/], /^filp$/);
    const { missedAllocations } = live.watch.read({ ages: false }).coverage;
    assert.ok(allocations <= FILES, `${allocations} of ${FILES}`);
    assert.ok(allocations + missedAllocations >= FILES, `${allocations}, ${missedAllocations}`);
  });
});
