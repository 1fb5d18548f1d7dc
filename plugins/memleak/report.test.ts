import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PointBatchBuilder } from '../../core/telemetry/points.js';
import { metadata } from './metadata.js';
import type { LeakSnapshot } from './model.js';
import { fakeSnapshot } from './output/fake.js';
import { report } from './report.js';

const snapshot: LeakSnapshot = fakeSnapshot();

function pointsOf(records: LeakSnapshot) {
  const builder = new PointBatchBuilder(metadata, () => true);
  report(records, builder);
  const { metrics } = builder.build(records.time, records.startTime);
  return (name: keyof typeof metadata.metrics) =>
    metrics.find((points) => points.name === name)?.scalars ?? [];
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

test('the series of stacks and of the rest add up to all that is outstanding', () => {
  const points = pointsOf(snapshot)('memwatcher.allocation.outstanding.size');
  const live = snapshot.targets.filter(({ ended }) => !ended);
  assert.ok(points.length > live.length);
  assert.equal(
    sum(points.map(({ value }) => value)),
    sum(live.map(({ bytes }) => Math.round(bytes))),
  );
  const rests = points.filter(({ attributes }) => attributes['memwatcher.allocation.other']);
  assert.equal(rests.length, live.length);
});

test('a stack’s series says where it is and what is held of it', () => {
  const points = pointsOf(snapshot)('memwatcher.allocation.outstanding.count');
  for (const stack of snapshot.stacks) {
    const own = points.find(
      ({ attributes }) => attributes['memwatcher.allocation.stack.id'] === stack.id,
    );
    assert.equal(own?.attributes['memwatcher.memory_leak.state'], stack.judgement.state, stack.id);
    assert.equal(own?.attributes['memwatcher.memory_leak.class'], stack.judgement.class);
    assert.equal(own?.value, Math.round(stack.reading.allocations));
  }
});

test('who has ended has no series', () => {
  const targets = snapshot.targets.map((target) => ({ ...target, ended: true as const }));
  const points = pointsOf({ ...snapshot, targets });
  assert.deepEqual(points('memwatcher.allocation.outstanding.size'), []);
  assert.deepEqual(points('memwatcher.allocation.recorded'), []);
});

test('targets are counted by whether all is well with them', () => {
  const [first] = snapshot.targets.filter(({ source }) => source.kind === 'process');
  assert.ok(first);
  const { reason: _, ...well } = first;
  const targets = [well, { ...well, reason: 'a Go program' }, { ...well, reason: 'no symbols' }];
  const counts = pointsOf({ ...snapshot, targets })('memwatcher.allocation.target.count').map(
    ({ attributes, value }) => [attributes['memwatcher.allocation.target.state'], value],
  );
  assert.deepEqual(counts, [
    ['watched', 1],
    ['impaired', 2],
  ]);
});

test('what was missed is told by what it was', () => {
  const [first] = snapshot.targets;
  assert.ok(first);
  const coverage = {
    samplingInterval: 65_536,
    missedAllocations: 3,
    missedFrees: 5,
    recorded: 70,
  };
  const points = pointsOf({ ...snapshot, targets: [{ ...first, coverage }] });
  assert.deepEqual(
    points('memwatcher.allocation.missed').map(({ attributes, value }) => [
      attributes['memwatcher.allocation.missed.reason'],
      value,
    ]),
    [
      ['not_recorded', 3],
      ['free_missed', 5],
    ],
  );
  assert.equal(points('memwatcher.allocation.sampling_interval')[0]?.value, 65_536);
  assert.equal(points('memwatcher.allocation.recorded')[0]?.value, 70);
});

test('stacks of processes that have ended are not counted for ever', () => {
  const states = [
    { state: 'confirmed', class: 'leak', count: 2 },
    { state: 'confirmed', class: 'leak', count: 5, ended: true },
  ] as const;
  const points = pointsOf({ ...snapshot, states });
  assert.deepEqual(
    points('memwatcher.memory_leak.stack.count').map(({ value }) => value),
    [2],
  );
});
