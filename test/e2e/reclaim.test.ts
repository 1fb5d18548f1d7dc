/**
 * Stalls in reclaim on their whole road: a cgroup at its limit, the real agent, a real Jaeger and a
 * real Collector. What Jaeger gives back is compared with the kernel's own tracer.
 *
 * Reading a file by the page cache of a small cgroup makes many short episodes. Others that want the
 * CPU make some of them long: whoever is interrupted in the middle waits for its turn.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { MemoryCgroup } from '../fakes/memory-cgroup.js';
import { Pressure, pressureMissing } from '../fakes/pressure.js';
import { type TracedEvent, Tracing } from '../fakes/tracing.js';
import { AgentProcess } from './agent.js';
import { Collector, until } from './collector.js';
import { Jaeger } from './jaeger.js';
import { lackForE2e, lackForJaeger } from './lack.js';
import type { Metric, Span } from './otlp-json.js';
import { Podman } from './podman.js';
import { clockOffset } from './proc.js';
import { Spinners } from './spinners.js';

const SERVICE = 'mem-watcher';
const SPAN = 'memwatcher.reclaim';
const MIB = 2 ** 20;
const LIMIT = 16 * MIB;
const FILE = 48 * MIB;
const THRESHOLD_MS = 1;
/** Each of the two that stall has at least so many spans before we look. */
const ENOUGH = 3;
const ARRIVAL_MS = 60_000;
const PROGRAM = join(import.meta.dirname, '../fakes/pressure');
const EVENTS = {
  'vmscan/mm_vmscan_memcg_reclaim_begin': '',
  'vmscan/mm_vmscan_memcg_reclaim_end': '',
};
/** From one of a tracepoint's probes to the next; an interrupt may come between. */
const SLACK_NS = 200_000;
/** Both clocks are read here, one after the other. */
const CLOCKS_MS = 5;

/** A run of reclaim as the tracer saw it, ns of CLOCK_MONOTONIC. */
interface Episode {
  readonly tid: number;
  readonly begin: number;
  readonly end: number;
  readonly reclaimed: number;
}

const skip =
  (await lackForE2e()) ||
  (await lackForJaeger()) ||
  (pressureMissing() ?? MemoryCgroup.missing() ?? Tracing.missing(...Object.keys(EVENTS)) ?? false);

