import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pool, poolMetadata } from '../../test/fakes/plugin.js';
import { PointBatchBuilder } from '../telemetry/points.js';
import { eventRecord, jsonLine, pointRecords, spanRecord } from './json.js';

test('points, histograms with the upper bounds of their buckets', () => {
  const builder = new PointBatchBuilder(poolMetadata, () => true);
  pool.report({ owners: ['a', 'b'], bytes: 8192 }, builder);
  const time = '2026-11-23T11:00:00.250Z';
  const of = { time, plugin: 'pool' };
  const size = { ...of, name: 'memwatcher.pool.size', unit: 'By', value: 8192 };
  assert.deepEqual(
    [...pointRecords(builder.build(Date.parse(time), 0))],
    [
      { ...size, attributes: { 'memwatcher.pool.owner': 'a' } },
      { ...size, attributes: { 'memwatcher.pool.owner': 'b' } },
      {
        ...of,
        name: 'memwatcher.pool.wait',
        unit: 'ns',
        attributes: {},
        // offset 1: the first bucket is (2, 4], the third (8, 16].
        value: {
          count: 3,
          sum: 7,
          zero_count: 0,
          buckets: [
            { le: 4, count: 1 },
            { le: 16, count: 2 },
          ],
        },
      },
    ],
  );
});

test('exemplars of a histogram name their span', () => {
  const builder = new PointBatchBuilder(poolMetadata, () => true);
  const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: '00f067aa0ba902b7' };
  const time = Date.UTC(2026, 10, 23);
  const wait = { count: 1, sum: 7, zeroCount: 0, offset: 2, buckets: [1] };
  const exemplars = [{ value: 7, time, span }];
  builder.histogram('memwatcher.pool.wait', { ...wait, exemplars }, {});
  const [record] = [...pointRecords(builder.build(time, 0))];
  const shown = { time: '2026-11-23T00:00:00.000Z', value: 7 };
  assert.deepEqual(record?.value, {
    count: 1,
    sum: 7,
    zero_count: 0,
    buckets: [{ le: 8, count: 1 }],
    exemplars: [{ ...shown, trace_id: span.traceId, span_id: span.spanId }],
  });
});

test('events', () => {
  const event = {
    plugin: 'pool',
    event: 'memwatcher.pool.exhausted',
    time: Date.UTC(2026, 10, 23),
    severity: 'WARN' as const,
    attributes: { 'memwatcher.pool.owner': 'a', absent: undefined },
    body: 'the pool is empty',
  };
  assert.equal(
    jsonLine(eventRecord(event)),
    '{"time":"2026-11-23T00:00:00.000Z","plugin":"pool","event":"memwatcher.pool.exhausted",' +
      '"severity":"WARN","attributes":{"memwatcher.pool.owner":"a"},"body":"the pool is empty"}\n',
  );
});

test('spans', () => {
  const span = {
    plugin: 'pool',
    ids: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: '00f067aa0ba902b7' },
    name: 'memwatcher.pool.wait',
    startTime: Date.UTC(2026, 10, 23) + 0.75,
    endTime: Date.UTC(2026, 10, 23) + 13.25,
    attributes: { 'process.pid': 7 },
  };
  assert.equal(
    jsonLine(spanRecord(span)),
    '{"time":"2026-11-23T00:00:00.000Z","plugin":"pool","span":"memwatcher.pool.wait",' +
      '"duration_seconds":0.0125,"trace_id":"0af7651916cd43dd8448eb211c80319c",' +
      '"span_id":"00f067aa0ba902b7","attributes":{"process.pid":7}}\n',
  );
});

test('an attribute that is a list is one in the record too', () => {
  const happened = { plugin: 'pool', event: 'e', time: 0, severity: 'INFO' as const, body: '' };
  const attributes = { names: ['a', '\x1b'], numbers: [1, 2], none: [] };
  const line = jsonLine(eventRecord({ ...happened, attributes }));
  assert.ok(
    line.includes('"attributes":{"names":["a","\\u001b"],"numbers":[1,2],"none":[]}'),
    line,
  );
});

test('a record is one line without control characters, whatever is in it', () => {
  const hostile = { name: '\x1b[2J\n\u009b2J\u007f' };
  const line = jsonLine(hostile);
  assert.doesNotMatch(line.trimEnd(), /\p{Cc}/u);
  assert.deepEqual(JSON.parse(line), hostile);
});
