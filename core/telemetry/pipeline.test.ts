import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, test } from 'node:test';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { Exporters } from '../config/schema.js';
import { MemWatcherError } from '../errors.js';
import type { Clock } from './clock.js';
import type { EventRecord, SpanRecord } from './events.js';
import { createTelemetry, type Telemetry } from './pipeline.js';
import { newSpanIds } from './span-ids.js';
import { accept, FakeEndpoint, refuse } from './testing/endpoint.js';
import { failures, recordingLogger, START, sampleBatch } from './testing/samples.js';

const closables: { close(): Promise<void> }[] = [];
after(async () => {
  for (const closable of closables.toReversed()) await closable.close();
});

const resource = resourceFromAttributes({ 'host.name': 'here' });
const LONG = 30_000;

/** Retries at once; the time is the test's. */
class ImpatientClock implements Clock {
  time = START;
  now = () => this.time;
  steady = () => this.time;
  wait = () => new Promise<void>((resolve) => setImmediate(resolve));
}

async function endpointOf(): Promise<FakeEndpoint> {
  const endpoint = await new FakeEndpoint().listen();
  closables.push(endpoint);
  return endpoint;
}

async function telemetryOf(otlp: object, env: Record<string, string> = {}) {
  const clock = new ImpatientClock();
  const logger = recordingLogger();
  const telemetry = await createTelemetry({
    config: Exporters.parse({ otlp, prometheus: { enabled: false } }),
    resource,
    version: '1.2.3',
    logger,
    env,
    clock,
  });
  closables.push(telemetry);
  return { telemetry, logger, clock };
}

const to = (endpoint: FakeEndpoint, keys: object = {}) => ({
  default: { endpoint: endpoint.url, ...keys },
});

const outcomeOf = (telemetry: Telemetry, signal = 'metrics') => {
  const outcome = telemetry.outcomes().find((each) => each.signal === signal);
  assert.ok(outcome);
  return outcome;
};

/** Items of all requests so far, decoded. */
const itemsOf = (endpoint: FakeEndpoint, path: string): Item[] =>
  endpoint.received
    .filter((received) => received.path === path)
    .flatMap(({ request }) => request.resources as Item[])
    .flatMap((each) => each.scopes as Item[])
    .flatMap((scope) => (scope.items as Item[]).map((item) => ({ ...item, scope: scope.scope })));
type Item = Record<string, unknown>;

const pointsOf = (metric: Item | undefined): Item[] => {
  assert.ok(metric?.sum);
  return (metric.sum as { points: Item[] }).points;
};

const event: EventRecord = {
  plugin: 'paf',
  event: 'memwatcher.page_allocation.failure',
  time: START + 0.5,
  severity: 'WARN',
  attributes: { order: 9, zone: undefined },
  body: 'order 9 failed',
};
const span: SpanRecord = {
  plugin: 'pr',
  ids: newSpanIds(),
  name: 'memwatcher.reclaim',
  startTime: START,
  endTime: START + 1.5,
  attributes: { kind: 'direct' },
};

