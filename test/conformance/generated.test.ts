import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../core/config/load.js';
import { agentSchema, toAgentConfig } from '../../core/config/schema.js';
import { outputs, stale } from '../../core/gen/outputs.js';
import { plugins, root } from './harness.js';

test('every generated file is current (npm run gen renews them)', () => {
  const old = stale(outputs(root, plugins)).map(({ path }) => relative(root, path));
  assert.deepEqual(old, []);
});

test('config/agent.yaml is the default configuration', () => {
  const file = join(root, 'config', 'agent.yaml');
  const { config } = loadConfig({ file, env: {}, root, plugins });
  assert.deepEqual(config, toAgentConfig(agentSchema(plugins).parse({})));
});

test('config/agent.yaml names its schema, and the schema is there', () => {
  const file = join(root, 'config', 'agent.yaml');
  const [, schema] =
    /^# yaml-language-server: \$schema=(\S+)/.exec(readFileSync(file, 'utf8')) ?? [];
  assert.ok(schema && existsSync(join(root, 'config', schema)), String(schema));
});

test('the metrics that agent.yaml shows can be switched by taking the # away', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-generated-'));
  try {
    const shown = readFileSync(join(root, 'config', 'agent.yaml'), 'utf8');
    const file = join(folder, 'agent.yaml');
    writeFileSync(file, shown.replace(/^( +)# ([a-z0-9_.]+: (?:true|false))$/gm, '$1$2'));
    const { config } = loadConfig({ file, env: {}, root, plugins });
    for (const { metadata } of plugins) {
      const switches = Object.entries(metadata.metrics).map(([name, spec]) => [
        name,
        spec.enabled !== false,
      ]);
      assert.deepEqual(config.plugins[metadata.name]?.metrics, Object.fromEntries(switches));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
