import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pool } from '../../test/fakes/plugin.js';
import { loadConfig } from './load.js';

test('strategies are those of the folder that the configuration names', (context) => {
  const root = mkdtempSync(join(tmpdir(), 'mem-watcher-profiles-'));
  context.after(() => rmSync(root, { recursive: true }));
  const file = join(root, 'agent.yaml');
  const load = (yaml: string) => {
    writeFileSync(file, yaml);
    const strategies = (_: string, folder?: string) => [folder === '/mine' ? 'own' : 'shipped'];
    return loadConfig({ file, env: {}, root, plugins: [pool], strategies }).config;
  };
  const own = 'plugins: { pool: { strategy: own } }\n';
  assert.equal(load(`kernel: { profiles: /mine }\n${own}`).plugins.pool?.strategy, 'own');
  assert.throws(() => load(own), /cannot be "own"/);
  assert.throws(() => load(`kernel: { profiles: 7 }\n${own}`), /kernel\.profiles/);
});