test('metrics, events and spans arrive as protobuf, compressed, with headers', async () => {
  const endpoint = await endpointOf();
  const { telemetry } = await telemetryOf(to(endpoint, { headers: { 'X-Key': 'secret' } }));
  telemetry.publish([failures(2 ** 40)]);
  telemetry.event(event);
  telemetry.span(span);
  await telemetry.flush(LONG);
  for (const { headers } of endpoint.received) {
    assert.equal(headers['x-key'], 'secret');
    assert.equal(headers['content-type'], 'application/x-protobuf');
    assert.equal(headers['content-encoding'], 'gzip');
    assert.equal(headers['user-agent'], 'mem-watcher/1.2.3');
  }
  const [metric] = itemsOf(endpoint, '/v1/metrics');
  assert.equal(metric?.name, 'memwatcher.sample.failures');
  assert.deepEqual(metric?.scope, { name: 'mem-watcher.sample', version: '1.2.3' });
  const [point] = pointsOf(metric);
  assert.equal(point?.asInt, 2n ** 40n);
  const [log] = itemsOf(endpoint, '/v1/logs');
  assert.equal(log?.eventName, event.event);
  assert.equal(log?.severityNumber, 13n);
  assert.equal(log?.time, BigInt(START) * 1_000_000n + 500_000n);
  assert.deepEqual(log?.body, { string: event.body });
  assert.deepEqual(log?.attributes, [{ key: 'order', value: { int: 9n } }]);
  const [trace] = itemsOf(endpoint, '/v1/traces');
  assert.equal(trace?.name, span.name);
  assert.equal(trace?.start, BigInt(START) * 1_000_000n);
  assert.equal(trace?.end, BigInt(START) * 1_000_000n + 1_500_000n);
  assert.match(String(trace?.traceId), /^[0-9a-f]{32}$/);
  for (const signal of ['metrics', 'logs', 'traces']) {
    assert.equal(outcomeOf(telemetry, signal).sent, 1);
  }
});

test('JSON, uncompressed', async () => {
  const endpoint = await endpointOf();
  const { telemetry } = await telemetryOf(
    to(endpoint, { protocol: 'http/json', compression: 'none' }),
  );
  telemetry.publish([failures(7)]);
  await telemetry.flush(LONG);
  const [received] = endpoint.received;
  assert.equal(received?.headers['content-type'], 'application/json');
  assert.equal(received?.headers['content-encoding'], undefined);
  const { resourceMetrics } = JSON.parse(received?.body.toString() ?? '');
  const [metric] = resourceMetrics[0].scopeMetrics[0].metrics;
  assert.equal(metric.sum.isMonotonic, true);
  assert.equal(metric.sum.aggregationTemporality, 2);
  assert.equal(metric.sum.dataPoints[0].asInt, 7);
});

test('delta for one exporter, cumulative for another, metrics only', async () => {
  const [delta, cumulative] = [await endpointOf(), await endpointOf()];
  const { telemetry } = await telemetryOf({
    default: { endpoint: delta.url, temporality: 'delta' },
    second: { endpoint: cumulative.url, signals: ['metrics'] },
  });
  for (const [i, value] of [5, 7, 7].entries()) {
    telemetry.publish([failures(value, START + 10_000 * (i + 1))]);
  }
  telemetry.event(event);
  await telemetry.flush(LONG);
  const sums = (endpoint: FakeEndpoint) =>
    itemsOf(endpoint, '/v1/metrics').map((metric) => {
      const { temporality, points } = metric.sum as { temporality: bigint; points: Item[] };
      return [temporality, points[0]?.asInt];
    });
  assert.deepEqual(sums(delta), [
    [1n, 5n],
    [1n, 2n],
    [1n, 0n],
  ]);
  assert.deepEqual(sums(cumulative), [
    [2n, 5n],
    [2n, 7n],
    [2n, 7n],
  ]);
  assert.deepEqual(itemsOf(cumulative, '/v1/logs'), []);
});

test('what a 503 and a refused connection delay arrives late, once, in order', async () => {
  const endpoint = await endpointOf();
  const { port } = endpoint;
  const { telemetry, logger } = await telemetryOf(to(endpoint));
  endpoint.answer = refuse(503, 'not now');
  telemetry.publish([failures(1)]);
  await until(() => outcomeOf(telemetry).retried > 0);
  assert.equal(outcomeOf(telemetry).state, 'failing');
  await endpoint.close();
  telemetry.publish([failures(2)]);
  await until(() => /ECONNREFUSED/.test(outcomeOf(telemetry).lastError ?? ''));
  const again = await new FakeEndpoint().listen(port);
  closables.push(again);
  await telemetry.flush(LONG);
  const values = itemsOf(again, '/v1/metrics').map((metric) => pointsOf(metric)[0]?.asInt);
  assert.deepEqual(values, [1n, 2n]);
  const { state, sent, failed, dropped, lastSuccess } = outcomeOf(telemetry);
  assert.deepEqual([state, sent, failed, dropped, lastSuccess], ['ok', 2, 0, 0, START]);
  const lines = logger.lines.map(({ level, message }) => `${level} ${message}`);
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.match(lines[0] ?? '', /^warn export of metrics .* is failing: HTTP 503 .*not now/);
  assert.match(lines[1] ?? '', /^info export of metrics .* works again/);
});

