/** What a probe costs here is a figure of this machine, and grows with what others have attached. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { readProcessMap } from '../../../../core/symbolize/process-map.js';
import { missing, open, strategies } from '../../user/live-watched.js';
import { symbolsOfInterest } from '../allocators.js';
import { Images } from '../images.js';
import { liveProc, NS_PER_TICK, readStat } from '../proc.js';
import { probeCost } from './probe-cost.js';
import { ProbeMeter } from './probe-meter.js';

describe('the cost of a probe', { skip: missing ?? false, timeout: 60_000 }, () => {
  for (const strategy of strategies) {
    it(`is measured, by ${strategy}`, async (t) => {
      const watch = open(t, strategy);
      const images = new Images(symbolsOfInterest([]));
      t.after(() => images.close());
      const startTime = (readStat(liveProc, process.pid)?.startTicks ?? 0) * NS_PER_TICK;
      const self = { pid: process.pid, startTime };
      const meter = new ProbeMeter({ watch, images, readMap: (pid) => readProcessMap(pid), self });
      const assumed = probeCost(watch.strategy);
      assert.deepEqual(meter.cost, assumed);
      assert.ok(meter.isDue(0));
      for (const step of meter.measure(0)) if (step === 'wait') await setTimeout(5);
      assert.ok(!meter.isDue(1));
      const { hit, steppedHit, record } = meter.cost;
      t.diagnostic(`${(hit * 1e6).toFixed(2)} µs a hit`);
      assert.notEqual(hit, assumed.hit);
      assert.ok(hit > 1e-7 && hit < 1e-4, `${hit} s`);
      const times = hit / assumed.hit;
      assert.ok(Math.abs(steppedHit / assumed.steppedHit / times - 1) < 1e-9);
      assert.ok(Math.abs(record / assumed.record / times - 1) < 1e-9);
    });
  }
});
