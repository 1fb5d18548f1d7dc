import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeObject } from '../../test/fakes/bpf-host.js';
import type { LoadedBpf, MapSpec } from '../bpf/host.js';
import { steadyNow } from '../identity/boot-moment.js';
import type { PluginStatus } from '../plugin.js';
import { noOutcome } from './outcome.js';
import {
  joinBpf,
  type PluginSelf,
  readBpf,
  readProcess,
  type SelfSource,
  selfBatch,
  statusEvent,
} from './self.js';
import { selfMetadata } from './self.metadata.js';

const status: PluginStatus = {
  plugin: 'procstat',
  state: 'degraded',
  reason: 'because',
  strategy: 'iter_task',
  lacks: [],
  since: 0,
};
const plugin: PluginSelf = {
  status,
  collections: 7,
  missedCollections: 2,
  lastDurationMs: 12.5,
  bpf: {
    programs: [{ name: 'on_task', runs: undefined, runTimeNs: undefined, missedRuns: 4 }],
    maps: [{ name: 'rows', memory: 4096, fullness: 0.5 }],
    losses: { ringDrops: 1, mapFull: 2, readFailures: 3 },
  },
  decodeErrors: 5,
  cgroupsGone: 6,
};
const source: SelfSource = {
  plugins: [plugin],
  exporters: [
    {
      exporter: 'default',
      signal: 'metrics',
      endpoint: 'http://x',
      state: 'failing',
      startTime: 100,
      ...noOutcome(),
      sent: 10,
      dropped: 3,
      queuedBatches: 1,
      queuedItems: 8,
      queuedBytes: 99,
      lastError: undefined,
      lastSuccess: undefined,
      delta: [{ plugin: 'pr', series: 9, dropped: { series_limit: 4, out_of_order: 1 } }],
    },
  ],
  process: { rss: 1000, cpuUser: 1.5, cpuSystem: 0.5, startTime: 50 },
};

const batch = selfBatch(source, 2000, 1000);
/** Values by the last attribute's value, or by `` without attributes. */
const valuesOf = (name: string) => {
  const points = batch.metrics.find((metric) => metric.name === name)?.scalars ?? [];
  return Object.fromEntries(
    points.map(({ attributes, value }) => [Object.values(attributes).at(-1) ?? '', value]),
  );
};

test('reports the state, the losses and the outcomes', () => {
  const states = { starting: 0, ok: 0, degraded: 1, failed: 0, stopped: 0 };
  assert.deepEqual(valuesOf('memwatcher.agent.plugin.status'), states);
  assert.deepEqual(valuesOf('memwatcher.agent.plugin.strategy'), { iter_task: 1 });
  assert.deepEqual(valuesOf('memwatcher.agent.plugin.collections'), { done: 7, missed: 2 });
  assert.deepEqual(valuesOf('memwatcher.agent.plugin.collection.duration'), { procstat: 0.0125 });
  const losses = { ring_full: 1, map_full: 2, read_failure: 3, decode_error: 5, cgroup_gone: 6 };
  assert.deepEqual(valuesOf('memwatcher.agent.plugin.losses'), losses);
  assert.deepEqual(valuesOf('memwatcher.agent.bpf.program.missed_runs'), { on_task: 4 });
  assert.deepEqual(valuesOf('memwatcher.agent.bpf.map.memory'), { rows: 4096 });
  assert.deepEqual(valuesOf('memwatcher.agent.cpu.time'), { user: 1.5, system: 0.5 });
  const items = { sent: 10, failed: 0, rejected: 0, dropped: 3 };
  assert.deepEqual(valuesOf('memwatcher.agent.export.items'), items);
  assert.deepEqual(valuesOf('memwatcher.agent.export.status'), { idle: 0, ok: 0, failing: 1 });
  assert.deepEqual(valuesOf('memwatcher.agent.export.delta.series'), { pr: 9 });
  const drops = { series_limit: 4, out_of_order: 1 };
  assert.deepEqual(valuesOf('memwatcher.agent.export.delta.dropped'), drops);
});

test('counters of a plugin began when it started, not when the agent did', () => {
  const started = { ...source, plugins: [{ ...plugin, startTime: 1500 }] };
  const { metrics } = selfBatch(started, 2000, 1000);
  const counters = metrics.filter(
    ({ name, spec }) => spec.kind === 'counter' && /agent\.(plugin|bpf)\./.test(name),
  );
  assert.ok(counters.length >= 3);
  for (const { name, scalars } of counters) {
    assert.ok(
      scalars.every(({ startTime }) => startTime === 1500),
      name,
    );
  }
});

test('what the kernel does not say is absent, not 0', () => {
  assert.deepEqual(valuesOf('memwatcher.agent.bpf.program.runs'), {});
});

