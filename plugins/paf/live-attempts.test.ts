/** Attempts to allocate on the running kernel: what is let through, and how much. */
import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { describe, it } from 'node:test';
import { runAlone } from '../../test/fakes/alone.js';
import { type LiveOptions, LivePlugin } from '../../test/fakes/live-plugin.js';
import { PIPE_OF_ORDER, Pressure, pressureMissing } from '../../test/fakes/pressure.js';
import { paf } from './index.js';
import { type LivePaf, zonesOf } from './live-truth.js';
import type { Attempt, PafRecords } from './records.js';

const skip = pressureMissing() ?? false;
/** So many allocations of order 2, of which every one is granted. */
const ALLOCATIONS = 300;
const LOAD = [`resize=${PIPE_OF_ORDER[2]}:${ALLOCATIONS}`, 'wait'];
const STEPS = ['pipes=1', 'wait', ...LOAD];
/** What the rate lets through of one load depends on how fast the machine is. */
const LOADS = 1000;
const ENOUGH = 20;
const isOfPipe = ({ order }: Attempt) => order === 2;
const isEnough = (attempts: readonly Attempt[]) =>
  attempts.length > ENOUGH && attempts.filter(isOfPipe).length > ENOUGH / 2;
/** ATTEMPT_BURST of attempt.h. */
const BURST = 10;

describe('paf’s attempts on the running kernel', { skip, timeout: 600_000 }, () => {
  runAlone();

  const withPlugin = (options: LiveOptions, test: (live: LivePaf) => Promise<void>) =>
    LivePlugin.with<PafRecords>(paf, options, test);

  it('are shown with who, the flags, and the zone as zoneinfo has it', async () => {
    const loads = Array.from({ length: LOADS }, () => LOAD).flat();
    const pressure = await Pressure.start(['pipes=1', 'wait', ...loads]);
    const config = { attempts: true, attempt_rate: 100_000, pids: [pressure.pid] };
    try {
      await withPlugin({ config }, async (live) => {
        let attempts: readonly Attempt[] = [];
        for (let load = 0; load < LOADS && !isEnough(attempts); load++) {
          await pressure.next();
          attempts = (await live.collect()).attempts ?? [];
        }
        assert.ok(isEnough(attempts), `${attempts.length} after ${LOADS} loads`);
        for (const { requester, order, flags, failed, node, zone } of attempts) {
          assert.equal(requester.pid, pressure.pid);
          assert.equal(requester.executable, 'pressure');
          assert.ok(order >= 0 && order <= 10, `order ${order}`);
          assert.match(flags, /^(GFP_|__GFP_)/);
          assert.notEqual(failed, true);
          const truth = zonesOf(node).get(zone.name) ?? assert.fail(`no zone ${zone.name}`);
          const { min, low, high, present, managed } = zone;
          assert.deepEqual(
            { min, low, high, present, managed },
            {
              min: truth.min,
              low: truth.low,
              high: truth.high,
              present: truth.present,
              managed: truth.managed,
            },
          );
          assert.ok(zone.free > 0 && zone.free <= managed, `${zone.free} of ${managed} free`);
        }
        for (const { flags } of attempts.filter(isOfPipe)) assert.match(flags, /_ACCOUNT/);
      });
    } finally {
      await pressure.stop();
    }
  });

  it('are bounded in the kernel, and what is kept back is counted', async () => {
    const rate = 20;
    const pressure = await Pressure.start(STEPS);
    try {
      const began = performance.now();
      await withPlugin({ config: { attempts: true, attempt_rate: rate } }, async (live) => {
        await pressure.next();
        const { attempts = [], totals } = await live.collect();
        const seconds = (performance.now() - began) / 1000;
        const most = BURST + cpus().length + seconds * rate;
        assert.ok(attempts.length > 0 && attempts.length <= most, `${attempts.length} of ${most}`);
        assert.ok(totals.suppressedAttempts > 100, `${totals.suppressedAttempts} kept back`);
      });
    } finally {
      await pressure.stop();
    }
  });

  it('cost nothing and show nothing where nobody asks for them', () =>
    withPlugin({}, async (live) => {
      const { attempts, totals } = await live.collect();
      assert.equal(attempts, undefined);
      assert.equal(totals.suppressedAttempts, 0);
      assert.ok([...live.loaded.links.keys()].every((program) => !program.startsWith('show_')));
    }));
});
