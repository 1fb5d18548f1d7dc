import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Judgement, Reading } from '../model.js';
import { createJudge } from './create-judge.js';

const WINDOW = 5;

/** Allocations at `births` that go at `deaths`, looked at once a second for a minute. */
function judged(births: readonly number[], deaths: readonly number[]): Judgement | undefined {
  const judge = createJudge({ window: WINDOW });
  for (let time = 1; time <= 60; time++) {
    const of = readingAt(time, births, deaths);
    const { allocatedCount: recorded, bytes: outstandingBytes } = of;
    const coverage = { samplingInterval: 0, missedAllocations: 0, missedFrees: 0, recorded };
    judge.observe(of, time, { coverage, outstandingBytes });
    judge.conclude(time, time * 1000);
  }
  return judge.judgement('k');
}

function readingAt(time: number, births: readonly number[], deaths: readonly number[]): Reading {
  const known = births.flatMap((birth, n) => (birth <= time ? [n] : []));
  const ages = known.filter((n) => (deaths[n] ?? 0) > time).map((n) => time - (births[n] ?? 0));
  const allocations = new Array<number>(40).fill(0);
  for (const age of ages) {
    const octave = Math.max(0, Math.floor(Math.log2(Math.max(1, age * 1000))));
    allocations[octave] = (allocations[octave] ?? 0) + 1;
  }
  const bytes = allocations.map((count) => 16 * count);
  return {
    source: { kind: 'process', pid: 7, startTime: 9 },
    key: 'k',
    frames: [],
    depth: 'end',
    bytes: 16 * ages.length,
    allocations: ages.length,
    bytesError: 0,
    allocatedBytes: 16 * known.length,
    allocatedCount: known.length,
    freedBytes: 16 * (known.length - ages.length),
    freedCount: known.length - ages.length,
    firstSeen: 0,
    ages: { oldest: Math.max(0, ...ages), allocations, bytes },
  };
}

/** A hundred a second. */
const even = Array.from({ length: 6000 }, (_, n) => n / 100);

test('ten go into a queue and eight come out: it grows without end, though none in it stays', () => {
  const judgement = judged(
    even,
    even.map((time) => time / 0.8 + 0.01),
  );
  assert.equal(judgement?.state, 'confirmed');
  assert.equal(judgement?.class, 'leak');
  assert.match(judgement?.reason ?? '', /more come in than go out/);
});

test('a queue that is kept up with is none', () => {
  const judgement = judged(
    even,
    even.map((time) => time + 2),
  );
  assert.equal(judgement?.state, 'watching');
  assert.equal(judgement?.class, 'churn');
});

test('sessions of one length under a load that rises are none', () => {
  const rising = Array.from({ length: 6000 }, (_, n) => 60 * Math.sqrt(n / 6000));
  const judgement = judged(
    rising,
    rising.map((time) => time + 8),
  );
  assert.equal(judgement?.state, 'watching');
  assert.equal(judgement?.class, 'churn');
});

test('a cache that begins to evict is none', () => {
  const capacity = 4200;
  const judgement = judged(
    even,
    even.map((_, n) => even[n + capacity] ?? Number.POSITIVE_INFINITY),
  );
  assert.equal(judgement?.state, 'watching');
});