test('an answer that does not come in time is tried again', async () => {
  const endpoint = await endpointOf();
  endpoint.answer = () => undefined;
  const { telemetry } = await telemetryOf(to(endpoint, { timeout: '50ms' }));
  telemetry.publish([failures(1)]);
  await until(() => outcomeOf(telemetry).retried > 0);
  assert.match(outcomeOf(telemetry).lastError ?? '', /no answer within 50 ms/);
  endpoint.answer = accept;
  await telemetry.flush(LONG);
  assert.equal(outcomeOf(telemetry).sent, 1);
});

test('what is refused for good is counted as failed, and told once', async () => {
  const endpoint = await endpointOf();
  endpoint.answer = refuse(401, 'bad key');
  const { telemetry, logger } = await telemetryOf(to(endpoint));
  for (const value of [1, 2, 3]) telemetry.publish([failures(value)]);
  await telemetry.flush(LONG);
  const { sent, failed, retried, lastError } = outcomeOf(telemetry);
  assert.deepEqual([sent, failed, retried], [0, 3, 0]);
  assert.match(lastError ?? '', /HTTP 401 Unauthorized: bad key/);
  assert.equal(logger.lines.length, 1);
});

test('a partial success: what was rejected is not counted as sent', async () => {
  const endpoint = await endpointOf();
  // ExportMetricsServiceResponse { partial_success { rejected_data_points: 2, error_message: "no" } }
  endpoint.answer = (response) =>
    void response.writeHead(200).end(Buffer.from([0x0a, 6, 0x08, 2, 0x12, 2, 0x6e, 0x6f]));
  const { telemetry, logger } = await telemetryOf(to(endpoint));
  const three = sampleBatch((out) => {
    for (const node of [1, 2, 3]) out.point('memwatcher.sample.usage', node, { node });
  });
  telemetry.publish([three]);
  telemetry.publish([three]);
  await telemetry.flush(LONG);
  const { sent, rejected, failed, lastError } = outcomeOf(telemetry);
  assert.deepEqual([sent, rejected, failed, lastError], [2, 4, 0, 'no']);
  assert.equal(logger.lines.length, 1);
});

test('a full queue drops the oldest, counted; closing drops the rest, told', async () => {
  const endpoint = await endpointOf();
  endpoint.answer = refuse(503);
  const { telemetry, logger } = await telemetryOf(to(endpoint, { queue: { max_batches: 2 } }));
  for (let value = 0; value < 5; value++) telemetry.publish([failures(value)]);
  await until(() => outcomeOf(telemetry).dropped >= 2);
  await assert.rejects(
    telemetry.flush(50),
    (error) => error instanceof MemWatcherError && error.code === 'EXPORT_FAILED',
  );
  await telemetry.close();
  await telemetry.close();
  const { sent, dropped, queuedItems } = outcomeOf(telemetry);
  assert.deepEqual([sent, dropped, queuedItems], [0, 5, 0]);
  assert.match(logger.lines.at(-1)?.message ?? '', /not all was delivered/);
});

test('an interval of its own: the latest collection when it is due, the last at a flush', async () => {
  const endpoint = await endpointOf();
  const { telemetry, clock } = await telemetryOf(to(endpoint, { interval: '60s' }));
  for (let i = 1; i <= 13; i++) {
    telemetry.publish([failures(i)]);
    clock.time += i === 6 ? 9_900 : 10_000;
  }
  await telemetry.flush(LONG);
  const values = itemsOf(endpoint, '/v1/metrics').map((metric) => pointsOf(metric)[0]?.asInt);
  assert.deepEqual(values, [1n, 7n, 13n]);
});

