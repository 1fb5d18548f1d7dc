/** pr with less room than there are threads in reclaim at the same time. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { missedRuns } from '../../core/bpf/stats.js';
import { runAlone } from '../../test/fakes/alone.js';
import { exhausted, UNKILLABLE } from '../../test/fakes/exhausted.js';
import { LivePlugin } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { PIPE_OF_ORDER, Pressure, pressureMissing } from '../../test/fakes/pressure.js';
import { pr } from './index.js';
import { episodesOf, figuresOf, type LivePr, traceReclaim, tracingMissing } from './live-truth.js';
import { EVERY_EPISODE, fail, witnessed } from './live-workloads.js';
import type { ReclaimSnapshot } from './reclaim.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? tracingMissing() ?? false;
/** Beyond any thread id. */
const NOBODY = 0x7fff_fff0;

describe('pr without room for all threads', { skip, timeout: 600_000 }, () => {
  runAlone();

  let live: LivePr;
  before(async () => {
    const maxEntries = { ...EVERY_EPISODE.maxEntries, kept: 1, threads: 1 };
    live = await LivePlugin.start<ReclaimSnapshot>(pr, { ...EVERY_EPISODE, maxEntries });
  });
  after(() => live.close());

  it('counts each run that it cannot follow, and says so', async () => {
    for (const name of ['kept', 'threads']) occupy(live, name);
    const { before, last, own, all, spans } = await witnessed(live, fail);
    assert.ok(own.length > 10, `only ${own.length} episodes`);
    const noRoom = last.unmeasured.no_room - before.unmeasured.no_room;
    assert.ok(noRoom >= all.length && noRoom <= all.length + 4, `${noRoom} of ${all.length}`);
    assert.equal(last.unmeasured.no_begin, 0);
    assert.equal(figuresOf(last, 'memcg').figures.episodes, 0);
    assert.deepEqual(spans, []);
    assert.match(live.health.current.reason ?? '', /episodes were not followed: raise .*threads/);
  });

  it('follows each again as soon as there is room', async () => {
    live.loaded.object.map('threads').delete(key(NOBODY));
    const { before, last, own, spans } = await witnessed(live, fail);
    assert.equal(spans.length, own.length);
    assert.ok(own.length > 10, `only ${own.length} episodes`);
    assert.ok(figuresOf(last, 'memcg').figures.episodes >= own.length);
    assert.deepEqual(last.unmeasured, before.unmeasured);
    assert.doesNotMatch(live.health.current.reason ?? '', /not followed/);
  });

  it('has each of many at the same time in one count or the other', async (t) => {
    const before = await live.collect();
    const missedBefore = missedRuns(live.loaded.object, live.loaded.programs);
    const tracing = traceReclaim();
    const groups = Array.from({ length: 8 }, () => exhausted());
    const all: Pressure[] = [];
    try {
      for (const group of groups) all.push(await Pressure.start(steps(group, 30)));
      await Promise.all(all.map((pressure) => pressure.next()));
      const last = await live.until((seen) => figuresOf(seen, 'memcg').running === 0 && seen);
      tracing.stop();
      const traced = episodesOf(tracing.read()).filter(({ type }) => type === 'memcg').length;
      const episodes = figuresOf(last, 'memcg').figures.episodes;
      const counted = episodes - figuresOf(before, 'memcg').figures.episodes;
      const noRoom = last.unmeasured.no_room - before.unmeasured.no_room;
      // What the kernel itself left out is told by it, and by the plugin's health.
      const missed = missedRuns(live.loaded.object, live.loaded.programs) - missedBefore;
      const said = `${traced} runs: ${counted} counted, ${noRoom} found no room, ${missed} left out`;
      t.diagnostic(said);
      const sum = counted + noRoom;
      assert.ok(sum + missed >= traced && sum <= traced + 4, said);
      assert.ok(last.unmeasured.no_begin - before.unmeasured.no_begin <= missed, said);
      assert.ok(last.unmeasured.no_end - before.unmeasured.no_end <= missed, said);
    } finally {
      for (const pressure of all) await pressure.stop();
      tracing.close();
      for (const group of groups) group.remove();
    }
  });
});

/** Fails an order of 2 so often once told to, and then waits. */
const steps = (group: MemoryCgroup, times: number): string[] => [
  ...UNKILLABLE,
  'pipes=40',
  group.enter,
  'pipe=1',
  'wait',
  `resize=${PIPE_OF_ORDER[2]}:${times}`,
  'wait',
];

/** The room of one thread is taken, by one that is in no episode. */
function occupy(live: LivePr, name: string): void {
  const map = live.loaded.object.map(name);
  map.update(key(NOBODY), new Uint8Array(map.spec.valueSize));
}

function key(tid: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, tid, true);
  return bytes;
}
