/** pr with less room than it needs, and with spans that are not sent: every episode is counted. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missedRuns } from '../../core/bpf/stats.js';
import { runAlone } from '../../test/fakes/alone.js';
import { exhausted, UNKILLABLE } from '../../test/fakes/exhausted.js';
import { type LiveOptions, LivePlugin } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { PIPE_OF_ORDER, Pressure, press, pressureMissing } from '../../test/fakes/pressure.js';
import { pr } from './index.js';
import { figuresOf, type LivePr } from './live-truth.js';
import type { ReclaimSnapshot } from './reclaim.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? false;
const ENTER = [...UNKILLABLE, 'pipes=40'];
/** Every episode is long enough for a span. */
const constants = { span_threshold_ns: 0 };

describe('pr at its limits', { skip, timeout: 600_000 }, () => {
  runAlone();

  const withPlugin = (options: LiveOptions, test: (live: LivePr) => Promise<void>) =>
    LivePlugin.with<ReclaimSnapshot>(pr, { constants, ...options }, test);

  const fail = (failures = 6) => {
    const group = exhausted();
    try {
      press([...ENTER, group.enter, `pipe=${failures}`]);
    } finally {
      group.remove();
    }
  };

  const sum = (values: readonly number[]) => values.reduce((total, one) => total + one, 0);
  const episodes = ({ types }: ReclaimSnapshot) =>
    sum(types.map(({ figures }) => figures.episodes));

  /** What became of every episode is told. Somebody else's may end while it is read. */
  const told = (snapshot: ReclaimSnapshot) =>
    sum(Object.values(snapshot.spans)) === episodes(snapshot);

  it('says of each episode that is no span why not', () =>
    withPlugin({ config: { span_sampling: 0.5, span_rate: 2 } }, async (live) => {
      fail(20);
      const snapshot = await live.until((seen) => told(seen) && seen);
      const { sent, sampled_out, rate_limited } = snapshot.spans;
      assert.equal(sent, live.spans.length);
      assert.ok(sampled_out > 0 && rate_limited > 0 && sent > 0);
      // Ten seconds' worth at once, and what came due since.
      assert.ok(sent <= 20 + 2 * 60, `${sent} spans`);
    }));

  it('has no spans where none are wanted, and all episodes', () =>
    withPlugin({ config: { span_sampling: 0 } }, async (live) => {
      fail();
      const snapshot = await live.until((seen) => told(seen) && seen);
      assert.ok(episodes(snapshot) > 10);
      assert.deepEqual(live.spans, []);
      assert.equal(snapshot.spans.sampled_out, episodes(snapshot));
    }));

  it('counts spans that found the ring full, and says so', () => {
    const options = { config: { span_rate: 10_000 }, maxEntries: { spans: 4096 } };
    return withPlugin(options, async (live) => {
      fail();
      const { spans } = await live.until((seen) => told(seen) && seen);
      const { sent, ring_full } = spans;
      assert.ok(ring_full > 0 && sent > 0, `${sent} sent, ${ring_full} not`);
      assert.ok((live.self.losses?.ringDrops ?? 0) >= ring_full);
      assert.match(live.health.current.reason ?? '', /ring buffer/);
    });
  });

  it('tells of processes beyond its capacity together', () =>
    withPlugin({ config: { capacity: 64, span_sampling: 0 } }, async (live) => {
      for (let n = 0; n < 70; n++) fail(1);
      const snapshot = await live.collect();
      const { processes } = snapshot;
      const others = processes.filter(({ attributes }) => 'memwatcher.reclaim.other' in attributes);
      assert.equal(processes.length - others.length, 64);
      assert.ok(sum(others.map(({ figures }) => figures.episodes)) > 0);
      assert.equal(sum(processes.map(({ figures }) => figures.episodes)), episodes(snapshot));
      assert.equal(sum(processes.map(({ figures }) => figures.ns)), nanoseconds(snapshot));
      assert.match(live.health.current.reason ?? '', /capacity/);
    }));

  it('counts no episode of which it saw one end only', async () => {
    const group = exhausted();
    const endless = `resize=${PIPE_OF_ORDER[2]}:100000000`;
    const steps = [...ENTER, group.enter, 'pipe=1', 'wait', endless];
    const pressure = await Pressure.start(steps);
    const ended = pressure.next().catch(() => undefined);
    try {
      // It reclaims all the time while we come, look, and go.
      for (let n = 0; n < 3; n++) {
        await withPlugin({ constants: {} }, async (live) => {
          const first = await live.collect();
          const last = await live.until((seen) => {
            const { durations } = figuresOf(seen, 'memcg');
            // One may end while it is read; what is counted wrong stays so.
            const whole = sum(durations.buckets) + durations.instant === durations.count;
            return whole && episodes(seen) > episodes(first) + 20 && seen;
          });
          const missed = missedRuns(live.loaded.object, live.loaded.programs);
          // One of ours, whoever else is short of memory here, and ends that the kernel left out.
          const { running } = figuresOf(last, 'memcg');
          assert.ok(running <= 8 + missed, `${running} run at the same time, ${missed} left out`);
          if (missed === 0) {
            assert.doesNotMatch(live.health.current.reason ?? '', /no end was seen|not followed/);
          }
        });
      }
    } finally {
      await pressure.stop();
      await ended;
      group.remove();
    }
  });
});

const nanoseconds = ({ types }: ReclaimSnapshot): number =>
  types.reduce((total, { figures }) => total + figures.ns, 0);
