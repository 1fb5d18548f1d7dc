import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { toScopeMetrics } from './metric-data.js';
import { split } from './metric-reader.js';
import { metricsJson } from './metrics-json.js';
import type { HistogramPoint, PointBatch } from './points.js';
import { START, sampleBatch } from './testing/samples.js';

const resource = resourceFromAttributes({ 'host.name': 'h' });
const metricsOf = (...batches: PointBatch[]): ResourceMetrics => ({
  resource,
  scopeMetrics: batches.map((batch) => toScopeMetrics(batch, '1.2.3', 'cumulative')),
});
const written = (metrics: ResourceMetrics) => {
  const bytes = metricsJson.serializeRequest(metrics);
  assert.ok(bytes);
  return JSON.parse(Buffer.from(bytes).toString()) as {
    resourceMetrics: {
      scopeMetrics: {
        metrics: {
          name: string;
          exponentialHistogram?: { dataPoints: { exemplars?: object[]; count: number }[] };
        }[];
      }[];
    }[];
  };
};

const point = { count: 1, sum: 3, zeroCount: 0, offset: 0, buckets: [1] };
const span = (n: number) => ({
  traceId: String(n).padStart(32, '0'),
  spanId: String(n).padStart(16, '0'),
});
const histogram = (zone: string, more: Partial<HistogramPoint>) =>
  sampleBatch((out) => {
    out.point('memwatcher.sample.failures', 1, { zone });
    out.histogram('memwatcher.sample.duration', { ...point, count: 7 }, { zone: 'none' });
    out.histogram('memwatcher.sample.duration', { ...point, ...more }, { zone });
  });
const exemplarsIn = (metrics: ResourceMetrics) =>
  written(metrics).resourceMetrics.flatMap(({ scopeMetrics }) =>
    scopeMetrics.flatMap((scope) =>
      scope.metrics.flatMap((metric) =>
        (metric.exponentialHistogram?.dataPoints ?? []).map(({ exemplars }) => exemplars),
      ),
    ),
  );

test('without exemplars it is what the SDK writes', () => {
  const metrics = metricsOf(histogram('DMA', {}));
  const theirs = JsonMetricsSerializer.serializeRequest(metrics);
  assert.deepEqual(metricsJson.serializeRequest(metrics), theirs);
});

test('exemplars are with their own point, ids in hex, numbers of 64 bits as text', () => {
  const first = histogram('DMA', {
    exemplars: [
      { value: 3, time: START + 0.5, span: span(1) },
      { value: 2.5, time: START, span: span(2) },
    ],
  });
  const second = histogram('Normal', { exemplars: [{ value: 1, time: START, span: span(3) }] });
  const metrics = metricsOf(first, second);
  assert.deepEqual(exemplarsIn(metrics), [
    undefined,
    [
      { timeUnixNano: '1800000000000500000', asInt: '3', ...span(1) },
      { timeUnixNano: '1800000000000000000', asDouble: 2.5, ...span(2) },
    ],
    undefined,
    [{ timeUnixNano: '1800000000000000000', asInt: '1', ...span(3) }],
  ]);
});

test('a request that was split keeps each exemplar with its point', () => {
  const batch = histogram('DMA', { exemplars: [{ value: 3, time: START, span: span(9) }] });
  const requests = split(metricsOf(batch), 1).map(exemplarsIn);
  assert.deepEqual(
    requests.map((lists) => lists.map((list) => list?.length)),
    [[], [undefined], [1]],
  );
});
