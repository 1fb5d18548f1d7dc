/** The kernel's allocations against what a process is known to have it allocate. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { possibleCpus } from '../../core/identity/host.js';
import { findInstallation } from '../../core/install.js';
import { explain } from '../../core/kernel/loader.js';
import { runAlone } from '../../test/fakes/alone.js';
import { KernelObjects } from '../../test/fakes/kernel-objects.js';
import { parseSlabinfo } from './kernel/slabinfo.js';
import { type Held, kernel, LiveKernel, profile } from './live-kernel-truth.js';

const skip = KernelObjects.missing() ?? false;
const COUNT = 1000;
const PERCPU_ARRAY = 6;

const slabinfo = () => parseSlabinfo(readFileSync('/proc/slabinfo', 'latin1'));

describe('the kernel, followed', { skip, timeout: 600_000 }, () => {
  runAlone();

  let objects: KernelObjects;
  before(async () => {
    objects = await KernelObjects.start();
  });
  after(() => objects.stop());

  for (const { strategy, outcome, reasons } of explain(kernel, profile).verdicts) {
    const skip = outcome === 'rejected' ? reasons.join('; ') : false;
    it(`has every object of a slab cache, by ${strategy}`, { skip }, async () => {
      const live = new LiveKernel(
        { caches: ['filp', 'kmalloc-*'], max_followed: 200 },
        { strategy },
      );
      try {
        // Of one size there may be several caches, and a slab has tables of its own.
        const file = async () =>
          direct(live, await live.held([/signalfd/], /filp/), /alloc_(empty_)?file/);
        const own = async () => direct(live, await live.held([/signalfd/], /kmalloc/), /signalfd/);
        const [files, owned] = [await file(), await own()];
        const booked = slabinfo().find(({ name }) => name === 'filp');
        await objects.make('signalfd', COUNT);
        const [made, madeOwn] = [await file(), await own()];
        assert.equal(made.allocations - files.allocations, COUNT);
        assert.equal(made.bytes - files.bytes, COUNT * (booked?.objectSize ?? 0));
        assert.equal(madeOwn.allocations - owned.allocations, COUNT);
        await objects.drop();
        // Files wait for RCU.
        const uncounted = uncountedBy(strategy);
        const gone = (before: Held) => (held: Held) =>
          held.allocations <= before.allocations + uncounted;
        checkGone(live, await live.until(file, gone(files)), files, uncounted);
        checkGone(live, await live.until(own, gone(owned)), owned, uncounted);
      } finally {
        await live.close();
      }
    });
  }

  describe('by what is best here', () => {
    it('has every page of a pipe, its age, and who allocated it', async () => {
      const live = new LiveKernel({ always: ['pages'] });
      try {
        const look = () => live.held([/pipe_write/, /writev/], /^page order 0$/, true);
        await objects.make('pipe', COUNT);
        const before = await look();
        await objects.make('fill', COUNT);
        const filled = await look();
        assert.equal(filled.allocations - before.allocations, COUNT);
        const [largest] = [...filled.readings].sort((a, b) => b.bytes - a.bytes);
        assert.ok(largest);
        assert.equal(largest.bytes, largest.allocations * 4096);
        const [caller] = await live.namesOf(largest);
        assert.match(caller ?? '', /pipe_write/);
        const { allocations = [], bytes = [] } = largest.ages ?? {};
        assert.equal(sum(allocations), largest.allocations);
        assert.equal(sum(bytes), largest.bytes);
        await objects.drop();
        const left = await live.until(look, (held) => held.allocations <= before.allocations);
        checkGone(live, left, before);
      } finally {
        await live.close();
      }
    });

    const rcu = ['bulk-free', 'sheaf-free'].map((part) =>
      explain(kernel, profile).parts.find((one) => one.part === part),
    );
    const blind = rcu.some((part) => part?.verdicts.every(({ outcome }) => outcome === 'rejected'));
    it('sees what kfree_rcu frees', {
      skip: blind && 'no function may be hooked here',
    }, async (t) => {
      const live = new LiveKernel({ caches: ['kmalloc-*'], max_followed: 200 });
      try {
        if (!live.watch.loaded?.parts.has('bulk-free')) return t.skip('no function may be hooked');
        const look = async () => direct(live, await live.held([/timerfd/], /kmalloc/), /timerfd/);
        const before = await look();
        await objects.make('timerfd', COUNT);
        const made = await look();
        assert.equal(made.allocations - before.allocations, COUNT);
        await objects.drop();
        const left = await live.until(look, (held) => held.allocations <= before.allocations);
        checkGone(live, left, before);
      } finally {
        await live.close();
      }
    });

    it('has every byte of per-CPU memory', async () => {
      const live = new LiveKernel({ always: ['percpu'] });
      try {
        const look = () => live.held([/array_map_alloc|bpf_array_alloc_percpu/], /^percpu$/);
        const before = await look();
        const installation = findInstallation(import.meta.url);
        const object = createBpfHost().open(installation.bpfObject('memleak-kernel'));
        object.selectPrograms(['raw_percpu_free']);
        object.load();
        const expected = object.maps
          .filter(({ type }) => type === PERCPU_ARRAY)
          .map(({ maxEntries, valueSize }) => maxEntries * Math.ceil(valueSize / 8) * 8);
        const during = await look();
        object.close();
        assert.equal(during.bytes - before.bytes, sum(expected) * possibleCpus().length);
        const left = await live.until(look, (held) => held.bytes <= before.bytes);
        assert.equal(left.bytes, before.bytes);
      } finally {
        await live.close();
      }
    });

    it('agrees with the books of the kernel, and counts what little it misses', async () => {
      const live = new LiveKernel({ caches: ['eventpoll_epi', 'filp', 'pid'] });
      try {
        await objects.make('epoll', COUNT);
        live.watch.refresh();
        const { coverage, counts } = live.watch.read({ ages: false });
        assert.ok(coverage.recorded + coverage.missedAllocations >= COUNT);
        const { missedAllocations } = coverage;
        // On an emulated CPU, which is slow, some interrupt a program of ours: the kernel leaves them out.
        const allowed = process.env.MEM_WATCHER_VM === undefined ? 0 : coverage.recorded / 100;
        assert.ok(missedAllocations <= allowed, `${missedAllocations} missed`);
        assert.ok(coverage.missedFrees <= counts.matched / 100, `${coverage.missedFrees} missed`);
        await objects.drop();
      } finally {
        await live.close();
      }
    });
  });
});

const [major = 0, minor = 0] = release().split('.').map(Number);

/**
 * Classic tracepoints leave out what interrupts another BPF program, which a kernel counts since 6.7
 * (trace_call_bpf in kernel/trace/bpf_trace.c): files are freed in interrupts, many at a time. On an
 * emulated 6.1 as many as 112 of 1,000 were left out.
 */
const uncountedBy = (strategy: string): number =>
  strategy.startsWith('tracepoint') && (major < 6 || (major === 6 && minor < 7)) ? COUNT / 4 : 0;

/** All are gone but those whose frees the kernel left out, which it has counted. */
function checkGone(live: LiveKernel, left: Held, before: Held, uncounted = 0): void {
  live.watch.refresh();
  const { missedFrees } = live.watch.read({ ages: false }).coverage;
  const stay = left.allocations - before.allocations;
  assert.ok(
    stay >= 0 && stay <= missedFrees + uncounted,
    `${stay} stay, ${missedFrees} frees were missed`,
  );
}

/** Those of them whose direct caller is such a function. */
async function direct(live: LiveKernel, { readings }: Held, caller: RegExp): Promise<Held> {
  const names = await Promise.all(readings.map((reading) => live.namesOf(reading)));
  const own = readings.filter((_, n) => caller.test(names[n]?.[0] ?? ''));
  return {
    allocations: sum(own.map(({ allocations }) => allocations)),
    bytes: sum(own.map(({ bytes }) => bytes)),
    readings: own,
  };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