test("every metric is the agent's own, and is emitted by a full source", () => {
  const full = { ...plugin, bpf: plugin.bpf && { ...plugin.bpf } };
  const programs = [{ name: 'p', runs: 1, runTimeNs: 1, missedRuns: 0 }];
  const emitted = selfBatch(
    { ...source, plugins: [{ ...full, ...(full.bpf && { bpf: { ...full.bpf, programs } }) }] },
    2000,
    1000,
  ).metrics.map(({ name }) => name);
  assert.deepEqual(emitted, Object.keys(selfMetadata.metrics));
  for (const name of emitted) assert.match(name, /^memwatcher\.agent\./);
});

test('a loaded object: figures by program and map, losses over all CPUs', () => {
  const spec: MapSpec = {
    name: 'stats',
    type: 6,
    keySize: 4,
    valueSize: 24,
    maxEntries: 1,
    mmapable: false,
  };
  const perCpu = new BigUint64Array([1n, 0n, 2n, 10n, 0n, 20n]);
  const fields = ['ring_drops', 'map_full', 'read_failures'].map((name, i) => {
    const type = { kind: 'int', size: 8, signed: false } as const;
    return { name, offset: 8 * i, size: 8, type };
  });
  const object = {
    maps: [spec],
    map: () => ({ memory: () => 512, lookup: () => new Uint8Array(perCpu.buffer) }),
    layout: () => ({ name: 'mw_stats', size: 24, fields }),
    programInfo: () => ({
      id: 1,
      runCount: 4,
      runTimeNs: 400,
      recursionMisses: undefined,
      verifiedInstructions: undefined,
    }),
  };
  const loaded = {
    strategy: 's',
    object,
    programs: ['prog'],
    links: new Map(),
    close: () => undefined,
  };
  const read = readBpf(loaded as unknown as LoadedBpf, new Map([['stats', 0.25]]));
  assert.deepEqual(read, {
    programs: [{ name: 'prog', runs: 4, runTimeNs: 400, missedRuns: undefined }],
    maps: [{ name: 'stats', memory: 512, fullness: 0.25 }],
    losses: { ringDrops: 11, mapFull: 0, readFailures: 22 },
  });
});

test('how full a ring is, nobody has to say', () => {
  const object = new FakeObject({
    maps: [{ name: 'records', type: 27, maxEntries: 4096 }, { name: 'rows' }],
  });
  const loaded = {
    strategy: 's',
    object,
    programs: [],
    links: new Map(),
    parts: new Map(),
    lacks: [],
    close: () => undefined,
  };
  const fullness = () => readBpf(loaded).maps.map((map) => [map.name, map.fullness]);
  assert.deepEqual(fullness(), [
    ['records', undefined],
    ['rows', undefined],
  ]);
  const ring = object.map('records').ring();
  object.map('records').records.push(new Uint8Array(1016));
  assert.deepEqual(fullness()[0], ['records', 0.25]);
  ring.close();
  assert.deepEqual(fullness()[0], ['records', undefined]);
});

test('several objects of a plugin have their programs and maps side by side, and one account', () => {
  const one = (name: string, ringDrops: number) => ({
    programs: [{ name, runs: 1, runTimeNs: 2, missedRuns: 3 }],
    maps: [{ name, memory: 4 }],
    losses: { ringDrops, mapFull: 1, readFailures: 2 },
  });
  const [a, b] = [one('a', 5), one('b', 6)];
  assert.equal(joinBpf([]), undefined);
  assert.equal(joinBpf([a]), a);
  assert.deepEqual(joinBpf([a, b]), {
    programs: [...a.programs, ...b.programs],
    maps: [...a.maps, ...b.maps],
    losses: { ringDrops: 11, mapFull: 2, readFailures: 4 },
  });
  const live = (memory: number, fullness?: number) => ({
    ...a,
    maps: [{ name: 'live', memory, ...(fullness !== undefined && { fullness }) }],
  });
  assert.deepEqual(joinBpf([live(4, 0.2), live(8, 0.5), live(1)])?.maps, live(13, 0.5).maps);
  assert.deepEqual(joinBpf([a, { ...b, losses: undefined }])?.losses, a.losses);
});

test('the process: what /proc says', () => {
  const { rss, cpuUser, cpuSystem, startTime } = readProcess();
  assert.ok(rss > 10 * 1024 * 1024 && rss < 4 * 1024 ** 3);
  assert.ok(cpuUser + cpuSystem > 0);
  assert.ok(startTime <= steadyNow());
  assert.equal(readProcess().startTime, startTime);
});

test('a change of status says what the kernel does not give, where it does not', () => {
  const lacks = ['wake-ups', 'sizes'];
  const event = statusEvent({ ...status, state: 'ok', reason: undefined, lacks });
  assert.equal(event.severity, 'INFO');
  assert.deepEqual(event.attributes['memwatcher.plugin.lacks'], lacks);
  assert.equal(event.body, 'procstat is ok: not on this kernel: wake-ups, sizes');
  assert.equal(statusEvent(status).attributes['memwatcher.plugin.lacks'], undefined);
});

test('batches are in order where the clock was set back', () => {
  const orders = [3_600_000, 10_000, 20_000].map((time) => selfBatch(source, time, 1).steadyTime);
  assert.deepEqual(
    orders.toSorted((a, b) => a - b),
    orders,
  );
});
