/** paf with less room than it needs: no count is lost, and what is lost is said. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missedRuns } from '../../core/bpf/stats.js';
import { runAlone } from '../../test/fakes/alone.js';
import { exhausted, UNKILLABLE } from '../../test/fakes/exhausted.js';
import { type LiveOptions, LivePlugin } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import {
  failuresOf,
  named,
  PIPE_OF_ORDER,
  press,
  pressureMissing,
} from '../../test/fakes/pressure.js';
import { paf } from './index.js';
import { attribute, counted, type LivePaf, sumOf } from './live-truth.js';
import type { PafRecords } from './records.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? false;
/** Of this run: other tests have processes of the same program. */
const NAME = `paf-${process.pid}`;
const ENTER = [...UNKILLABLE, 'pipes=40', named(NAME)];

describe('paf at its limits', { skip, timeout: 600_000 }, () => {
  runAlone();

  const withPlugin = (options: LiveOptions, test: (live: LivePaf) => Promise<void>) =>
    LivePlugin.with<PafRecords>(paf, options, test);

  it('counts failures beyond its capacity, and says how many', () =>
    withPlugin({ config: { names: [NAME], capacity: 16 } }, async (live) => {
      const group = exhausted();
      const processes = 24;
      try {
        for (let n = 0; n < processes; n++) press([...ENTER, group.enter, 'pipe=2']);
        const failures = 2 * processes;
        const apart = 2 * 16;
        // Nobody knows whether the others pass the filter: they are counted, but not as wanted.
        const beyond = failures - apart;
        const records = await live.until((seen) => seen.totals.overflowed >= beyond && seen);
        await live.until(() => sumOf(live.events) >= apart);
        assert.equal(counted(records), apart);
        assert.equal(sumOf(live.events), apart);
        assert.equal(records.totals.overflowed, beyond);
        assert.ok(live.events.every(({ attributes }) => 'process.pid' in attributes));
        assert.equal(live.self.losses?.mapFull, beyond);
      } finally {
        group.remove();
      }
    }));

  it('counts failures whose figures found the ring full, and says so', () =>
    withPlugin({ config: { names: [NAME] }, maxEntries: { details: 4096 } }, async (live) => {
      const group = exhausted();
      try {
        const kinds = ['pipe=3', `resize=${PIPE_OF_ORDER[2]}:2`];
        const caused = press([...ENTER, group.enter, ...kinds]);
        const more = press([...ENTER, group.enter, ...kinds]);
        const failures = failuresOf([...caused, ...more]);
        // A kernel that interrupts a program leaves out its next run there, and says how many.
        const missed = missedRuns(live.loaded.object, live.loaded.programs);
        const records = await live.until((seen) => counted(seen) >= failures - missed && seen);
        await live.until(() => sumOf(live.events) >= counted(records));
        assert.ok(counted(records) <= failures);
        assert.equal(sumOf(live.events), counted(records));
        const drops = live.self.losses?.ringDrops ?? 0;
        assert.ok(drops > 0, 'the ring was not full');
        const without = live.events.filter((event) => attribute(event, 'zones') === undefined);
        assert.equal(without.length, drops);
        for (const event of without) assert.equal(attribute(event, 'reason'), 'unknown');
      } finally {
        group.remove();
      }
    }));
});
