/**
 * Runs of reclaim of which pr sees one end only: it comes, or goes, while they go on. Of each the
 * tracer writes hundreds of thousands, which an emulated guest would take minutes to read.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runAlone } from '../../test/fakes/alone.js';
import { exhausted, UNKILLABLE } from '../../test/fakes/exhausted.js';
import { LivePlugin } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { PIPE_OF_ORDER, Pressure, pressureMissing } from '../../test/fakes/pressure.js';
import { pr } from './index.js';
import { episodesOf, figuresOf, type LivePr, traceReclaim, tracingMissing } from './live-truth.js';
import { EVERY_EPISODE } from './live-workloads.js';
import type { ReclaimSnapshot } from './reclaim.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? tracingMissing() ?? false;
const RESIZE = `resize=${PIPE_OF_ORDER[2]}`;
/** One nearly always does; whether a run went on as we came is a matter of luck. */
const ROUNDS = 10;
/** There are more than can be taken, and the figures tell what is asked here. */
const NO_SPANS = { config: { span_sampling: 0 } };

describe('pr as runs of reclaim go on', { skip, timeout: 600_000 }, () => {
  runAlone();

  it('counts ends that it saw no begin of, and makes up no run of them', async (t) => {
    const endless = await Endless.start();
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        if ((await onceAttached(endless)) === 0) continue;
        t.diagnostic(`seen in round ${round}`);
        return;
      }
      assert.fail(`in ${ROUNDS} rounds no run was going on`);
    } finally {
      await endless.stop();
    }
  });

  it('takes nothing along from runs that it was taken away from', async () => {
    const endless = await Endless.start();
    try {
      await onceAttached(endless);
    } finally {
      await endless.stop();
    }
    // Nobody reclaims any more: what was going on as the last one went is none of this one's.
    const live = await LivePlugin.start<ReclaimSnapshot>(pr, NO_SPANS);
    try {
      const { running, figures } = figuresOf(await live.collect(), 'memcg');
      assert.ok(running <= 1 && figures.episodes <= OTHERS, `${running}, ${figures.episodes}`);
    } finally {
      await live.close();
    }
  });

  it('counts a run whose end was missed, and the thread’s next one as any other', async () => {
    const live = await LivePlugin.start<ReclaimSnapshot>(pr, EVERY_EPISODE);
    const group = exhausted();
    const steps = [...UNKILLABLE, 'pipes=40', group.enter, 'pipe=1', 'wait', `${RESIZE}:5`, 'wait'];
    const pressure = await Pressure.start(steps);
    const tracing = traceReclaim();
    try {
      const before = await live.collect();
      assert.equal(before.unmeasured.no_end, 0);
      live.spans.length = 0;
      leaveOpen(live, pressure.pid);
      await pressure.next();
      const last = await live.collect();
      tracing.stop();
      const own = episodesOf(tracing.read()).filter(({ tid }) => tid === pressure.pid);
      const spans = live.spans.filter(
        ({ attributes }) => attributes['process.pid'] === pressure.pid,
      );
      assert.equal(last.unmeasured.no_end, 1);
      assert.equal(last.unmeasured.no_begin, before.unmeasured.no_begin);
      assert.ok(own.length > 0);
      assert.equal(spans.length, own.length);
      assert.match(live.health.current.reason ?? '', /of 1 episodes no end was seen/);
    } finally {
      await pressure.stop();
      tracing.close();
      group.remove();
      await live.close();
    }
  });
});

/** Whoever else reclaims meanwhile. */
const OTHERS = 4;

/** Comes and goes once; how many ends had no begin. */
async function onceAttached(endless: Endless): Promise<number> {
  const tracing = traceReclaim();
  const times = { coming: now(), come: 0, going: 0, gone: 0 };
  try {
    const live = await LivePlugin.start<ReclaimSnapshot>(pr, NO_SPANS);
    times.come = now();
    await live.collect();
    times.going = now();
    const last = await live.collect();
    await live.close();
    times.gone = now();
    tracing.stop();
    const traced = episodesOf(tracing.read());
    const own = traced.filter(({ tid }) => tid === endless.pid);
    const inside = own.filter(({ begin, end }) => begin > times.come && end < times.going);
    const touched = own.filter(({ begin, end }) => end > times.coming && begin < times.gone);
    const row = last.processes.find(({ attributes: of }) => of['process.pid'] === endless.pid);
    const { episodes, ns } = row?.figures ?? { episodes: 0, ns: 0 };
    const told = `${episodes} of ${inside.length} to ${touched.length}`;
    assert.ok(episodes >= inside.length && episodes <= touched.length, told);
    assert.ok(ns <= times.gone - times.coming, `${ns} ns of ${times.gone - times.coming}`);
    const { figures, running } = figuresOf(last, 'memcg');
    assert.ok(figures.maxNs <= times.gone - times.coming, `one of ${figures.maxNs} ns`);
    assert.ok(running <= 1 + OTHERS, `${running} at the same time`);
    assert.equal(last.unmeasured.no_end, 0);
    return last.unmeasured.no_begin;
  } finally {
    tracing.close();
  }
}

/** The thread's room, as it is while a run of it goes on. */
function leaveOpen(live: LivePr, tid: number): void {
  const map = live.loaded.object.map('kept');
  const key = new Uint8Array(new Uint32Array([tid]).buffer);
  const value = map.lookup(key) ?? assert.fail('the thread is not kept');
  const layout = live.loaded.object.layout('pr_episode');
  const { offset } = layout.fields.find(({ name }) => name === 'active') ?? assert.fail();
  new DataView(value.buffer, value.byteOffset).setUint32(offset, 1, true);
  map.update(key, value);
}

/** A process that reclaims all the time: it is at its limit. */
class Endless {
  private constructor(
    private readonly group: MemoryCgroup,
    private readonly pressure: Pressure,
  ) {}

  static async start(): Promise<Endless> {
    const group = exhausted();
    const steps = [...UNKILLABLE, 'pipes=40', group.enter, 'pipe=1', 'wait', `${RESIZE}:100000000`];
    const pressure = await Pressure.start(steps);
    void pressure.next().catch(() => undefined); // it is stopped before it comes to its end
    return new Endless(group, pressure);
  }

  get pid(): number {
    return this.pressure.pid;
  }

  async stop(): Promise<void> {
    await this.pressure.stop();
    this.group.remove();
  }
}

/** CLOCK_MONOTONIC, ns. */
const now = (): number => Number(process.hrtime.bigint());
