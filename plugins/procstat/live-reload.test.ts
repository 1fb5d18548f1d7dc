/** Reloads with real processes: the real plugin, supervisor, delta converter and OTLP exporter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Supervised } from '../../core/testing/supervised.js';
import { buildWith, plugins } from '../../test/conformance/harness.js';

const skip = process.getuid?.() === 0 ? false : 'needs root to load BPF';
const METRICS = ['process.context_switches', 'process.paging.faults'];

const procstat = plugins.filter(({ metadata }) => metadata.name === 'procstat');
const raw = (interval: string, capacity = 16_384) => ({
  interval,
  start_timeout: '1m',
  collect_timeout: '1m',
  shutdown_timeout: '2m',
  plugins: {
    procstat: {
      top: 0,
      capacity,
      metrics: Object.fromEntries(METRICS.map((metric) => [metric, true])),
    },
  },
});

async function reloaded(temporality: 'delta' | 'cumulative'): Promise<Supervised> {
  const agent = await Supervised.of(procstat, buildWith, { raw: raw('200ms'), temporality });
  try {
    await agent.supervisor.start(agent.config(raw('200ms')));
    assert.deepEqual(
      agent.supervisor.statuses.map(({ state }) => state),
      ['ok'],
    );
    await agent.next();
    // The plugin goes on, then another instance takes over.
    assert.equal(await agent.reload(raw('210ms')), true);
    await agent.next();
    assert.equal(await agent.reload(raw('210ms', 20_000)), true, agent.lines.join(''));
    await agent.next();
  } finally {
    await agent.close();
  }
  return agent;
}

/** Of processes that every collection had, by series: the first and the last value. */
function grown(agent: Supervised, metric: string): Map<string, number> {
  const first = new Map<string, number>();
  const seen = new Map<string, number>();
  const last = new Map<string, number>();
  for (const { plugins: parts } of agent.collections) {
    const points = parts[0]?.batch.metrics.find(({ name }) => name === metric)?.scalars ?? [];
    for (const { attributes, value } of points) {
      const key = Object.entries(attributes)
        .map(([name, attribute]) => `${name}=${attribute}`)
        .toSorted()
        .join(' ');
      if (!first.has(key)) first.set(key, value);
      last.set(key, value);
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  const always = [...last].filter(([key]) => seen.get(key) === agent.collections.length);
  return new Map(always.map(([key, value]) => [key, value - (first.get(key) ?? 0)]));
}

test('a reload sends no process’s lifetime again', { skip }, async () => {
  const agent = await reloaded('delta');
  for (const metric of METRICS) {
    const sums = new Map<string, number>();
    for (const { series, value } of agent.points(metric)) {
      sums.set(series, (sums.get(series) ?? 0) + value);
    }
    const expected = grown(agent, metric);
    assert.ok(expected.size >= 4, `${expected.size} series`);
    for (const [series, value] of expected) {
      // What began after the exporter did is sent whole, so only the old ones are exact.
      if (!isOld(series)) continue;
      assert.equal(sums.get(series), value, `${metric} of ${series}`);
    }
  }
});

test('a process has one start time, whatever instance looks', { skip }, async () => {
  const agent = await reloaded('cumulative');
  for (const metric of METRICS) {
    const starts = new Map<string, Set<bigint>>();
    for (const { series, start } of agent.points(metric)) {
      starts.set(series, (starts.get(series) ?? new Set()).add(start));
    }
    assert.ok(starts.size >= 4, `${starts.size} series`);
    for (const [series, all] of starts) assert.equal(all.size, 1, `${metric} of ${series}`);
  }
});

/** Older than this test by some seconds. */
function isOld(series: string): boolean {
  const created = /process\.creation\.time=(\S+)/.exec(series)?.[1];
  return created !== undefined && Date.parse(created) < performance.timeOrigin - 2000;
}
