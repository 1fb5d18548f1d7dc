import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeltaConverter } from './delta.js';
import type { HistogramPoint, PointBatch, ScalarPoint } from './points.js';
import { failures, START, sampleBatch } from './testing/samples.js';

const scalars = (batch: PointBatch): ScalarPoint[] =>
  batch.metrics.flatMap((metric) => metric.scalars);
const values = (batch: PointBatch) => scalars(batch).map(({ value }) => value);
const converter = (maxSeries?: number) =>
  new DeltaConverter({ createdAt: START - 1, ...(maxSeries !== undefined && { maxSeries }) });
const at = (seconds: number) => START + seconds * 1000;
const seriesOf = (delta: DeltaConverter) =>
  delta.states.reduce((sum, { series }) => sum + series, 0);

test('a counter that began under our eyes is sent whole, then by what it grew', () => {
  const delta = converter();
  const first = delta.convert(failures(5, at(10)));
  const second = delta.convert(failures(7, at(20)));
  assert.deepEqual(values(first), [5]);
  assert.equal(scalars(first)[0]?.startTime, START);
  assert.deepEqual(values(second), [2]);
  assert.equal(scalars(second)[0]?.startTime, at(10));
});

test('the deltas of a series add up to its value, whatever happens in between', () => {
  const delta = converter();
  const steps = [3, 3, 10, 11, 40];
  const sent = steps.map((value, i) => values(delta.convert(failures(value, at(10 * (i + 1))))));
  assert.equal(
    sent.flat().reduce((sum, value) => sum + value, 0),
    40,
  );
});

test('a counter that fell without saying so counts from 0', () => {
  const delta = converter();
  delta.convert(failures(100, at(10)));
  assert.deepEqual(values(delta.convert(failures(4, at(20)))), [4]);
  assert.deepEqual(values(delta.convert(failures(6, at(30)))), [2]);
});

test('a plugin that started again counts from 0', () => {
  const delta = converter();
  delta.convert(failures(100, at(10)));
  const restarted = sampleBatch(
    (out) => out.point('memwatcher.sample.failures', 120, { zone: 'DMA' }),
    at(20),
    at(15),
  );
  const sent = scalars(delta.convert(restarted));
  assert.deepEqual(
    sent.map(({ value, startTime }) => [value, startTime]),
    [[120, at(15)]],
  );
});

test('a process that outlives a restart of the plugin loses nothing of its counters', () => {
  const delta = converter();
  const process = (value: number, time: number, pluginStart: number) =>
    sampleBatch(
      (out) => out.point('memwatcher.sample.failures', value, { zone: 'pid 7' }, at(1)),
      time,
      pluginStart,
    );
  const sent = [
    process(100, at(10), START),
    process(130, at(20), START),
    process(150, at(21), at(20.5)),
    process(155, at(30), at(20.5)),
  ].map((batch) => values(delta.convert(batch)));
  assert.deepEqual(sent, [[100], [30], [20], [5]]);
  assert.equal(seriesOf(delta), 1);
});

test('a series that is absent for a while loses nothing and sends nothing twice', () => {
  const delta = converter();
  delta.convert(failures(5, at(10)));
  delta.convert(sampleBatch(() => undefined, at(20)));
  assert.deepEqual(values(delta.convert(failures(8, at(30)))), [3]);
});

const process = (value: number, seconds: number, began: number) =>
  sampleBatch((out) => {
    out.point('memwatcher.sample.failures', value, { zone: 'p', node: 1 }, began);
    out.point('memwatcher.sample.failures', 0, { zone: 'always' });
  }, at(seconds));
const ofProcess = (batch: PointBatch) =>
  scalars(batch)
    .filter(({ attributes }) => attributes.zone === 'p')
    .map(({ value }) => value);

test('a process that is older than the agent only sets the mark', () => {
  const delta = converter();
  assert.deepEqual(ofProcess(delta.convert(process(1000, 10, at(-500)))), []);
  assert.deepEqual(ofProcess(delta.convert(process(1003, 20, at(-500)))), [3]);
});

