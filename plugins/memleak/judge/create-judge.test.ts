import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Coverage, Reading } from '../model.js';
import { createJudge } from './create-judge.js';
import type { Change, Judge } from './judge.js';
import { ownerOf } from './saved.js';

const WINDOW = 5;
const full: Coverage = { samplingInterval: 0, missedAllocations: 0, missedFrees: 0, recorded: 1e6 };

function reading(values: Partial<Reading> = {}): Reading {
  const { bytes = 0, allocations = 0 } = values;
  return {
    source: { kind: 'process', pid: 7, startTime: 9 },
    key: 'k',
    frames: [0x1000n, 0x2000n],
    depth: 'end',
    bytes,
    allocations,
    bytesError: 0,
    allocatedBytes: bytes,
    allocatedCount: allocations,
    freedBytes: 0,
    freedCount: 0,
    firstSeen: 0,
    ...values,
  };
}

/** A reading a second, `from` to `to`; `count` says how many of 16 bytes are outstanding. */
function watch(
  judge: Judge,
  [from, to]: readonly [number, number],
  count: (time: number) => number,
  coverage = full,
): Change[] {
  const changes: Change[] = [];
  for (let time = from; time <= to; time++) {
    const allocations = count(time);
    const of = reading({ allocations, bytes: 16 * allocations, allocatedCount: 2 * time + 100 });
    judge.observe(of, time, { coverage, outstandingBytes: of.bytes });
    changes.push(...judge.conclude(time, time * 1000));
  }
  return changes;
}

test('sixteen bytes a second are suspected, then confirmed, within a minute', () => {
  const judge = createJudge({ window: WINDOW });
  const states = watch(judge, [1, 60], (time) => time).map(({ after }) => after.state);
  assert.deepEqual(states, ['suspected', 'confirmed']);
  const judgement = judge.judgement('k');
  assert.equal(judgement?.class, 'leak');
  assert.ok(judgement?.confidence !== undefined && judgement.confidence > 0.8);
  assert.ok(judgement.growth !== undefined);
  assert.ok(Math.abs(judgement.growth - 16 * 3600) < 0.05 * 16 * 3600, `${judgement.growth} B/h`);
});

test('what is allocated once is no leak, and is never told of', () => {
  const judge = createJudge({ window: WINDOW });
  assert.deepEqual(
    watch(judge, [1, 60], () => 500),
    [],
  );
  assert.equal(judge.judgement('k')?.state, 'watching');
  assert.equal(judge.judgement('k')?.class, 'filling');
});

test('a leak whose memory is given back is resolved', () => {
  const judge = createJudge({ window: WINDOW });
  watch(judge, [1, 60], (time) => time);
  const changes = watch(judge, [61, 90], () => 0);
  assert.deepEqual(
    changes.map(({ before, after }) => [before.state, after.state]),
    [['confirmed', 'resolved']],
  );
});

test('a leak that has stopped is resolved, and confirmed again when it goes on', () => {
  const judge = createJudge({ window: WINDOW });
  watch(judge, [1, 60], (time) => time);
  const stopped = watch(judge, [61, 140], () => 60).map(({ after }) => after.state);
  assert.deepEqual(stopped, ['resolved']);
  assert.equal(judge.judgement('k')?.class, 'filling');
  const again = watch(judge, [141, 220], (time) => time - 80).map(({ after }) => after.state);
  assert.deepEqual(again, ['suspected', 'confirmed']);
});

/** A tenth of all allocations was recorded. */
const poor: Coverage = { ...full, missedAllocations: 9e6 };

test('with little coverage growth only suspects, with a confidence as low, and the reason says so', () => {
  const judge = createJudge({ window: WINDOW });
  const states = watch(judge, [1, 60], (time) => time, poor).map(({ after }) => after.state);
  assert.deepEqual(states, ['suspected']);
  const judgement = judge.judgement('k');
  assert.equal(judgement?.class, 'leak');
  assert.ok((judgement?.confidence ?? 1) < 0.4, `${judgement?.confidence}`);
  assert.match(judgement?.reason ?? '', /only 10 % was recorded/);
});

test('with little coverage nothing is called harmless that was not seen to grow', () => {
  const judge = createJudge({ window: WINDOW });
  watch(judge, [1, 60], () => 500, poor);
  const { state, class: kind, reason = '' } = judge.judgement('k') ?? {};
  assert.deepEqual([state, kind], ['watching', undefined]);
  assert.match(reason, /^no verdict: 10 % coverage/);
});

/** Confirmed after a minute, of which all was recorded. */
function confirmed(): Judge {
  const judge = createJudge({ window: WINDOW });
  watch(judge, [1, 60], (time) => time);
  assert.equal(judge.judgement('k')?.state, 'confirmed');
  return judge;
}

test('with little coverage a leak that was given back is resolved', () => {
  const states = watch(confirmed(), [61, 90], () => 0, poor).map(({ after }) => after.state);
  assert.deepEqual(states, ['resolved']);
});

test('with little coverage a leak that has stopped is resolved once it would have been seen to go on', () => {
  // A block a second, of which one in 1,000 would be sampled: three are expected after 3,000 s.
  const sampled = { ...full, samplingInterval: 16_000 };
  const judge = confirmed();
  assert.deepEqual(
    watch(judge, [61, 2800], () => 60, sampled),
    [],
  );
  const { state, class: kind, confidence, reason = '' } = judge.judgement('k') ?? {};
  assert.deepEqual([state, kind], ['confirmed', 'leak']);
  assert.ok((confidence ?? 0) > 0.9, 'what was known before keeps its confidence');
  assert.match(reason, /^confirmed before; too little was recorded/);
  const states = watch(judge, [2801, 3500], () => 60, sampled).map(({ after }) => after.state);
  assert.deepEqual(states, ['resolved']);
});