suite('reclaim → Jaeger', { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-e2e-'));
  const podman = Podman.missing() === undefined ? new Podman() : undefined;
  const containerSkip = Podman.missing() ?? false;
  let jaeger: Jaeger;
  let collector: Collector;
  let group: MemoryCgroup;
  let container: { readonly id: string; readonly pid: number } | undefined;
  let pid = 0;
  let spans: Span[] = [];
  let episodes: Episode[] = [];
  let metrics: Metric[] = [];
  let exitCode: number | null = null;
  let complaints: readonly string[] = [];
  /** Unix ns at 0 of CLOCK_MONOTONIC. */
  let offset = 0n;

  before(async () => {
    jaeger = await Jaeger.start({ dir });
    collector = await Collector.start({ dir });
    const agent = new AgentProcess({
      dir,
      config: {
        interval: '500ms',
        exporters: {
          otlp: {
            jaeger: { endpoint: jaeger.endpoint, signals: ['traces'] },
            collector: { endpoint: collector.endpoint() },
          },
          prometheus: { enabled: false },
        },
        plugins: {
          paf: { enabled: false },
          pr: { span_threshold: `${THRESHOLD_MS}ms`, span_rate: 10_000 },
        },
      },
    });
    const spinners = new Spinners();
    let tracing: Tracing | undefined;
    let pressure: Pressure | undefined;
    try {
      await agent.collected(2);
      tracing = new Tracing({ events: EVENTS });
      container = stalledContainer();
      group = MemoryCgroup.make({ limit: LIMIT });
      const file = sparse(join(dir, 'file'));
      pressure = await Pressure.start([group.enter, 'wait', `read=${file}:1000000`]);
      pid = pressure.pid;
      pressure.next().catch(() => undefined); // it is stopped long before it has read so often
      const pids = [pid, ...(container ? [container.pid] : [])];
      await until(
        async () => {
          spans = await jaeger.spans(SERVICE, SPAN);
          return pids.every((each) => of(each).length >= ENOUGH);
        },
        ARRIVAL_MS,
        () => `too few spans of ${pids}: ${spans.length}\n${agent.errors}`,
      );
      await pressure.stop();
      if (container) podman?.stop(container.id);
      tracing.stop();
      offset = clockOffset();
      episodes = episodesOf(tracing.read()).filter(({ tid }) => pids.includes(tid));
      await agent.collected(agent.collections + 2);
    } finally {
      await pressure?.stop();
      await spinners.stop();
      tracing?.close();
      exitCode = await agent.stop('SIGINT');
      await collector.stop();
    }
    complaints = agent.complaints;
    metrics = collector.metrics();
    spans = await jaeger.spans(SERVICE, SPAN);
  });

  after(async () => {
    await jaeger?.stop();
    podman?.close();
    group?.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  function stalledContainer() {
    if (podman === undefined) return undefined;
    const id = podman.run({
      program: PROGRAM,
      args: ['read=/file:1000000'],
      options: ['--memory', String(LIMIT)],
      prepare: (root) => sparse(join(root, 'file')),
    });
    return { id, pid: podman.pid(id) };
  }

  const of = (process: number) =>
    spans.filter(({ attributes }) => attributes['process.pid'] === process);

  const ours = () => [...of(pid), ...(container ? of(container.pid) : [])];

  /** What the tracer saw of the same episode: what took as long, and of that the closest in time. */
  function traced(span: Span): Episode {
    const end = Number(span.endNs - offset);
    const took = Number(span.endNs - span.startNs);
    const unlike = (episode: Episode) =>
      Math.abs(episode.end - end) + 100 * Math.abs(lengthOf(episode) - took);
    const [nearest] = episodes
      .filter((episode) => episode.tid === span.attributes['process.pid'])
      .filter((episode) => Math.abs(took - lengthOf(episode)) <= SLACK_NS)
      .toSorted((x, y) => unlike(x) - unlike(y));
    assert.ok(nearest, 'the tracer saw no such episode');
    return nearest;
  }

  test('the agent ended well and had nothing to complain of', () => {
    assert.equal(exitCode, 0);
    assert.deepEqual(complaints, []);
  });

  test('begin, end and pages are the kernel’s own', () => {
    assert.ok(ours().length >= ENOUGH);
    for (const span of ours()) {
      const episode = traced(span);
      const off = Number(span.startNs - offset) - episode.begin;
      assert.ok(Math.abs(off) <= CLOCKS_MS * 1e6, `begins ${off} ns off`);
      assert.equal(span.attributes['memwatcher.reclaim.freed'], episode.reclaimed);
      assert.ok(span.endNs - span.startNs >= THRESHOLD_MS * 1e6);
    }
  });

  test('every long episode is a span of its own', () => {
    const told = new Set(ours().map(traced));
    assert.equal(told.size, ours().length);
    const long = episodes.filter((each) => lengthOf(each) >= THRESHOLD_MS * 1e6 + SLACK_NS);
    assert.deepEqual(
      long.filter((episode) => !told.has(episode)),
      [],
    );
  });

  test('who was stalled, and at whose limit', () => {
    for (const span of of(pid)) {
      const { attributes } = span;
      assert.equal(span.resource['service.name'], SERVICE);
      assert.equal(span.scope, 'mem-watcher.pr');
      assert.equal(attributes['process.executable.name'], 'pressure');
      assert.equal(attributes['memwatcher.reclaim.type'], 'memcg');
      assert.equal(attributes['memwatcher.reclaim.order'], 0);
      assert.ok(String(attributes['process.linux.cgroup']).endsWith(`:${group.path}`));
      assert.ok(String(attributes['memwatcher.reclaim.limit.cgroup']).endsWith(`:${group.path}`));
      assert.match(String(attributes['memwatcher.reclaim.gfp_flags']), /^GFP_/);
      assert.equal(attributes['container.id'], undefined);
      assert.ok(Number(attributes['memwatcher.reclaim.scanned']) > 0);
      assert.ok(!('process.pid' in span.resource));
    }
  });

  test('a container is the one that podman knows', { skip: containerSkip }, async () => {
    assert.ok(container);
    for (const { attributes } of of(container.pid)) {
      assert.equal(attributes['container.id'], container.id);
      assert.equal(attributes['process.executable.name'], 'pressure');
    }
    const found = new Set(await jaeger.search(SERVICE, { 'container.id': container.id }));
    assert.deepEqual(found, new Set(of(container.pid).map(({ traceId }) => traceId)));
  });

  test('a container’s stalled time is that of its episodes', { skip: containerSkip }, () => {
    const stalled = last('memwatcher.reclaim.stalled').find(
      ({ attributes }) => attributes['container.id'] === container?.id,
    );
    const seen = episodes
      .filter(({ tid }) => tid === container?.pid)
      .reduce((sum, { begin, end }) => sum + end - begin, 0);
    assert.ok(seen > 0);
    // The tracer was first in the one and last out of the other, of as many episodes as it saw.
    const off = Math.abs((stalled?.value ?? 0) - seen / 1e9) / (seen / 1e9);
    assert.ok(off < 0.1, `${stalled?.value} s, the tracer saw ${seen / 1e9} s`);
  });

  test('what the histogram’s exemplars name, Jaeger has', () => {
    const known = new Map(spans.map((span) => [span.traceId, span]));
    const exemplars = metrics
      .filter(({ name }) => name === 'memwatcher.reclaim.duration')
      .flatMap((metric) => metric.exemplars);
    assert.ok(exemplars.length > 0, 'no exemplar arrived');
    for (const { traceId, spanId, value } of exemplars) {
      const span = known.get(traceId);
      assert.equal(span?.spanId, spanId, `Jaeger lacks ${traceId}`);
      assert.ok(Math.abs(Number(span.endNs - span.startNs) / 1e9 - value) < 1e-6);
    }
  });

  test('the histogram counts short episodes as well', () => {
    const [histogram] = last('memwatcher.reclaim.duration').filter(
      ({ attributes }) => attributes['memwatcher.reclaim.type'] === 'memcg',
    );
    assert.ok((histogram?.count ?? 0) >= episodes.length);
    assert.ok(episodes.length > ours().length);
  });

  test('as many spans were sent as the agent says', () => {
    const fates = new Map(
      last('memwatcher.reclaim.spans').map(({ attributes, value }) => [
        attributes['memwatcher.span.fate'],
        value,
      ]),
    );
    assert.equal(fates.get('sent'), spans.length);
    assert.equal(fates.get('ring_full'), 0);
    assert.equal(fates.get('rate_limited'), 0);
  });

  /** The points of the last collection that had any. */
  function last(name: string): Metric[] {
    const all = metrics.filter((metric) => metric.name === name);
    const time = Math.max(...all.map((metric) => metric.time));
    return all.filter((metric) => metric.time === time);
  }
});

const lengthOf = ({ begin, end }: Episode): number => end - begin;

/** Costs no disk; its pages are as good as any. */
function sparse(path: string): string {
  writeFileSync(path, '');
  truncateSync(path, FILE);
  return path;
}

/** Begin and end by thread. */
function episodesOf(events: readonly TracedEvent[]): Episode[] {
  const begun = new Map<number, number>();
  return events.flatMap(({ tid, time, event, fields }) => {
    if (event.endsWith('_begin')) {
      begun.set(tid, time);
      return [];
    }
    const begin = begun.get(tid);
    begun.delete(tid);
    const reclaimed = Number(fields.nr_reclaimed);
    return begin === undefined ? [] : [{ tid, begin, end: time, reclaimed }];
  });
}
