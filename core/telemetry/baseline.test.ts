import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Baseline, gained } from './baseline.js';
import type { PointBatch } from './points.js';
import { failures, sampleBatch } from './testing/samples.js';

const values = ({ metrics }: PointBatch) =>
  metrics.flatMap(({ scalars }) => scalars.map(({ value }) => value));

test('a counter that fell counts from 0, and is whole from then on', () => {
  const baseline = new Baseline(failures(10), 1000);
  const seen = [12, 5, 9, 12].map((value) => values(baseline.subtractFrom(failures(value)))[0]);
  assert.deepEqual(seen, [2, 5, 9, 12]);
});

test('subtracts what the instance counted, however its series began, and nothing else', () => {
  const batch = (own: number, kernels: number) =>
    sampleBatch((out) => {
      const name = 'memwatcher.sample.failures';
      out.point(name, own, { zone: 'DMA' }, 1);
      out.point(name, own, { zone: 'Normal' }, 2_000_000_000_000);
      out.point(name, own, { zone: 'Movable' });
      out.point(name, kernels, { zone: 'DMA32' }, 2_000_000_000_000, 'kernel');
    });
  assert.deepEqual(
    values(new Baseline(batch(10, 50), 1000).subtractFrom(batch(13, 60))),
    [3, 3, 3, 60],
  );
});

const zones = (figures: Readonly<Record<string, number>>) =>
  sampleBatch((out) => {
    for (const [zone, value] of Object.entries(figures)) {
      out.point('memwatcher.sample.failures', value, { zone });
    }
  });
const byZone = ({ metrics }: PointBatch) =>
  Object.fromEntries(
    metrics.flatMap(({ scalars }) =>
      scalars.map(({ attributes, value }) => [attributes.zone as string, value]),
    ),
  );

test('what the instance before had not sent is in the first snapshot, and in its series from then on', () => {
  const unsent = gained(
    zones({ DMA: 10, Normal: 4, Movable: 7 }),
    zones({ DMA: 12, Normal: 1, Movable: 7, DMA32: 5 }),
  );
  const baseline = new Baseline(zones({ DMA: 3 }), 1000, unsent);
  // Normal fell: it began anew. Movable gained nothing.
  assert.deepEqual(byZone(baseline.subtractFrom(zones({ DMA: 4 }))), {
    DMA: 3,
    Normal: 1,
    DMA32: 5,
  });
  assert.deepEqual(byZone(baseline.subtractFrom(zones({ DMA: 5, Normal: 2 }))), {
    DMA: 4,
    Normal: 3,
  });
});

test('histograms: what was not sent is added bucket by bucket', () => {
  const durations = (buckets: number[], offset: number) =>
    sampleBatch((out) => {
      const count = buckets.reduce((sum, value) => sum + value, 0);
      out.histogram(
        'memwatcher.sample.duration',
        { count, sum: count, zeroCount: 0, offset, buckets },
        {},
      );
    });
  const unsent = gained(durations([1, 1], 2), durations([1, 3], 2));
  const [metric] = new Baseline(durations([1], 1), 1000, unsent).subtractFrom(
    durations([4], 1),
  ).metrics;
  const [point] = metric?.histograms ?? [];
  assert.deepEqual([point?.count, point?.offset, point?.buckets], [5, 1, [3, 0, 2]]);
});