test('with little coverage a leak that stopped is resolved after a restart of the agent too', () => {
  const sampled = { ...full, samplingInterval: 1600 };
  const before = createJudge({ window: WINDOW });
  watch(before, [1, 60], (time) => time);
  assert.deepEqual(
    watch(before, [61, 140], () => 60, sampled),
    [],
  );
  const judge = createJudge({ window: WINDOW }, before.save());
  assert.deepEqual(
    watch(judge, [145, 250], () => 1, sampled),
    [],
  );
  const states = watch(judge, [251, 900], () => 1, sampled).map(({ after }) => after.state);
  assert.deepEqual(states, ['resolved']);
});

test('a leak of which nothing would be recorded stays confirmed', () => {
  const judge = confirmed();
  for (let time = 61; time <= 2000; time++) {
    const coverage = { ...full, missedAllocations: 1e6 * time };
    const of = reading({ allocations: 60, bytes: 960, allocatedCount: 220 });
    judge.observe(of, time, { coverage, outstandingBytes: of.bytes });
    assert.deepEqual(judge.conclude(time, time * 1000), []);
  }
  assert.equal(judge.judgement('k')?.state, 'confirmed');
});

test('frees that may have been missed could be all that grows', () => {
  const judge = createJudge({ window: WINDOW });
  const changes: Change[] = [];
  for (let time = 1; time <= 60; time++) {
    const coverage = { ...full, missedFrees: time };
    const of = reading({ allocations: time, bytes: 16 * time });
    judge.observe(of, time, { coverage, outstandingBytes: of.bytes });
    changes.push(...judge.conclude(time, time * 1000));
  }
  assert.deepEqual(changes, []);
});

test('a stack that is forgotten is told of once more and then unknown', () => {
  const judge = createJudge({ window: WINDOW });
  watch(judge, [1, 20], (time) => time);
  judge.forget('k');
  judge.conclude(21, 21_000);
  assert.equal(judge.judgement('k'), undefined);
});

test('after a restart growth is counted on from where it was', () => {
  const first = createJudge({ window: WINDOW });
  watch(first, [1, 40], (time) => time);
  assert.equal(first.judgement('k')?.state, 'suspected');
  const saved = first.save();
  const second = createJudge({ window: WINDOW }, saved);
  // Outstanding begins at zero again: what was allocated before is not known to the new watcher.
  const states = watch(second, [45, 75], (time) => time - 44).map(({ after }) => after.state);
  assert.deepEqual(states, ['confirmed']);
});

test('after a restart the usual traffic that is seen anew is no growth', () => {
  const traffic = (from: number) => (time: number) => Math.min(50, (time - from) * 10);
  const first = createJudge({ window: WINDOW });
  watch(first, [1, 60], traffic(0));
  const second = createJudge({ window: WINDOW }, first.save());
  assert.deepEqual(watch(second, [65, 130], traffic(64)), []);
  assert.ok((second.judgement('k')?.growth ?? 0) < 1);
});

test('who was not watched for a while goes on where it was', () => {
  const judge = createJudge({ window: WINDOW });
  watch(judge, [1, 40], (time) => time);
  assert.equal(judge.judgement('k')?.state, 'suspected');
  judge.pause('k');
  assert.deepEqual(judge.conclude(41, 41_000), []);
  assert.equal(judge.judgement('k'), undefined);
  const states = watch(judge, [100, 130], (time) => time - 99).map(({ after }) => after.state);
  assert.deepEqual(states, ['confirmed']);
});

test('who is watched for moments only loses nothing of what was known', () => {
  const judge = createJudge({ window: WINDOW });
  watch(judge, [1, 40], (time) => time);
  judge.pause('k');
  judge.conclude(41, 41_000);
  const [before] = judge.save().stacks;
  assert.ok(before);
  for (let time = 100; time < 2000; time += 100) {
    watch(judge, [time, time + 1], () => 1);
    judge.pause('k');
    judge.conclude(time + 2, (time + 2) * 1000);
  }
  assert.deepEqual(judge.save().stacks, [before]);
  const states = watch(judge, [2000, 2030], (time) => time - 1999).map(({ after }) => after.state);
  assert.deepEqual(states, ['confirmed']);
});

test('another process of the same pid does not go on with what was saved', () => {
  const first = createJudge({ window: WINDOW });
  watch(first, [1, 40], (time) => time);
  const second = createJudge({ window: WINDOW }, first.save());
  const of = {
    ...reading({ allocations: 1, bytes: 16 }),
    source: { kind: 'process', pid: 7, startTime: 10 },
  } as const;
  second.observe(of, 45, { coverage: full, outstandingBytes: 16 });
  second.conclude(45, 45_000);
  assert.equal(second.judgement('k')?.state, 'watching');
});

test('what was not seen again is kept as long as its process lives', () => {
  const first = createJudge({ window: WINDOW });
  watch(first, [1, 40], (time) => time);
  const saved = first.save();
  const [stack] = saved.stacks;
  assert.ok(stack);
  const second = createJudge({ window: WINDOW }, saved);
  second.conclude(41, 41_000);
  const asked: string[] = [];
  const lives = (identity: string) => asked.push(identity) > 0;
  assert.deepEqual(second.save(lives), saved);
  assert.deepEqual(asked, [stack.identity]);
  assert.deepEqual(second.save(() => false).stacks, []);
  assert.deepEqual(ownerOf(stack.identity), { pid: 7, startTime: 9 });
});
