/**
 * The whole road: a real agent on this kernel, a real Collector, its file compared with /proc.
 * One agent feeds every protocol at once, so that what arrives must be the same everywhere.
 */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { MetricSpec } from '../../core/metadata.js';
import { selfMetadata } from '../../core/telemetry/self.metadata.js';
import { plugins } from '../../plugins/index.js';
import { AgentProcess, type PointLine } from './agent.js';
import { Collector } from './collector.js';
import { lackForE2e } from './lack.js';
import type { Attributes, Log, Metric } from './otlp-json.js';
import { PAGE_SIZE, smapsOf, statusOf, VmstatHistory } from './proc.js';
import { RecordingProxy } from './recording-proxy.js';
import { trouble } from './trouble.js';

const COLLECTIONS = 8;

const EXPORTERS = {
  'protobuf-gzip': { protocol: 'http/protobuf', compression: 'gzip' },
  'protobuf-plain': { protocol: 'http/protobuf', compression: 'none' },
  'json-gzip': { protocol: 'http/json', compression: 'gzip' },
  'json-plain': { protocol: 'http/json', compression: 'none' },
  delta: { protocol: 'http/protobuf', temporality: 'delta' },
} as const;
type Name = keyof typeof EXPORTERS;
/** Those that run without being switched on. */
const running = plugins.filter(({ metadata }) => metadata.enabled !== false);
const NAMES = Object.keys(EXPORTERS) as Name[];
const CUMULATIVE = NAMES.filter((name) => name !== 'delta');

/** /proc/vmstat → the series that must say the same; factor turns its unit into bytes. */
const thp = 512;
const lru = (type: string | undefined, state: string): Attributes => ({
  ...(type === undefined ? {} : { 'memwatcher.memory.lru.type': type }),
  'memwatcher.memory.lru.state': state,
});
const VMSTAT: readonly (readonly [string, string, Attributes, number])[] = [
  ['nr_active_anon', 'memwatcher.memory.lru', lru('anon', 'active'), 1],
  ['nr_inactive_anon', 'memwatcher.memory.lru', lru('anon', 'inactive'), 1],
  ['nr_active_file', 'memwatcher.memory.lru', lru('file', 'active'), 1],
  ['nr_inactive_file', 'memwatcher.memory.lru', lru('file', 'inactive'), 1],
  ['nr_unevictable', 'memwatcher.memory.lru', lru(undefined, 'unevictable'), 1],
  ['nr_dirty', 'memwatcher.memory.writeback', { 'memwatcher.memory.writeback.state': 'dirty' }, 1],
  [
    'nr_writeback',
    'memwatcher.memory.writeback',
    { 'memwatcher.memory.writeback.state': 'writeback' },
    1,
  ],
  ['nr_anon_pages', 'memwatcher.memory.mapped', { 'memwatcher.memory.mapped.type': 'anon' }, 1],
  ['nr_mapped', 'memwatcher.memory.mapped', { 'memwatcher.memory.mapped.type': 'file' }, 1],
  ['nr_shmem', 'system.memory.linux.shared', {}, 1],
  [
    'nr_slab_reclaimable',
    'system.memory.linux.slab.usage',
    { 'system.memory.linux.slab.state': 'reclaimable' },
    1,
  ],
  [
    'nr_slab_unreclaimable',
    'system.memory.linux.slab.usage',
    { 'system.memory.linux.slab.state': 'unreclaimable' },
    1,
  ],
  [
    'nr_anon_transparent_hugepages',
    'memwatcher.memory.transparent_hugepage',
    { 'memwatcher.memory.transparent_hugepage.type': 'anon' },
    thp,
  ],
];

