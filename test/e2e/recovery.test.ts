/** A Collector that goes away: what can be kept is kept, what cannot is counted. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { AgentProcess } from './agent.js';
import { Collector, freePort } from './collector.js';
import { lackForE2e } from './lack.js';
import type { Metric } from './otlp-json.js';

const AWAY = 4;

suite('a Collector that goes away', { skip: await lackForE2e() }, () => {
  test('comes back: everything that was collected meanwhile arrives, and SIGINT flushes', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-e2e-'));
    let collector = await Collector.start({ dir });
    const port = collector.port();
    const agent = new AgentProcess({
      dir,
      config: {
        interval: '300ms',
        exporters: {
          otlp: { only: { endpoint: collector.endpoint() } },
          prometheus: { enabled: false },
        },
      },
    });
    try {
      await agent.collected(2);
      // Its own file must be whole: what it had taken is its to keep.
      await collector.stop('SIGTERM');
      await agent.collected(agent.collections + AWAY);
      collector = await Collector.start({ dir, port });
      await agent.collected(agent.collections + 2);
    } finally {
      assert.equal(await agent.stop('SIGINT'), 0);
      await collector.stop();
    }
    const arrived = new Set(collector.metrics().map((metric) => metric.time));
    const taken = [...agent.snapshots('procstat'), ...agent.snapshots('sysstat')];
    assert.ok(taken.length > AWAY);
    const lost = taken.filter((time) => !arrived.has(time));
    assert.deepEqual(lost, [], `of ${taken.length} snapshots; the agent said: ${agent.errors}`);
    rmSync(dir, { recursive: true, force: true });
  });

  test('stays away: the queue is bounded, and every item that it drops is counted', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-e2e-'));
    const collector = await Collector.start({ dir });
    const agent = new AgentProcess({
      dir,
      config: {
        interval: '300ms',
        shutdown_timeout: '2s',
        exporters: {
          otlp: {
            up: { endpoint: collector.endpoint() },
            down: {
              endpoint: `http://127.0.0.1:${await freePort()}`,
              queue: { max_batches: 2 },
            },
          },
          prometheus: { enabled: false },
        },
      },
    });
    try {
      await agent.collected(8);
    } finally {
      await agent.stop('SIGINT');
      await collector.stop();
    }
    const metrics = collector.metrics();
    const own = metrics.filter((metric) => metric.name === 'memwatcher.agent.export.items');
    const at = Math.max(...own.map((metric) => metric.time));
    const of = (exporter: string, name: string, outcome?: string) =>
      sum(
        metrics.filter(
          (metric) =>
            metric.time === at &&
            metric.name === `memwatcher.agent.export.${name}` &&
            metric.attributes['memwatcher.exporter'] === exporter &&
            metric.attributes['memwatcher.signal'] === 'metrics' &&
            (outcome === undefined || metric.attributes['memwatcher.export.outcome'] === outcome),
        ),
      );
    assert.ok(of('down', 'items', 'dropped') > 0, 'nothing was counted as dropped');
    assert.equal(of('down', 'items', 'sent'), 0);
    assert.equal(of('up', 'items', 'dropped'), 0);
    const given = (exporter: string) => of(exporter, 'items') + of(exporter, 'queue.items');
    assert.equal(given('down'), given('up'));
    // Metrics, logs and traces each: that it fails, and at the end what was not delivered; and once,
    // that the flush gave up on all.
    const complaints = agent.errors.split('\n').filter((line) => /down/.test(line));
    assert.ok(complaints.length <= 7, `one condition, many lines:\n${complaints.join('\n')}`);
    rmSync(dir, { recursive: true, force: true });
  });
});

const sum = (metrics: readonly Metric[]): number =>
  metrics.reduce((total, metric) => total + metric.value, 0);