test('a process that began since the last look is sent whole', () => {
  const delta = converter();
  delta.convert(failures(1, at(10)));
  assert.deepEqual(ofProcess(delta.convert(process(7, 20, at(15)))), [7]);
});

test('a process that vanished is forgotten, and only sets the mark if it comes back', () => {
  const delta = converter();
  delta.convert(process(7, 10, at(5)));
  assert.equal(seriesOf(delta), 2);
  const without = sampleBatch(
    (out) => out.point('memwatcher.sample.failures', 0, { zone: 'always' }),
    at(20),
  );
  delta.convert(without);
  assert.equal(seriesOf(delta), 1);
  assert.deepEqual(ofProcess(delta.convert(process(9, 30, at(5)))), []);
});

test('what may fall stays as it is', () => {
  const delta = converter();
  const batch = sampleBatch((out) => {
    out.point('memwatcher.sample.usage', 10, { zone: 'DMA' });
    out.point('memwatcher.sample.level', 0.5, { zone: 'DMA' });
  });
  assert.deepEqual(delta.convert(batch), batch);
});

test('the order in which attributes were set does not matter', () => {
  const delta = converter();
  delta.convert(
    sampleBatch((out) => out.point('memwatcher.sample.failures', 5, { zone: 'a', node: 1 })),
  );
  const turned = sampleBatch(
    (out) => out.point('memwatcher.sample.failures', 6, { node: 1, zone: 'a' }),
    at(20),
  );
  assert.deepEqual(values(delta.convert(turned)), [1]);
});

/** New series a batch, each of which is seen once. */
function churn(delta: DeltaConverter, batches: number, each: number, began?: number) {
  for (let n = 0; n < batches; n++) {
    const time = at(10 * (n + 1));
    const batch = sampleBatch((out) => {
      for (let i = 0; i < each; i++) {
        const attributes = { zone: 'gone', node: n * each + i };
        out.point('memwatcher.sample.failures', 1, attributes, began && time - began);
      }
    }, time);
    delta.convert(batch);
  }
}

const other = (batch: PointBatch): PointBatch => ({ ...batch, plugin: 'other' });

test('series in use are bounded by plugin, and what does not fit is counted by plugin', () => {
  const delta = converter(3);
  const many = sampleBatch((out) => {
    for (let node = 0; node < 5; node++) out.point('memwatcher.sample.failures', 1, { node });
  });
  assert.equal(values(delta.convert(many)).length, 3);
  assert.deepEqual(values(delta.convert(other(failures(7)))), [7]);
  assert.deepEqual(
    delta.states.map(({ plugin, series, dropped }) => [plugin, series, dropped.series_limit]),
    [
      ['sample', 3, 2],
      ['other', 1, 0],
    ],
  );
});

test('200,000 series that came and went leave room for new ones, of any plugin', () => {
  for (const began of [undefined, 5000]) {
    const delta = converter();
    churn(delta, 100, 2000, began);
    assert.ok(seriesOf(delta) <= 100_000, `${seriesOf(delta)} series`);
    assert.deepEqual(values(delta.convert(other(failures(7, at(2000))))), [7]);
    const late = sampleBatch((out) => {
      for (let node = -100; node < 0; node++) out.point('memwatcher.sample.failures', 3, { node });
    }, at(2000));
    const sent = values(delta.convert(late));
    // A few may be taken for series that were here before.
    assert.ok(sent.length >= 80 && sent.every((value) => value === 3), `${sent.length} of 100`);
    const dropped = delta.states.map((state) => state.dropped.series_limit);
    assert.deepEqual(dropped.slice(1), [0], 'nothing of the other plugin');
  }
});

test('a series that made room for others and comes back is not sent whole again', () => {
  const delta = converter(10);
  delta.convert(failures(1_000_000, at(1)));
  churn(delta, 10, 10);
  assert.deepEqual(values(delta.convert(failures(1_000_001, at(200)))), []);
  assert.deepEqual(values(delta.convert(failures(1_000_004, at(210)))), [3]);
});

