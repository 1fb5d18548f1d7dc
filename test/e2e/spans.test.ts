/**
 * Spans on their whole road, without a kernel: the agent's telemetry, a real Jaeger, and what its
 * API gives back; and exemplars at a real Collector, which name the spans that Jaeger has.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { Exporters } from '../../core/config/schema.js';
import type { SpanRecord } from '../../core/telemetry/events.js';
import { createTelemetry, type Telemetry } from '../../core/telemetry/pipeline.js';
import { detectResource } from '../../core/telemetry/resource.js';
import { newSpanIds } from '../../core/telemetry/span-ids.js';
import { recordingLogger, sampleBatch } from '../../core/telemetry/testing/samples.js';
import { Collector, until } from './collector.js';
import { Jaeger } from './jaeger.js';
import { lackForJaeger } from './lack.js';
import type { Span } from './otlp-json.js';

const MANY = 5000;
const SERVICE = 'mem-watcher';
const ARRIVAL_MS = 30_000;
/** A double holds today's Unix milliseconds to a quarter of a microsecond. */
const PRECISION_NS = 250n;

const now = Date.now();
const HOSTILE = 'a "b" \\ <c>\n\u0000é漢';

const span = (name: string, fields: Partial<SpanRecord> = {}): SpanRecord => ({
  plugin: 'pr',
  ids: newSpanIds(),
  name,
  startTime: now - 1000.125,
  endTime: now - 1000.125 + 0.75,
  attributes: {},
  ...fields,
});

