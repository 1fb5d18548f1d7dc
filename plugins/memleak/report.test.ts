import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PointBatchBuilder } from '../../core/telemetry/points.js';
import { metadata } from './metadata.js';
import { CLASSES, type Judgement, type LeakSnapshot, STATES } from './model.js';
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

const STACK_ID = 'memwatcher.allocation.stack.id';

test('a stack has one series of what is outstanding, and its verdict has its own', () => {
  const points = pointsOf(snapshot);
  const of = (id: string, name: keyof typeof metadata.metrics) =>
    points(name).filter(({ attributes }) => attributes[STACK_ID] === id);
  const verdicts = [
    ['memwatcher.memory_leak.status', 'memwatcher.memory_leak.state', STATES, 'state'],
    ['memwatcher.memory_leak.classification', 'memwatcher.memory_leak.class', CLASSES, 'class'],
  ] as const;
  for (const { id, reading, judgement } of snapshot.stacks) {
    const count = of(id, 'memwatcher.allocation.outstanding.count');
    assert.deepEqual(
      count.map(({ value }) => value),
      [Math.round(reading.allocations)],
    );
    for (const [name, key, all, field] of verdicts) {
      assert.deepEqual(
        of(id, name).map(({ attributes, value }) => [attributes[key], value]),
        all.map((one) => [one, judgement[field] === one ? 1 : 0]),
      );
    }
  }
});

test('a verdict does not break the series of what is outstanding', () => {
  const series = (judgement: Partial<Judgement>) => {
    const stacks = snapshot.stacks.map((stack) => ({
      ...stack,
      judgement: { ...stack.judgement, ...judgement },
    }));
    const points = pointsOf({ ...snapshot, stacks });
    return Object.keys(metadata.metrics).map((name) =>
      points(name as keyof typeof metadata.metrics).map(({ attributes }) => attributes),
    );
  };
  assert.deepEqual(series({ state: 'confirmed', class: 'leak' }), series({ state: 'watching' }));
});

test('counters of a process began when it was followed', () => {
  const targets = snapshot.targets.map((target, n) => ({ ...target, countsSince: 1000 + n }));
  const points = pointsOf({ ...snapshot, targets });
  assert.deepEqual(
    points('memwatcher.allocation.recorded').map(({ startTime }) => startTime),
    targets.map(({ countsSince }) => countsSince),
  );
  assert.ok(points('memwatcher.allocation.missed').every(({ startTime }) => startTime));
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
  const targets = [
    well,
    { ...well, allocators: [] },
    { ...well, reason: 'a Go program' },
    { ...well, reason: 'no symbols' },
  ];
  const counts = pointsOf({ ...snapshot, targets })('memwatcher.allocation.target.count').map(
    ({ attributes, value }) => [attributes['memwatcher.allocation.target.state'], value],
  );
  assert.deepEqual(counts, [
    ['watched', 1],
    ['waiting', 1],
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

test('what scans cost is counted, and nothing is said where none may be', () => {
  const scans = { scans: 7, refused: 2, cpuSeconds: 0.25, read: 1 << 20 };
  const points = pointsOf({ ...snapshot, scans });
  assert.equal(points('memwatcher.memory_scan.scans')[0]?.value, 7);
  assert.equal(points('memwatcher.memory_scan.refused')[0]?.value, 2);
  assert.equal(points('memwatcher.memory_scan.cpu.time')[0]?.value, 0.25);
  assert.equal(points('memwatcher.memory_scan.read')[0]?.value, 1 << 20);
  assert.deepEqual(pointsOf(snapshot)('memwatcher.memory_scan.scans'), []);
});
