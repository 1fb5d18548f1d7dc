import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Judgement } from '../model.js';
import { createJudge } from './create-judge.js';
import { windowOfRun } from './options.js';
import { arrivals, sizes } from './simulation/processes.js';
import { Random } from './simulation/random.js';
import { readingsOf } from './simulation/readings.js';
import { Trace } from './simulation/trace.js';

const PROGRAMS = 40;
const LENGTH = 60;
/** Bytes that the process has besides. */
const REST = 4e6;
const watching = {
  length: LENGTH,
  interval: 1,
  jitter: 0.02,
  missed: 0.05,
  agesEvery: 1,
  sampling: 0,
};

/** What the judge says of each of the programs, if their pages are `pages(live, peak)`. */
function verdicts(
  draw: (random: Random) => Trace,
  pages: (live: number, peak: number) => number,
): (Judgement | undefined)[] {
  return Array.from({ length: PROGRAMS }, (_, seed) => {
    const random = new Random(77 + seed);
    const judge = createJudge({ window: windowOfRun(LENGTH) });
    const trace = draw(random);
    let peak = 0;
    for (const { reading, time } of readingsOf(trace, watching, random)) {
      peak = Math.max(peak, reading.bytes);
      judge.observe(reading, time, {
        coverage: {
          samplingInterval: 0,
          missedAllocations: 0,
          missedFrees: 0,
          recorded: reading.allocatedCount,
        },
        outstandingBytes: reading.bytes,
        rssAnon: REST + pages(reading.bytes, peak),
      });
      judge.conclude(time, time * 1000);
    }
    return judge.judgement('1');
  });
}

/** Work in memory, all of which is freed in the middle of the run. */
function freed(random: Random): Trace {
  const trace = new Trace();
  const size = sizes(random);
  const until = random.between(0.1, 0.5) * LENGTH;
  const end = until + random.between(0, 0.2) * LENGTH;
  arrivals(random, 1, until, random.scale(50, 3000) / until, (time) =>
    trace.add(time, end, size()),
  );
  return trace;
}

function leaking(random: Random): Trace {
  const trace = new Trace();
  const size = sizes(random);
  arrivals(random, 0, LENGTH, random.scale(100, 3000) / LENGTH, (time) =>
    trace.add(time, Number.POSITIVE_INFINITY, size()),
  );
  return trace;
}

const classes = (all: readonly (Judgement | undefined)[]) => new Set(all.map((one) => one?.class));
const states = (all: readonly (Judgement | undefined)[]) => new Set(all.map((one) => one?.state));

test('what was freed while the process kept the pages is retention, and no leak', () => {
  const all = verdicts(freed, (_, peak) => peak);
  assert.deepEqual(classes(all), new Set(['retention']));
  assert.deepEqual(states(all), new Set(['watching']));
});

test('what was freed and its pages with it is no retention', () => {
  const all = verdicts(freed, (live) => live);
  assert.deepEqual(classes(all), new Set(['churn']));
  assert.deepEqual(states(all), new Set(['watching']));
});

test('a leak is one, whatever pages the process keeps besides', () => {
  for (const kept of [1, 3]) {
    const all = verdicts(leaking, (live) => kept * live);
    assert.deepEqual(classes(all), new Set(['leak']));
    assert.deepEqual(states(all), new Set(['confirmed']));
  }
});