suite('agent → Collector', { skip: await lackForE2e() }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-e2e-'));
  const received = new Map<Name, Metric[]>();
  const logs = new Map<Name, Log[]>();
  const proxies = new Map<Name, RecordingProxy>();
  const truth = { status: new Map<string, number>(), smaps: new Map<string, number>() };
  const sleeper = spawn('sleep', ['infinity'], { stdio: 'ignore' });
  let vmstat: VmstatHistory;
  let shown: readonly PointLine[] = [];
  let exitCode: number | null = null;
  let complaints: readonly string[] = [];

  const of = (name: Name) => received.get(name) ?? [];

  before(async () => {
    const collector = await Collector.start({ dir, pipelines: NAMES });
    for (const name of NAMES) {
      proxies.set(name, await RecordingProxy.start(collector.endpoint(name)));
    }
    vmstat = new VmstatHistory();
    const agent = new AgentProcess({
      dir,
      config: {
        interval: '500ms',
        resource: { 'deployment.environment.name': 'e2e' },
        exporters: {
          otlp: Object.fromEntries(
            NAMES.map((name) => [
              name,
              { ...EXPORTERS[name], endpoint: proxies.get(name)?.endpoint },
            ]),
          ),
          prometheus: { enabled: false },
        },
        plugins: { procstat: { pids: [sleeper.pid] } },
      },
    });
    try {
      await agent.collected(1);
      await trouble(dir);
      await agent.collected(COLLECTIONS);
      Object.assign(truth, {
        status: statusOf(sleeper.pid ?? 0),
        smaps: smapsOf(sleeper.pid ?? 0),
      });
    } finally {
      exitCode = await agent.stop('SIGINT');
      vmstat.stop();
      await collector.stop();
    }
    shown = agent.lines;
    complaints = agent.complaints;
    for (const name of NAMES) {
      received.set(name, collector.metrics(name));
      logs.set(name, collector.logs(name));
    }
  });

  after(() => {
    for (const proxy of proxies.values()) proxy.close();
    sleeper.kill();
    rmSync(dir, { recursive: true, force: true });
  });

  test('ends with 0 after SIGINT, and had nothing to complain of', () => {
    assert.equal(exitCode, 0);
    assert.deepEqual(complaints, []);
  });

  for (const name of NAMES) {
    test(`${name}: what goes over the wire is what was asked for`, () => {
      const requests = proxies.get(name)?.requests ?? [];
      const paths = requests.map(({ path }) => path);
      assert.ok(paths.filter((path) => path === '/v1/metrics').length >= COLLECTIONS);
      assert.deepEqual(
        paths.filter((path) => !/^\/v1\/(metrics|logs|traces)$/.test(path)),
        [],
      );
      const { protocol, ...rest } = EXPORTERS[name];
      const type = protocol === 'http/json' ? 'application/json' : 'application/x-protobuf';
      const encoding = 'compression' in rest && rest.compression === 'none' ? undefined : 'gzip';
      for (const request of requests) {
        assert.equal(request.contentType, type);
        assert.equal(request.contentEncoding, encoding);
        assert.equal(request.status, 200);
      }
    });
  }

  for (const name of CUMULATIVE) {
    test(`${name}: every point that was shown has arrived, the last collection included`, () => {
      const arrived = new Map(of(name).map((metric) => [keyOf(metric, metric.time), metric]));
      assert.ok(shown.length > 100, `only ${shown.length} points were shown`);
      for (const line of shown) {
        const key = keyOf(line, Date.parse(line.time));
        const { value, count, sum } = arrived.get(key) ?? {};
        const said =
          typeof line.value === 'number' ? [line.value] : [line.value.count, line.value.sum];
        const came = typeof line.value === 'number' ? [value] : [count, sum ?? 0];
        assert.deepEqual(came, said, `${name} lacks or changes ${key}`);
      }
    });
  }

  test('units, types, temporality and integers are those of the metadata', () => {
    const specs = new Map<string, MetricSpec>(
      [...plugins.map(({ metadata }) => metadata), selfMetadata].flatMap(({ metrics }) =>
        Object.entries<MetricSpec>(metrics),
      ),
    );
    for (const metric of NAMES.flatMap(of)) {
      const spec = specs.get(metric.name);
      assert.ok(spec, `${metric.name} is in no metadata`);
      assert.equal(metric.unit, spec.unit, metric.name);
      const types = { counter: 'sum', updowncounter: 'sum', gauge: 'gauge' } as const;
      const type = spec.kind === 'histogram' ? 'exponentialHistogram' : types[spec.kind];
      assert.equal(metric.type, type, metric.name);
      if (type === 'sum') assert.equal(metric.monotonic, spec.kind === 'counter', metric.name);
      if (type === 'sum' || type === 'gauge') {
        assert.equal(metric.isInteger, spec.valueType !== 'double', metric.name);
      }
    }
    for (const name of CUMULATIVE) {
      for (const metric of of(name)) {
        if (metric.type !== 'gauge') assert.equal(metric.temporality, 'cumulative', metric.name);
      }
    }
  });

  test('every metric of the plugins that is on by default arrives', () => {
    const names = new Set(of('protobuf-gzip').map((metric) => metric.name));
    for (const { metadata } of running) {
      for (const [name, spec] of Object.entries<MetricSpec>(metadata.metrics)) {
        if (spec.enabled !== false) assert.ok(names.has(name), `${name} did not arrive`);
      }
    }
  });

  test('delta: counters are differences that add up, what may fall stays cumulative', () => {
    const sums = of('delta').filter((metric) => metric.type === 'sum');
    for (const metric of sums) {
      assert.equal(metric.temporality, metric.monotonic ? 'delta' : 'cumulative', metric.name);
    }
    const switches = (name: Name) =>
      of(name)
        .filter((metric) => metric.name === 'process.context_switches')
        .filter((metric) => metric.attributes['process.context_switch.type'] === 'voluntary')
        .sort((a, b) => a.time - b.time);
    const deltas = switches('delta').reduce((sum, metric) => sum + metric.value, 0);
    const totals = switches('protobuf-gzip').map((metric) => metric.value);
    const [first = 0] = switches('delta').map((metric) => metric.value);
    assert.ok(totals.length >= COLLECTIONS);
    // The first difference counts from where the series began, which is before the agent did.
    assert.equal(deltas - first, (totals.at(-1) ?? 0) - (totals[0] ?? 0));
  });

  test('procstat: a process at rest, equal to smaps and status to the byte', () => {
    const last = of('protobuf-gzip')
      .filter((metric) => metric.attributes['process.pid'] === sleeper.pid)
      .filter((metric, _, all) => metric.time === Math.max(...all.map(({ time }) => time)));
    const value = (name: string, type?: string) =>
      last.find(
        (metric) =>
          metric.name === name &&
          (type === undefined || metric.attributes['memwatcher.process.memory.rss.type'] === type),
      )?.value;
    const { status, smaps } = truth;
    const rss = smaps.get('Rss') ?? Number.NaN;
    const anon = smaps.get('Anonymous') ?? Number.NaN;
    assert.equal(value('process.memory.usage'), rss);
    assert.equal(value('memwatcher.process.memory.rss', 'anon'), anon);
    assert.equal(value('memwatcher.process.memory.rss', 'file'), rss - anon);
    assert.equal(value('memwatcher.process.memory.rss', 'shmem'), 0);
    assert.equal(value('process.memory.virtual'), status.get('VmSize'));
    assert.equal(value('memwatcher.process.memory.data'), status.get('VmData'));
    assert.equal(value('memwatcher.process.memory.stack'), status.get('VmStk'));
    assert.equal(value('memwatcher.process.memory.page_table'), status.get('VmPTE'));
    assert.equal(value('memwatcher.process.memory.swap'), smaps.get('Swap'));
    assert.equal(value('memwatcher.process.memory.locked'), status.get('VmLck'));
    assert.ok((value('memwatcher.process.memory.peak') ?? 0) >= rss);
    const [any] = last;
    assert.equal(any?.attributes['process.executable.name'], 'sleep');
    assert.equal(any?.attributes['process.command'], 'sleep');
  });

  for (const [counter, name, attributes, factor] of VMSTAT) {
    test(`sysstat: ${counter} of /proc/vmstat`, (t) => {
      if (!vmstat.has(counter)) return t.skip('this kernel does not count it');
      const points = of('protobuf-gzip').filter(
        (metric) =>
          metric.name === name &&
          Object.entries(attributes).every(([key, value]) => metric.attributes[key] === value) &&
          Object.keys(metric.attributes).length === Object.keys(attributes).length,
      );
      const bounds = points.map((point) => vmstat.around(counter, point.time));
      assert.ok(points.length >= COLLECTIONS, `${points.length} points`);
      points.forEach((point, index) => {
        const bound = bounds[index];
        assert.ok(bound, 'vmstat was not sampled around this point');
        const pages = point.value / PAGE_SIZE / factor;
        const range = `${bound.low} to ${bound.high}`;
        assert.ok(pages >= bound.low && pages <= bound.high, `${pages} is not in ${range}`);
      });
    });
  }

  for (const name of NAMES) {
    test(`${name}: what became of each plugin arrives as events`, () => {
      for (const { metadata } of running) {
        const own = (logs.get(name) ?? []).filter(
          (log) => log.attributes['memwatcher.plugin'] === metadata.name,
        );
        assert.ok(own.length > 0, `no event about ${metadata.name}`);
        for (const log of own) {
          assert.match(log.eventName, /^memwatcher\./);
          assert.equal(log.resource['service.name'], 'mem-watcher');
        }
        const states = own.map((log) => log.attributes['memwatcher.plugin.state']);
        assert.ok(states.includes('ok'), `${metadata.name}: ${states}`);
      }
    });
  }

  test('the resource is the host and the agent, never a process or a container', () => {
    for (const { resource } of NAMES.flatMap(of)) {
      assert.equal(resource['service.name'], 'mem-watcher');
      assert.equal(resource['host.name'], hostname());
      assert.equal(resource['deployment.environment.name'], 'e2e');
      for (const key of Object.keys(resource)) assert.doesNotMatch(key, /^(process|container)\./);
    }
  });
});

const keyOf = (point: Pick<Metric, 'name' | 'attributes'>, time: number): string =>
  `${point.name} ${time} ${JSON.stringify(Object.entries(point.attributes).sort())}`;
