/**
 * CPU of one export of 10,000 points: from the published batch to the answer of an endpoint, gzip
 * and HTTP included, by process.cpuUsage (all threads: zlib works on the pool). The endpoint is
 * another process. The points are procstat's in shape: 1,000 processes, ten metrics each.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { z } from 'zod';
import { Exporters } from '../core/config/schema.js';
import { silentLogger } from '../core/logger.js';
import { defineMetadata } from '../core/metadata.js';
import { toScopeMetrics } from '../core/telemetry/metric-data.js';
import { MetricsProtobuf } from '../core/telemetry/metrics-protobuf.js';
import { createTelemetry } from '../core/telemetry/pipeline.js';
import { type PointBatch, PointBatchBuilder } from '../core/telemetry/points.js';
import type { BenchRow } from './bench.js';

export const title = 'export of 10,000 points';

const PROCESSES = 1000;
const METRICS = 10;
const WARM_UP = 20;
const ROUNDS = 50;
/** Few: an agent holds one collection, and the collector must not pay for fifty. */
const BATCHES = 4;
const TARGET_MS = 20;
const SINK = 'mem-watcher-bench-sink';

const names = Array.from({ length: METRICS }, (_, i) => `memwatcher.process.memory.m${i}`);
const attributeNames = [
  'process.pid',
  'process.executable.name',
  'process.creation.time',
  'memwatcher.process.cgroup',
  'container.id',
];
const metadata = defineMetadata({
  name: 'procstat',
  title: '',
  description: '',
  attributes: Object.fromEntries(
    attributeNames.map((name) => [name, { type: 'string', description: '' }] as const),
  ),
  metrics: Object.fromEntries(
    names.map((name) => {
      const kind = 'updowncounter' as const;
      const description = 'Memory of a process of some kind';
      return [name, { kind, unit: 'By', description, attributes: attributeNames }] as const;
    }),
  ),
  events: {},
  spans: {},
  config: z.strictObject({}),
});

/** `shared`: a process's metrics carry one attribute object, as procstat's mostly do. */
function batchOf(round: number, shared: boolean): PointBatch {
  const builder = new PointBatchBuilder(metadata);
  for (let process = 0; process < PROCESSES; process++) {
    const attributes = attributesOf(process);
    for (const [i, name] of names.entries()) {
      const value = (process * 7919 + i * 104_729 + round * 4096) * 1024;
      builder.point(name, value, shared ? attributes : { ...attributes });
    }
  }
  const time = 1_800_000_000_000 + round * 10_000;
  return builder.build(time, 1_800_000_000_000);
}

function attributesOf(process: number) {
  return {
    'process.pid': 1000 + process,
    'process.executable.name': `daemon-${process % 50}`,
    'process.creation.time': new Date(1_790_000_000_000 + process * 1234).toISOString(),
    'memwatcher.process.cgroup': `/system.slice/service-${process % 50}.service`,
    'container.id': (process * 7919).toString(16).padStart(64, '0'),
  };
}

/** Milliseconds of CPU a call, all threads. */
async function cpuOf(step: (round: number) => unknown): Promise<number> {
  for (let round = 0; round < WARM_UP; round++) await step(round);
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) await step(round);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / ROUNDS;
}

async function cpuOfExport(url: string, otlp: object, batches: readonly PointBatch[]) {
  const telemetry = await createTelemetry({
    config: Exporters.parse({
      otlp: { default: { endpoint: url, signals: ['metrics'], ...otlp } },
      prometheus: { enabled: false },
    }),
    resource: resourceFromAttributes({ 'host.name': 'bench' }),
    version: '0',
    logger: silentLogger,
    env: {},
  });
  const cpu = await cpuOf(async (round) => {
    telemetry.publish([batches[round % BATCHES] as PointBatch]);
    await telemetry.flush(60_000);
  });
  const [outcome] = telemetry.outcomes();
  await telemetry.close();
  const expected = PROCESSES * METRICS * (WARM_UP + ROUNDS);
  if (outcome?.sent !== expected) {
    throw new Error(`${outcome?.sent} of ${expected} points arrived: ${outcome?.lastError}`);
  }
  return cpu;
}

export async function run(): Promise<BenchRow[]> {
  const shared = Array.from({ length: BATCHES }, (_, round) => batchOf(round, true));
  const single = Array.from({ length: BATCHES }, (_, round) => batchOf(round, false));
  const sink = fork(fileURLToPath(import.meta.url), [SINK]);
  const [url] = (await once(sink, 'message')) as [string];
  try {
    return await measure(url, shared, single);
  } finally {
    sink.kill();
  }
}

async function measure(
  url: string,
  shared: readonly PointBatch[],
  single: readonly PointBatch[],
): Promise<BenchRow[]> {
  const whole = await cpuOfExport(url, {}, shared);
  const plain = await cpuOfExport(url, { compression: 'none' }, shared);
  const unshared = await cpuOfExport(url, {}, single);
  const json = await cpuOfExport(url, { protocol: 'http/json' }, shared);
  const requests = shared.map((batch) => ({
    resource: resourceFromAttributes({ 'host.name': 'bench' }),
    scopeMetrics: [toScopeMetrics(batch, '0', 'cumulative')],
  }));
  const requestOf = (round: number) => requests[round % BATCHES] as (typeof requests)[number];
  const protobuf = new MetricsProtobuf();
  const ours = await cpuOf((round) => protobuf.serializeRequest(requestOf(round)));
  const theirs = await cpuOf((round) =>
    ProtobufMetricsSerializer.serializeRequest(requestOf(round)),
  );
  const bytes = protobuf.serializeRequest(requestOf(0));
  const fast = await cpuOf(() => gzipSync(bytes, { level: 1 }));
  const usual = await cpuOf(() => gzipSync(bytes));
  const ms = (name: string, value: number, note?: string): BenchRow => {
    return { name, value: round1(value), unit: 'ms CPU', ...(note !== undefined && { note }) };
  };
  const size = (level: number) => Math.round(gzipSync(bytes, { level }).length / 1024);
  return [
    {
      ...ms(
        'published → answered, protobuf, gzip',
        whole,
        `gzip is ${percent(fast / whole)} of it`,
      ),
      target: `≤ ${TARGET_MS} ms`,
      met: whole <= TARGET_MS,
    },
    ms('the same without gzip', plain),
    ms('the same, every point with attributes of its own', unshared),
    ms('the same as JSON', json),
    ms(
      'encoding alone',
      ours,
      `the SDK's serializer: ${round1(theirs)} ms, ${round1(theirs / ours)}×`,
    ),
    ms('gzip level 1', fast, `${Math.round(bytes.length / 1024)} KiB → ${size(1)} KiB`),
    ms('gzip level 6', usual, `→ ${size(6)} KiB`),
  ];
}

const round1 = (value: number) => Math.round(value * 10) / 10;
const percent = (share: number) => `${Math.round(share * 100)} %`;

/** The endpoint: takes everything, in a process of its own. */
function serve(): void {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.writeHead(200).end());
  });
  server.listen(0, '127.0.0.1', () => {
    process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  process.on('disconnect', () => process.exit());
}

if (process.argv[2] === SINK) serve();
