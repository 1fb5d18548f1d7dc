/** On the running kernel: what two plugins declare is told once, by the first of them that runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQuietAgent } from '../../core/compose.js';
import { agentSchema, toAgentConfig } from '../../core/config/schema.js';
import { findInstallation } from '../../core/install.js';
import type { PluginModule } from '../../core/plugin.js';
import { buildWith, plugins } from './harness.js';

const skip = process.getuid?.() === 0 ? false : 'needs root to load BPF';

/** By metric: the plugins that told of it in one collection, with all of their metrics on. */
async function tellers(modules: readonly PluginModule[]): Promise<Map<string, string[]>> {
  const settings = modules.map(({ metadata: { name, metrics } }) => [
    name,
    { metrics: Object.fromEntries(Object.keys(metrics).map((metric) => [metric, true])) },
  ]);
  const raw = { plugins: Object.fromEntries(settings), log: { level: 'error' } };
  const installation = findInstallation(import.meta.url);
  const config = toAgentConfig(agentSchema(modules).parse(raw));
  const agent = createQuietAgent({ installation, plugins: modules, build: buildWith }, config);
  const by = new Map<string, string[]>();
  try {
    await agent.start();
    const collection = await agent.collect();
    for (const { name, batch } of collection.plugins) {
      for (const { name: metric, scalars } of batch.metrics) {
        if (scalars.length > 0) by.set(metric, [...(by.get(metric) ?? []), name]);
      }
    }
  } finally {
    await agent.stop();
  }
  return by;
}

/** Declared by more than one plugin, and by whom, in the order of the list. */
const shared = new Map(
  plugins
    .flatMap(({ metadata }) => Object.keys(metadata.metrics))
    .map(
      (metric) => [metric, plugins.filter(({ metadata }) => metric in metadata.metrics)] as const,
    )
    .filter(([, owners]) => owners.length > 1),
);

test('zones are what sysstat and paf both declare', () => {
  const names = [...shared].filter(([metric]) => metric.startsWith('memwatcher.memory.zone.'));
  assert.ok(names.length >= 4);
  for (const [, owners] of names) {
    assert.deepEqual(
      owners.map(({ metadata }) => metadata.name),
      ['sysstat', 'paf'],
    );
  }
});

test('a metric of two plugins is told once', { skip }, async () => {
  const together = await tellers([...new Set([...shared.values()].flat())]);
  for (const [metric, [first]] of shared) {
    assert.deepEqual(together.get(metric), [first?.metadata.name], metric);
  }
});

test('and by the other where the first does not run', { skip }, async () => {
  const [first] = [...shared.values()][0] ?? [];
  const others = [...new Set([...shared.values()].flat())].filter((module) => module !== first);
  const alone = await tellers(others);
  for (const [metric, [, second]] of shared) {
    assert.deepEqual(alone.get(metric), [second?.metadata.name], metric);
  }
});
