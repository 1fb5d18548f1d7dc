import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { FakeWorld, type FakeWorldOptions } from '../../test/fakes/cli.js';
import type { Check } from '../doctor/check.js';
import { runCli } from './cli.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mem-watcher-doctor-'));
  mkdirSync(join(root, 'config', 'kernel'), { recursive: true });
  configure('exporters: { prometheus: { enabled: false } }');
  profile('strategies: [{ name: only, summary: the only way, programs: [p] }]');
});
afterEach(() => rmSync(root, { recursive: true }));

const configure = (yaml: string) => writeFileSync(join(root, 'config', 'agent.yaml'), `${yaml}\n`);
const profile = (yaml: string) =>
  writeFileSync(join(root, 'config', 'kernel', 'pool.yaml'), `${yaml}\n`);

async function doctor(args: readonly string[], options: FakeWorldOptions = {}, isTTY = false) {
  const world = new FakeWorld(root, options);
  world.stdout.isTTY = isTTY;
  const file = ['--config', join(root, 'config', 'agent.yaml')];
  const code = await runCli(['doctor', ...file, ...args], world.context);
  return { code, world, text: world.stdout.text, errors: world.stderr.text };
}

async function checks(...args: string[]) {
  const { text, world, code } = await doctor(['--json', ...args]);
  const found = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Check);
  const find = (name: string) => found.find(({ check }) => check === name);
  return { found, find, world, code };
}

describe('doctor', () => {
  it('--json writes one check a line, each with a name and a status', async () => {
    const { found } = await checks('--no-load');
    assert(found.length > 15, `${found.length} checks`);
    for (const { check, status, value } of found) {
      assert.match(check, /^[a-z0-9_.]+$/);
      assert(['ok', 'warn', 'fail', 'skip'].includes(status), status);
      assert.equal(typeof value, 'string');
    }
    assert.equal(new Set(found.map(({ check }) => check)).size, found.length, 'a name twice');
  });

  it('fails exactly where a check fails', async () => {
    const good = await checks('--no-load');
    const failed = good.found.some(({ status }) => status === 'fail');
    assert.equal(good.code, failed ? 1 : 0);
    profile('strategies: [{ name: s, summary: x, programs: [p], needs: [{ btf_type: no_such }] }]');
    const bad = await checks('--no-load');
    assert.equal(bad.code, 1);
    assert.equal(bad.find('plugin.pool')?.status, 'fail');
    assert.match(bad.find('plugin.pool')?.detail ?? '', /s: lacks type no_such/);
  });

  it('--no-load starts nothing', async () => {
    const { world, find } = await checks('--no-load');
    assert.equal(world.agents.length, 0);
    assert.match(find('plugin.pool')?.value ?? '', /^only, by its facts: not loaded, as asked/);
  });

  it('starts the plugins and stops them again', async (test) => {
    const { world, find } = await checks();
    if (find('capabilities')?.status === 'fail') return test.skip('needs CAP_BPF and CAP_PERFMON');
    assert.equal(find('plugin.pool')?.status, 'ok');
    assert.deepEqual(
      world.agents[0]?.statuses.map(({ state }) => state),
      ['stopped'],
    );
  });

  it('skips a disabled plugin', async (test) => {
    configure('plugins: { pool: { enabled: false } }');
    const { find } = await checks();
    if (find('capabilities')?.status === 'fail') return test.skip('needs CAP_BPF and CAP_PERFMON');
    assert.equal(find('plugin.pool')?.status, 'skip');
  });

  it('looks at the kernel though the configuration is wrong', async () => {
    configure('intervall: 10s');
    const { find, code } = await checks();
    assert.equal(code, 1);
    assert.match(find('configuration')?.detail ?? '', /agent\.yaml:1:1: .*intervall.*interval/);
    assert.equal(find('kernel')?.status, 'ok');
    assert.equal(find('plugin.pool')?.status, 'skip');
    assert.equal(find('endpoint'), undefined);
  });

  it('names a BTF file that is garbage', async () => {
    const file = join(root, 'garbage.btf');
    writeFileSync(file, 'this is not BTF, though it is long enough');
    const { find, code } = await checks('--no-load', '--btf', file);
    assert.equal(code, 1);
    assert.equal(find('btf_file')?.value, file);
    assert.match(find('btf_file')?.detail ?? '', /BTF header/);
  });

  it('names a profile that is wrong or missing', async () => {
    profile('strategies: []');
    assert.match((await checks('--no-load')).find('plugin.pool')?.detail ?? '', /pool\.yaml:1:13/);
    rmSync(join(root, 'config', 'kernel', 'pool.yaml'));
    assert.match((await checks('--no-load')).find('plugin.pool')?.detail ?? '', /pool\.yaml/);
  });

  it('marks each check, with colour on a terminal alone', async () => {
    const { text } = await doctor(['--no-load']);
    assert.match(text, /^ {2}✓ kernel +\S/m);
    assert.match(text, /^ {2}– plugin\.pool/m);
    assert.match(text, /(No problem|\d+ problems?)/);
    assert(!text.includes('\x1b'));
    assert((await doctor(['--no-load'], {}, true)).text.includes('\x1b[32m✓\x1b[0m kernel'));
    const plain = await doctor(['--no-load'], { env: { NO_COLOR: '1' } }, true);
    assert(!plain.text.includes('\x1b'));
  });

  it('is in the help', async () => {
    const world = new FakeWorld(root);
    await runCli(['--help'], world.context);
    assert.match(world.stdout.text, /doctor/);
  });
});