test('a clock that is set back does not silence an exporter with an interval of its own', async () => {
  const endpoint = await endpointOf();
  const { telemetry, clock } = await telemetryOf(to(endpoint, { interval: '60s' }));
  telemetry.publish([failures(1)]);
  clock.time -= 3_600_000;
  telemetry.publish([failures(2)]);
  clock.time += 10_000;
  telemetry.publish([failures(3)]);
  clock.time += 50_000;
  telemetry.publish([failures(4)]);
  await telemetry.flush(LONG);
  const values = itemsOf(endpoint, '/v1/metrics').map((metric) => pointsOf(metric)[0]?.asInt);
  assert.deepEqual(values, [1n, 2n, 4n]);
});

test('many points are sent as several requests, none lost, none twice', async () => {
  const endpoint = await endpointOf();
  const { telemetry } = await telemetryOf(to(endpoint, { max_request_points: 7 }));
  const batch = sampleBatch((out) => {
    for (let node = 0; node < 10; node++) {
      out.point('memwatcher.sample.usage', node, { node });
      out.point('memwatcher.sample.failures', node, { node });
    }
  });
  telemetry.publish([batch, batch]);
  await telemetry.flush(LONG);
  const counts = endpoint.received.map(
    ({ request }) =>
      JSON.stringify(request, (_, v) => (typeof v === 'bigint' ? 0 : v)).split('asInt').length - 1,
  );
  assert.deepEqual(counts, [7, 7, 7, 7, 7, 5]);
  const values = itemsOf(endpoint, '/v1/metrics')
    .filter(({ name }) => name === 'memwatcher.sample.usage')
    .flatMap((metric) => pointsOf(metric).map(({ asInt }) => Number(asInt)));
  assert.deepEqual(values, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('credentials in an endpoint are sent, and not shown', async () => {
  const endpoint = await endpointOf();
  const url = endpoint.url.replace('//', '//user:pass@');
  const { telemetry } = await telemetryOf({ default: { endpoint: url } });
  telemetry.publish([failures(1)]);
  await telemetry.flush(LONG);
  const expected = `Basic ${Buffer.from('user:pass').toString('base64')}`;
  assert.equal(endpoint.received[0]?.headers.authorization, expected);
  assert.doesNotMatch(JSON.stringify([telemetry.endpoints(), telemetry.outcomes()]), /pass/);
});

test('a port that speaks something else is told from one that is away', async () => {
  const server = createServer((socket) => {
    // The agent hangs up as soon as it knows; a reset is no news to this server.
    socket.on('error', () => undefined);
    socket.end('PRI * HTTP/2.0 no\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  const endpoint = `http://127.0.0.1:${address.port}`;
  const { telemetry } = await telemetryOf({ default: { endpoint } });
  telemetry.publish([failures(1)]);
  await until(() => outcomeOf(telemetry).retried > 0);
  assert.match(outcomeOf(telemetry).lastError ?? '', /does not speak HTTP\/1.* 4318/);
  await telemetry.close();
  server.close();
});

test('a proxy is used if the environment names one', async () => {
  const proxy = await endpointOf();
  const collector = { default: { endpoint: 'http://collector.invalid:4318' } };
  const { telemetry } = await telemetryOf(collector, { HTTP_PROXY: proxy.url });
  telemetry.publish([failures(1)]);
  await telemetry.flush(LONG);
  assert.equal(proxy.received[0]?.path, 'http://collector.invalid:4318/v1/metrics');
});

test('the Prometheus port in use: the error names the port and the key', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  const { port } = address;
  const config = Exporters.parse({ prometheus: { port } });
  const options = { config, resource, version: '1', logger: recordingLogger(), env: {} };
  await assert.rejects(
    createTelemetry(options),
    (error) =>
      error instanceof MemWatcherError &&
      error.message.includes(`port ${port}`) &&
      error.hint?.includes('exporters.prometheus.port') === true,
  );
  server.close();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
