import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryHog } from '../../test/fakes/memory-hog.js';
import { countersPerThread, LivePlugin, strategies } from './live-plugin.js';
import { resident, status } from './truth.js';

/** A tenth of what procstat.bpf.c has, so that nobody waits a second. */
const REFRESH = { refresh_ns: 100_000_000 };
/** That, and some. */
const REFRESH_MS = 150;

describe('procstat by each strategy', { skip: MemoryHog.missing() ?? false }, () => {
  for (const { name, lack, hooked } of strategies) {
    it(`${name}: exact on first sight, and again after it grew`, async (t) => {
      if (lack !== undefined) return t.skip(lack);
      // Before 6.2 a hook knows its own thread's share of the counters, and no other's.
      const alone = countersPerThread && hooked;
      const hog = await MemoryHog.start({ threads: alone ? 1 : 5, anon: 700, grow: 2500 });
      const live = new LivePlugin({ pids: [hog.pid] }, name, REFRESH);
      try {
        assert.equal(live.strategy, name);
        const before = live.process(hog.pid);
        assert.equal(before.anon, resident(hog.pid).anon);
        await sleep(REFRESH_MS);
        await hog.grow();
        // Switched out in the middle of growing, it is read again only a while later.
        await sleep(REFRESH_MS);
        const { usage, anon, file, shmem, virtual, data, pageTables } = live.process(hog.pid);
        const truth = resident(hog.pid);
        assert.deepEqual({ usage, anon, file, shmem, swap: 0 }, truth);
        assert.ok(anon >= before.anon + 2500 * 4096);
        const { virtual: size, data: private_, pageTables: tables } = status(hog.pid);
        assert.deepEqual([virtual, data, pageTables], [size, private_, tables]);
        assert.equal(live.health.current.reason, undefined);
      } finally {
        await live.close();
        await hog.stop();
      }
    });
  }

  for (const { name, lack } of strategies.filter(({ hooked }) => hooked)) {
    it(`${name}: reads only once a process is switched out`, async (t) => {
      if (lack !== undefined) return t.skip(lack);
      const hog = await MemoryHog.start({ anon: 50 });
      const live = new LivePlugin({ pids: [hog.pid] }, name, REFRESH);
      try {
        const before = live.process(hog.pid);
        await sleep(REFRESH_MS);
        // It sleeps: nothing is recorded again, and what was recorded stays true.
        assert.deepEqual(live.process(hog.pid), before);
        assert.equal(before.anon, resident(hog.pid).anon);
      } finally {
        await live.close();
        await hog.stop();
      }
    });

    it(`${name}: says when it cannot follow every process`, async (t) => {
      if (lack !== undefined) return t.skip(lack);
      if (name === 'sched-switch') return t.skip('task storage has no capacity');
      const hog = await MemoryHog.start({ children: 200 });
      const live = new LivePlugin({ capacity: 64 }, name);
      try {
        const seen = [...live.processes().values()].filter(({ ppid }) => ppid === hog.pid);
        assert.equal(seen.length, 200);
        for (const child of seen) assert.ok(child.usage > 0);
        assert.equal(live.health.current.state, 'degraded');
        assert.match(live.health.current.reason ?? '', /capacity \(64\)/);
      } finally {
        await live.close();
        await hog.stop();
      }
    });

    it(`${name}: forgets processes that have exited`, async (t) => {
      if (lack !== undefined) return t.skip(lack);
      const hog = await MemoryHog.start({ anon: 5 });
      const live = new LivePlugin({}, name);
      try {
        assert.ok(live.processes().has(hog.pid));
        await hog.stop();
        assert.ok(!live.processes().has(hog.pid));
        if (name !== 'sched-switch') assert.ok(!live.recordedPids().includes(hog.pid));
      } finally {
        await live.close();
        await hog.stop();
      }
    });
  }
});
