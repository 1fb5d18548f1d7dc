/** Every plugin on the running kernel: what it emits is what its metadata says. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Agent, Collection } from '../../core/agent.js';
import { createQuietAgent } from '../../core/compose.js';
import { agentSchema, toAgentConfig } from '../../core/config/schema.js';
import { findInstallation } from '../../core/install.js';
import type { AttributeSpec, Metadata } from '../../core/metadata.js';
import type { PluginModule } from '../../core/plugin.js';
import type {
  AttributeValue,
  MetricPoints,
  PointAttributes,
  PointBatch,
} from '../../core/telemetry/points.js';
import { buildWith, plugins } from './harness.js';

const skip = process.getuid?.() === 0 ? false : 'needs root to load BPF';

/** What a plugin needs in order to have work; the others do theirs by default. */
const WORK: Readonly<Record<string, object>> = {
  memleak: { targets: [{ executable: 'no-such-program' }] },
};

/** The agent with this plugin alone, and all of its metrics on. */
async function agentOf(module: PluginModule): Promise<Agent> {
  const { name, metrics } = module.metadata;
  const all = Object.fromEntries(Object.keys(metrics).map((metric) => [metric, true]));
  const own = { enabled: true, metrics: all, ...WORK[name] };
  const raw = { plugins: { [name]: own }, log: { level: 'error' } };
  const installation = findInstallation(import.meta.url);
  const foundation = { installation, plugins: [module], build: buildWith };
  return createQuietAgent(foundation, toAgentConfig(agentSchema([module]).parse(raw)));
}

/** Descriptors of this process that hold something of BPF, or a hook. */
function kernelHandles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return /bpf|perf_event|btf/.test(target) ? [target] : [];
    } catch {
      return [];
    }
  });
}

for (const module of plugins) {
  const { metadata } = module;
  describe(`${metadata.name}: on this kernel`, { skip }, () => {
    test('emits what its metadata says and nothing else, and lets go of all it held', async () => {
      const before = kernelHandles();
      const agent = await agentOf(module);
      agent.onEvent(({ plugin, event, attributes }) => {
        if (plugin === metadata.name) checkRecord(metadata, 'events', event, attributes);
      });
      agent.onSpan(({ name, attributes }) => checkRecord(metadata, 'spans', name, attributes));
      const collections: Collection[] = [];
      try {
        await agent.start();
        assert.deepEqual(
          agent.statuses.map(({ state, reason }) => [state, reason]),
          [['ok', undefined]],
        );
        assert.ok(kernelHandles().length > before.length);
        for (let n = 0; n < 2; n++) collections.push(await agent.collect());
      } finally {
        await agent.stop();
      }
      assert.deepEqual(kernelHandles(), before);
      for (const { plugins: own } of collections) {
        const batch = own[0]?.batch;
        assert.ok(batch && batch.metrics.length > 0, 'nothing was emitted');
        for (const points of batch.metrics) checkPoints(metadata, points);
      }
      checkOrder(collections);
    });
  });
}

function checkPoints({ metrics, attributes }: Metadata, points: MetricPoints) {
  const { name, scalars, histograms } = points;
  const spec = metrics[name];
  assert.ok(spec, `${name} is not in the metadata`);
  assert.equal(spec.kind === 'histogram' ? scalars.length : histograms.length, 0, name);
  const series = new Set<string>();
  for (const { attributes: given, value } of scalars) {
    assert.ok(
      spec.valueType === 'double' ? Number.isFinite(value) : Number.isSafeInteger(value),
      name,
    );
    if (spec.kind === 'counter' || spec.unit === 'By') assert.ok(value >= 0, `${name}: ${value}`);
    checkAttributes(name, spec.attributes, attributes, given);
    series.add(JSON.stringify(given));
  }
  for (const { attributes: given, count, zeroCount, buckets } of histograms) {
    assert.equal(
      buckets.reduce((sum, bucket) => sum + bucket, zeroCount),
      count,
      name,
    );
    checkAttributes(name, spec.attributes, attributes, given);
    series.add(JSON.stringify(given));
  }
  assert.equal(series.size, scalars.length + histograms.length, `${name}: a series came twice`);
}

/** What happens while nobody makes it happen: more of it is in the plugins' own live tests. */
function checkRecord(
  metadata: Metadata,
  kind: 'events' | 'spans',
  name: string,
  given: PointAttributes,
) {
  const spec = metadata[kind][name];
  assert.ok(spec, `${name} is not in the metadata`);
  checkAttributes(name, spec.attributes, metadata.attributes, given);
}

function checkAttributes(
  metric: string,
  keys: readonly string[],
  specs: Metadata['attributes'],
  given: PointAttributes,
) {
  for (const [key, value] of Object.entries(given)) {
    assert.ok(keys.includes(key), `${metric} has the attribute ${key}`);
    if (value !== undefined) checkValue(`${metric}: ${key}`, specs[key], value);
  }
  for (const key of keys) {
    assert.ok(given[key] !== undefined || specs[key]?.optional, `${metric} lacks ${key}`);
  }
}

function checkValue(what: string, spec: AttributeSpec | undefined, value: AttributeValue) {
  const type = { int: 'number', double: 'number', string: 'string', boolean: 'boolean' };
  const declared = spec?.type ?? 'string';
  assert.equal(Array.isArray(value), declared.endsWith('[]'), what);
  const element = declared.replace('[]', '') as keyof typeof type;
  for (const one of [value].flat()) {
    assert.equal(typeof one, type[element], what);
    if (element === 'int') assert.ok(Number.isSafeInteger(one), `${what} is ${one}`);
    if (spec?.values) assert.ok(spec.values.includes(String(one)), `${what} is ${one}`);
  }
}

/** Snapshots follow each other, and counters never fall. */
function checkOrder([first, second]: readonly Collection[]) {
  const before = first?.plugins[0]?.batch;
  const after = second?.plugins[0]?.batch;
  if (!before || !after) assert.fail('a collection is empty');
  assert.ok(after.time >= before.time);
  assert.equal(after.startTime, before.startTime);
  const later = counters(after);
  for (const [series, value] of counters(before)) {
    const next = later.get(series) ?? value;
    assert.ok(next >= value, `${series} fell from ${value} to ${next}`);
  }
}

/** Without the series that sum all others: they lose what a member takes along. */
function counters({ metrics }: PointBatch): Map<string, number> {
  const values = metrics
    .filter(({ spec }) => spec.kind === 'counter')
    .flatMap(({ name, scalars }) => scalars.map((point) => ({ name, ...point })))
    .filter(({ attributes }) => !Object.values(attributes).includes(true))
    .map(({ name, attributes, value }): [string, number] => [
      `${name} ${JSON.stringify(attributes)}`,
      value,
    ]);
  return new Map(values);
}
