// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of the configuration
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { pool } from '../../test/fakes/plugin.js';
import { withoutCredentials } from './credentials.js';
import { agentJsonSchema } from './json-schema.js';
import { loadConfig } from './load.js';
import { asWritten, printed, secretsHidden } from './printed.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-printed-'));
after(() => rmSync(folder, { recursive: true }));

function load(yaml: string, env: Record<string, string> = {}) {
  const file = join(folder, 'agent.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ file, env, root: folder, plugins: [pool] });
}

test('what is printed is read as the same configuration', () => {
  const { config } = load('interval: 90s\nplugins: {pool: {limit: 64KiB, owners: [a, b]}}\n');
  const text = stringify(printed(agentJsonSchema([pool]), asWritten(config)));
  assert.match(text, /interval: 90s/);
  assert.match(text, /limit: 64KiB/);
  assert.deepEqual(load(text).config, config);
});

test('a key in the query of a URL is not printed', () => {
  assert.equal(withoutCredentials('https://h:1/otlp?api_key=abc#d'), 'https://h:1/otlp');
  assert.equal(withoutCredentials('https://u:p@h/?k=v', 'X'), 'https://X@h/?X');
  assert.equal(withoutCredentials('python3.?'), 'python3.?');
});

test('no secret is printed: headers, credentials, what came from outside', () => {
  const loaded = load(
    [
      'exporters:',
      '  otlp:',
      '    a:',
      '      endpoint: https://user:hunter2@host/x',
      '      headers: {plain: hunter2, part: "Bearer ${env:TOKEN}", whole: "${env:TOKEN}", otherwise: "${env:NONE:-hunter2}"}',
      '      timeout: ${env:TIME}',
      '    b: {endpoint: "https://user:hunter2@${env:TOKEN}/x"}',
      'resource: {from: "${env:TOKEN}"}',
      '',
    ].join('\n'),
    { TOKEN: 'hunter2', TIME: '77s' },
  );
  const shown = printed(agentJsonSchema([pool]), asWritten(loaded.config), secretsHidden(loaded));
  const text = JSON.stringify(shown);
  assert.doesNotMatch(text, /hunter2|77/);
  assert.match(text, /"endpoint":"https:\/\/\[redacted\]@host\/x"/);
  assert.match(text, /"whole":"\$\{env:TOKEN\}"/);
  assert.match(text, /"part":"\[redacted\]"/);
  assert.match(text, /"timeout":"\$\{env:TIME\}"/);
});
