import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { Exporters } from '../config/schema.js';
import { createTelemetry, type Telemetry } from './pipeline.js';
import { failures, recordingLogger, START, sampleBatch } from './testing/samples.js';

const telemetryOf = (port = 0, previous?: Telemetry) =>
  createTelemetry({
    config: Exporters.parse({ prometheus: { port } }),
    resource: resourceFromAttributes({ 'host.name': 'here' }),
    version: '1',
    logger: recordingLogger(),
    env: {},
    previous,
  });
const urlOf = (telemetry: Telemetry) => telemetry.endpoints()[0]?.url ?? '';
const scrape = async (url: string) => await (await fetch(url)).text();
/** `name{labels} value` without the scope's labels. */
const samples = (text: string, name: string, ...labels: string[]) =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && labels.every((label) => line.includes(label)))
    .map((line) => Number(line.split(' ').at(-1)));

test('the latest collection as text: integers, names, types, the resource', async () => {
  const telemetry = await telemetryOf();
  const url = urlOf(telemetry);
  assert.equal((await fetch(url)).status, 503);
  telemetry.publish([failures(1)]);
  telemetry.publish([
    sampleBatch((out) => {
      out.point('memwatcher.sample.failures', 2 ** 45 + 1, { zone: 'quo"te\n' });
      out.point('memwatcher.sample.usage', -3, { zone: 'DMA' });
    }),
  ]);
  const response = await fetch(url);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  assert.match(text, /# TYPE memwatcher_sample_failures_total counter/);
  assert.match(text, /# HELP memwatcher_sample_usage Usage/);
  assert.deepEqual(samples(text, 'memwatcher_sample_failures_total', 'zone="quo\\"te\\n"'), [
    2 ** 45 + 1,
  ]);
  assert.deepEqual(samples(text, 'memwatcher_sample_usage', 'zone="DMA"'), [-3]);
  assert.match(text, /target_info\{host_name="here"\} 1/);
  const [outcome] = telemetry.outcomes();
  assert.equal(outcome?.sent, 2);
  await telemetry.close();
});

test('an exponential histogram becomes buckets of powers of two', async () => {
  const telemetry = await telemetryOf();
  const buckets = [3, 0, 4];
  const point = { count: 8, sum: 40.5, zeroCount: 1, offset: -1, buckets };
  telemetry.publish([
    sampleBatch((out) => out.histogram('memwatcher.sample.duration', point, { zone: 'a' })),
  ]);
  const text = await scrape(urlOf(telemetry));
  assert.match(text, /# TYPE memwatcher_sample_duration histogram/);
  const bucket = (le: string) => samples(text, 'memwatcher_sample_duration_bucket', `le="${le}"`);
  // (1/2, 1] has 3, (1, 2] none, (2, 4] 4; and one zero below them all.
  assert.deepEqual(
    ['0', '1', '2', '4', '+Inf'].map((le) => bucket(le)),
    [[1], [4], [4], [8], [8]],
  );
  assert.deepEqual(samples(text, 'memwatcher_sample_duration_sum'), [40.5]);
  assert.deepEqual(samples(text, 'memwatcher_sample_duration_count'), [8]);
  await telemetry.close();
});

test('who can read OpenMetrics gets exemplars: the newest of each bucket', async () => {
  const telemetry = await telemetryOf();
  const exemplar = (value: number, n: number) => ({
    value,
    time: START + n,
    span: { traceId: `${n}`.padStart(32, '0'), spanId: `${n}`.padStart(16, '0') },
  });
  const point = { count: 8, sum: 40.5, zeroCount: 1, offset: -1, buckets: [3, 0, 4] };
  const exemplars = [exemplar(4, 3), exemplar(2.5, 2), exemplar(0.75, 1)];
  telemetry.publish([
    sampleBatch((out) => {
      out.point('memwatcher.sample.failures', 1, { zone: 'a' });
      out.histogram('memwatcher.sample.duration', { ...point, exemplars }, { zone: 'a' });
    }),
  ]);
  const accept =
    'application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
  const response = await fetch(urlOf(telemetry), { headers: { accept } });
  const type = response.headers.get('content-type') ?? '';
  assert.match(type, /^application\/openmetrics-text; version=1\.0\.0; charset=utf-8$/);
  const lines = (await response.text()).split('\n');
  assert.deepEqual(lines.slice(-2), ['# EOF', '']);
  assert.ok(lines.includes('# TYPE target info'));
  assert.ok(lines.includes('# TYPE memwatcher_sample_failures counter'));
  const told = lines.filter((line) => line.includes(' # {')).map((line) => line.split(' # ')[1]);
  assert.deepEqual(told, [
    `{trace_id="${'1'.padStart(32, '0')}",span_id="${'1'.padStart(16, '0')}"} 0.75 1800000000.001`,
    `{trace_id="${'3'.padStart(32, '0')}",span_id="${'3'.padStart(16, '0')}"} 4 1800000000.003`,
  ]);
  assert.doesNotMatch(await scrape(urlOf(telemetry)), / # \{|# EOF/);
  await telemetry.close();
});

test('other paths and methods', async () => {
  const telemetry = await telemetryOf();
  telemetry.publish([failures(1)]);
  const url = urlOf(telemetry);
  const at = (path: string) => new URL(path, url);
  assert.equal(await scrape(at('/healthz').href), 'ok\n');
  assert.equal((await fetch(at('/'))).status, 404);
  assert.equal((await fetch(url, { method: 'POST' })).status, 405);
  assert.equal((await fetch(url, { method: 'HEAD' })).status, 200);
  await telemetry.close();
});

test('a reload shares the port; whoever stays answers, and the last one closes it', async () => {
  const first = await telemetryOf();
  const url = urlOf(first);
  first.publish([failures(1)]);
  // Port 0 names no port, so the same settings are asked for again.
  const second = await telemetryOf(0, first);
  assert.equal(urlOf(second), url);
  const value = async () => samples(await scrape(url), 'memwatcher_sample_failures_total');
  assert.deepEqual(await value(), [1], 'the new one has nothing to show yet');
  second.publish([failures(2)]);
  assert.deepEqual(await value(), [2]);
  await second.close();
  assert.deepEqual(await value(), [1], 'the new one was given up');
  const third = await telemetryOf(0, first);
  third.publish([failures(3)]);
  await first.close();
  assert.deepEqual(await value(), [3]);
  await third.close();
  await assert.rejects(fetch(url));
});