test('an older batch after a newer one is dropped and counted, and is no reset', () => {
  const delta = converter();
  delta.convert(failures(1_000_000, at(10)));
  delta.convert(failures(1_000_020, at(30)));
  assert.deepEqual(delta.convert(failures(1_000_010, at(20))).metrics, []);
  assert.deepEqual(values(delta.convert(failures(1_000_030, at(40)))), [10]);
  assert.deepEqual(
    delta.states.map(({ dropped }) => dropped.out_of_order),
    [1],
  );
});

test('a clock that is set back is no disorder', () => {
  const delta = converter();
  const steady = (value: number, seconds: number, steadySeconds: number) => ({
    ...failures(value, at(seconds)),
    steadyTime: at(steadySeconds),
  });
  delta.convert(steady(100, 3600, 1));
  assert.deepEqual(values(delta.convert(steady(103, 10, 2))), [3]);
  assert.deepEqual(values(delta.convert(steady(110, 20, 3))), [7]);
});

test('a start time that is measured anew is the same counter', () => {
  const delta = converter();
  const sent = [at(1), at(1) + 310, at(1) - 6].map((began, n) =>
    ofProcess(delta.convert(process(1_000_000 + 10 * n, 10 + 10 * n, began))),
  );
  assert.deepEqual(sent, [[1_000_000], [10], [10]]);
});

test('a start time after the last look is a reset, whatever the value', () => {
  const delta = converter();
  delta.convert(process(100, 10, at(5)));
  assert.deepEqual(ofProcess(delta.convert(process(150, 20, at(15)))), [150]);
});

const histogram = (point: Omit<HistogramPoint, 'attributes'>, seconds: number) =>
  sampleBatch((out) => out.histogram('memwatcher.sample.duration', point, {}), at(seconds));

test('histograms: buckets are subtracted where they lie, extremes are left out', () => {
  const delta = converter();
  const first = { count: 4, sum: 20, zeroCount: 1, offset: 2, buckets: [1, 2], min: 0, max: 12 };
  delta.convert(histogram(first, 10));
  const grown = { count: 9, sum: 50, zeroCount: 1, offset: 1, buckets: [2, 3, 2, 1], max: 30 };
  const [sent] = delta.convert(histogram(grown, 20)).metrics[0]?.histograms ?? [];
  assert.deepEqual(sent, {
    attributes: {},
    count: 5,
    sum: 30,
    zeroCount: 0,
    offset: 1,
    buckets: [2, 2, 0, 1],
    startTime: at(10),
  });
});

test('histograms: a bucket that fell is a reset', () => {
  const delta = converter();
  const full = { count: 9, sum: 9, zeroCount: 0, offset: 0, buckets: [9] };
  delta.convert(histogram(full, 10));
  const reset = { count: 10, sum: 3, zeroCount: 0, offset: 0, buckets: [1, 9] };
  const [sent] = delta.convert(histogram(reset, 20)).metrics[0]?.histograms ?? [];
  assert.deepEqual(sent?.buckets, [1, 9]);
  assert.equal(sent?.startTime, at(10));
});

test('an exemplar is sent in the interval that it came in, and once', () => {
  const exemplar = (n: number) => ({
    value: n,
    time: at(n),
    span: { traceId: `${n}`.padStart(32, '0'), spanId: `${n}`.padStart(16, '0') },
  });
  const delta = converter();
  const send = (count: number, ids: readonly number[], time: number) => {
    const point = { count, sum: 0, zeroCount: 0, offset: 0, buckets: [count] };
    const exemplars = ids.map(exemplar);
    const batch = sampleBatch(
      (out) => out.histogram('memwatcher.sample.duration', { ...point, exemplars }, {}),
      time,
    );
    const [sent] = delta.convert(batch).metrics.flatMap(({ histograms }) => histograms);
    return sent?.exemplars?.map(({ value }) => value);
  };
  assert.deepEqual(send(2, [2, 1], at(10)), [2, 1]);
  // The kernel tells late: 3 ended before the last collection, and came after it.
  assert.deepEqual(send(4, [11, 3, 2], at(20)), [11, 3]);
  assert.deepEqual(send(4, [11, 3, 2], at(30)), []);
});
