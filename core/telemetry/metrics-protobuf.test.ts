import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { toScopeMetrics } from './metric-data.js';
import { MetricsProtobuf } from './metrics-protobuf.js';
import type { PointBatch } from './points.js';
import { START, sampleBatch } from './testing/samples.js';
import { decode, metricsRequest } from './testing/wire.js';

const resource = resourceFromAttributes({ 'host.name': 'h', n: -3, ok: true, share: 0.25 });
const metricsOf = (batch: PointBatch, temporality: 'cumulative' | 'delta'): ResourceMetrics => ({
  resource,
  scopeMetrics: [toScopeMetrics(batch, '1.2.3', temporality), toScopeMetrics(batch, '', 'delta')],
});

const shared = { zone: 'Zone – ünïcode 💾', node: 7 };
const everything = sampleBatch((out) => {
  out.point('memwatcher.sample.failures', 2 ** 53 - 1, shared);
  out.point('memwatcher.sample.failures', 0, { zone: undefined });
  out.point('memwatcher.sample.usage', -5_000_000_000, shared, START - 86_400_123.456);
  out.point('memwatcher.sample.usage', -1, { node: -1 });
  out.point('memwatcher.sample.usage', 4_294_967_296, { node: 2 ** 40 });
  out.point('memwatcher.sample.level', 0.1, shared);
  const buckets = [0, 3, 2 ** 40, 0];
  const point = { count: 2 ** 40 + 4, sum: 12.5, zeroCount: 1, offset: -20, buckets };
  out.histogram('memwatcher.sample.duration', { ...point, min: 0, max: 9.5 }, shared);
  out.histogram('memwatcher.sample.duration', { ...point, offset: 3 }, {});
}, START + 10_000.25);

for (const temporality of ['cumulative', 'delta'] as const) {
  test(`says what the SDK's serializer says (${temporality})`, () => {
    const metrics = metricsOf(everything, temporality);
    const ours = decode(new MetricsProtobuf().serializeRequest(metrics), metricsRequest);
    const bytes = ProtobufMetricsSerializer.serializeRequest(metrics);
    assert.ok(bytes);
    const theirs = decode(bytes, metricsRequest);
    assert.deepEqual(withoutEmpty(ours), withoutEmpty(theirs));
  });
}

test('integers, times and temporality, read by hand', () => {
  const bytes = new MetricsProtobuf().serializeRequest(metricsOf(everything, 'delta'));
  const text = textOf(bytes);
  assert.match(text, /"asInt":"9007199254740991"/);
  assert.match(text, /"asInt":"-5000000000"/);
  assert.match(text, /"asDouble":0\.1[,}]/);
  assert.match(text, /"start":"1800000000000000000",?/);
  assert.match(text, /"time":"1800000010000250000"/);
  assert.match(text, /"name":"memwatcher\.sample\.failures".*?"temporality":"1","monotonic":true/s);
});

test('exemplars: value, time and the span, in the metric’s own type', () => {
  const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: '00f067aa0ba902b7' };
  const other = { traceId: 'f'.repeat(32), spanId: '0'.repeat(15).concat('1') };
  const point = { count: 2, sum: 3.5, zeroCount: 0, offset: 0, buckets: [2] };
  const exemplars = [
    { value: 2.5, time: START + 0.25, span },
    { value: 1, time: START + 2, span: other },
  ];
  const batch = sampleBatch((out) => {
    out.histogram('memwatcher.sample.duration', { ...point, exemplars }, { zone: 'DMA' });
    out.histogram('memwatcher.sample.duration', point, { zone: 'Normal' });
  });
  const pointsOf = (bytes: Uint8Array) => {
    const text = textOf(bytes);
    return [...text.matchAll(/"exemplars":(\[.*?\])/g)].map(([, list = '']) => JSON.parse(list));
  };
  const metrics = metricsOf(batch, 'cumulative');
  const time = ['1800000000000250000', '1800000000002000000'];
  const decoded = pointsOf(new MetricsProtobuf().serializeRequest(metrics));
  // The metric is of integers: what is whole is sent so.
  assert.deepEqual(decoded[0], [
    { time: time[0], asDouble: 2.5, ...span },
    { time: time[1], asInt: '1', ...other },
  ]);
  assert.equal(decoded.length, 2, 'one a scope: the point without exemplars has none');
});

test('an attribute that is an array is what the SDK makes of it', () => {
  const attributes = { 'process.command_args': ['a', 'ü'], numbers: [1, -2], none: [] };
  const metrics = { resource: resourceFromAttributes(attributes), scopeMetrics: [] };
  const ours = decode(new MetricsProtobuf().serializeRequest(metrics), metricsRequest);
  const theirs = ProtobufMetricsSerializer.serializeRequest(metrics);
  assert.ok(theirs);
  assert.deepEqual(withoutEmpty(ours), withoutEmpty(decode(theirs, metricsRequest)));
});

test('thousands of points keep their order, whatever the first guess of the size was', () => {
  const many = sampleBatch((out) => {
    for (let node = 0; node < 3000; node++) {
      out.point('memwatcher.sample.usage', node * 3, { zone: `z${node % 7}`, node });
    }
  });
  const protobuf = new MetricsProtobuf();
  const metrics = metricsOf(many, 'cumulative');
  const first = protobuf.serializeRequest(metrics);
  assert.ok(Buffer.from(first).equals(protobuf.serializeRequest(metrics)));
  const theirs = ProtobufMetricsSerializer.serializeRequest(metrics);
  assert.ok(theirs);
  assert.equal(textOf(first), textOf(theirs));
});

const textOf = (bytes: Uint8Array) =>
  JSON.stringify(withoutEmpty(decode(bytes, metricsRequest)), (_, value) =>
    typeof value === 'bigint' ? `${value}` : value,
  );

/** Theirs writes empty messages and zeros where the format lets one leave them out. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .map(([key, inner]) => [key, withoutEmpty(inner)] as const)
    .filter(([key, inner]) => !isEmpty(inner) && !(DEFAULTS.has(key) && inner === 0n));
  return Object.fromEntries(entries);
}

const DEFAULTS: ReadonlySet<string> = new Set(['dropped', 'scale', 'offset']);
const isEmpty = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;
