/** What a user reads who may not load BPF, or has no libbpf. */
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../..', import.meta.url));
/** Prints the error of loading as one line of JSON. */
const SCRIPT = `
  const { createBpfHost } = await import(process.argv[1] + '/core/bpf/libbpf.js');
  try {
    const object = createBpfHost().open(process.argv[1] + '/bpf/kit.bpf.o');
    object.selectPrograms(['compute']);
    object.load();
    console.log('{}');
  } catch ({ code, message, hint }) {
    console.log(JSON.stringify({ code, message, hint }));
  }`;

/** A copy that another user can read, whatever the rights on the way to ours. */
let copy: string;

before(() => {
  copy = mkdtempSync(join(tmpdir(), 'mem-watcher-denied-'));
  spawnSync('chmod', ['755', copy]);
  cpSync(DIST, join(copy, 'dist'), { recursive: true });
  const modules = join(dirname(DIST), 'node_modules');
  for (const name of ['koffi', '@koromix']) {
    cpSync(join(modules, name), join(copy, 'node_modules', name), { recursive: true });
  }
  cpSync(join(dirname(DIST), 'package.json'), join(copy, 'package.json'));
  cpSync(realpathSync(process.execPath), join(copy, 'node'));
});

after(() => rmSync(copy, { recursive: true, force: true }));

function answer({ stdout, stderr }: SpawnSyncReturns<string>): Record<string, string> {
  assert.match(stdout, /^\{/, stderr);
  return JSON.parse(stdout);
}

function command(): string[] {
  return [join(copy, 'node'), '--input-type=module', '-e', SCRIPT, join(copy, 'dist')];
}

test('without capabilities it names those that are missing', (context) => {
  if (process.getuid?.() !== 0) return context.skip('giving up rights takes root');
  const user = ['--reuid=65534', '--regid=65534', '--clear-groups', '--'];
  if (spawnSync('setpriv', [...user, 'true']).status !== 0) {
    return context.skip('setpriv of util-linux is missing');
  }
  const error = answer(spawnSync('setpriv', [...user, ...command()], { encoding: 'utf8' }));
  assert.equal(error.code, 'PERMISSION_DENIED');
  assert.match(error.message ?? '', /CAP_BPF, CAP_PERFMON missing/);
  assert.match(error.hint ?? '', /AmbientCapabilities/);
});

test('without libbpf it says what to install', (context) => {
  const found = spawnSync('sh', ['-c', "/sbin/ldconfig -p | awk '/libbpf.so.1 / {print $NF}'"]);
  const library = found.stdout.toString().trim();
  if (library === '') return context.skip('ldconfig does not say where libbpf is');
  const hide = `mount --bind /dev/null "$(readlink -f ${library})" && exec "$@"`;
  const hidden = ['-m', 'sh', '-c', hide, 'sh', ...command()];
  if (spawnSync('unshare', ['-m', 'true']).status !== 0) {
    return context.skip('a mount namespace takes root');
  }
  const error = answer(spawnSync('unshare', hidden, { encoding: 'utf8' }));
  assert.equal(error.code, 'BPF_LIBRARY_MISSING');
  assert.equal(error.hint, 'apt-get install libbpf1');
});