suite('spans → Jaeger', { skip: await lackForJaeger() }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-e2e-'));
  const logger = recordingLogger();
  let jaeger: Jaeger;
  let collector: Collector;
  let telemetry: Telemetry;

  before(async () => {
    jaeger = await Jaeger.start({ dir });
    collector = await Collector.start({ dir });
    telemetry = await createTelemetry({
      config: Exporters.parse({
        otlp: {
          jaeger: { endpoint: jaeger.endpoint, signals: ['traces'] },
          collector: { endpoint: collector.endpoint(), protocol: 'http/json' },
        },
        prometheus: { enabled: false },
      }),
      resource: detectResource({ config: {}, env: {}, version: '1.2.3' }),
      version: '1.2.3',
      logger,
      env: {},
    });
  });

  after(async () => {
    await telemetry?.close();
    await collector?.stop();
    await jaeger?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  async function arrived(record: SpanRecord): Promise<Span> {
    let spans: Span[] = [];
    await until(
      async () => {
        spans = await jaeger.trace(record.ids.traceId);
        return spans.length > 0;
      },
      ARRIVAL_MS,
      () => `Jaeger has no trace ${record.ids.traceId}`,
    );
    assert.equal(spans.length, 1);
    const [found] = spans;
    assert.ok(found);
    return found;
  }

  test('one is a trace of its own, with its name, its times and its attributes', async () => {
    const record = span('memwatcher.reclaim', {
      attributes: {
        'process.pid': 4321,
        'process.executable.name': HOSTILE,
        'container.id': 'ab'.repeat(32),
        efficiency: 0.25,
        stalled: true,
        absent: undefined,
        frames: ['try_to_free_pages', HOSTILE],
        orders: [0, 9],
      },
    });
    assert.equal(telemetry.span(record), true);
    const found = await arrived(record);
    assert.equal(found.name, record.name);
    assert.equal(found.spanId, record.ids.spanId);
    assert.equal(found.parentSpanId, '');
    assert.equal(found.scope, 'mem-watcher.pr');
    assert.equal(found.resource['service.name'], SERVICE);
    near(found.startNs, record.startTime);
    near(found.endNs, record.endTime);
    const { absent, ...present } = record.attributes;
    assert.equal(absent, undefined);
    for (const [key, value] of Object.entries(present)) {
      assert.deepEqual(found.attributes[key], value, key);
    }
    assert.ok(!('absent' in found.attributes));
  });

  test('is found by service, operation and attribute, as a person would look for it', async () => {
    const container = 'cd'.repeat(32);
    const record = span('memwatcher.search', { attributes: { 'container.id': container } });
    telemetry.span(record);
    await arrived(record);
    assert.ok((await jaeger.services()).includes(SERVICE));
    assert.ok((await jaeger.operations(SERVICE)).includes(record.name));
    const ids = (spans: readonly Span[]) => spans.map(({ traceId }) => traceId);
    assert.deepEqual(ids(await jaeger.spans(SERVICE, record.name)), [record.ids.traceId]);
    assert.deepEqual(await jaeger.search(SERVICE, { 'container.id': container }), [
      record.ids.traceId,
    ]);
    assert.deepEqual(await jaeger.search(SERVICE, { 'container.id': 'none' }), []);
  });

  test('many at once arrive, each once', async () => {
    const records = Array.from({ length: MANY }, () => span('memwatcher.many'));
    for (const record of records) telemetry.span(record);
    let spans: Span[] = [];
    await until(
      async () => {
        spans = await jaeger.spans(SERVICE, 'memwatcher.many');
        return spans.length >= MANY || failures(telemetry).length > 0;
      },
      ARRIVAL_MS,
      () => `${spans.length} of ${MANY} arrived`,
    );
    assert.deepEqual(failures(telemetry), []);
    assert.deepEqual(
      spans.map(({ spanId }) => spanId).sort(),
      records.map(({ ids }) => ids.spanId).sort(),
    );
  });

  test('an exemplar at the Collector names a trace that Jaeger has', async () => {
    const record = span('memwatcher.exemplary');
    telemetry.span(record);
    const value = (record.endTime - record.startTime) / 1000;
    const exemplar = { value, time: record.endTime, span: record.ids };
    const point = { count: 1, sum: value, zeroCount: 0, offset: -11, buckets: [1] };
    const batch = sampleBatch(
      (out) => out.histogram('memwatcher.sample.duration', { ...point, exemplars: [exemplar] }, {}),
      now,
      now - 10_000,
    );
    telemetry.publish([batch]);
    const points = () =>
      collector.metrics().filter(({ name }) => name === 'memwatcher.sample.duration');
    await until(
      () => points().length > 0,
      ARRIVAL_MS,
      () => 'the histogram did not arrive',
    );
    const [arrivedExemplar] = points()[0]?.exemplars ?? [];
    assert.equal(arrivedExemplar?.traceId, record.ids.traceId);
    assert.equal(arrivedExemplar?.spanId, record.ids.spanId);
    assert.equal(arrivedExemplar?.value, value);
    assert.equal((await arrived(record)).spanId, arrivedExemplar?.spanId);
  });

  test('the Collector was told the same by JSON', async () => {
    const known = new Map((await jaeger.spans(SERVICE)).map((each) => [each.spanId, each]));
    await until(
      () => collector.spans().length >= known.size,
      ARRIVAL_MS,
      () => `${collector.spans().length} of ${known.size}`,
    );
    for (const theirs of collector.spans()) {
      const { startNs, endNs, name, attributes } = known.get(theirs.spanId) ?? {};
      assert.deepEqual([startNs, endNs, name], [theirs.startNs, theirs.endNs, theirs.name]);
      for (const [key, value] of Object.entries(theirs.attributes)) {
        assert.deepEqual(attributes?.[key], value, key);
      }
    }
  });

  test('a Jaeger that takes traces only has nobody complain', () => {
    assert.deepEqual(
      logger.lines.filter(({ level }) => level !== 'debug' && level !== 'info'),
      [],
    );
  });
});

function near(ns: bigint, ms: number): void {
  const expected = BigInt(Math.round(ms * 1e6));
  const off = ns > expected ? ns - expected : expected - ns;
  assert.ok(off <= PRECISION_NS, `${ns} is ${off} ns off ${expected}`);
}

const failures = (telemetry: Telemetry): string[] =>
  telemetry.outcomes().flatMap(({ lastError }) => lastError ?? []);
