/** What a process can still do after it gave up everything, tried by itself. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { root } from '../../test/conformance/harness.js';
import { libc } from './libc.js';
import { seccompFilter } from './seccomp.js';
import { Decoder } from './wire.js';

const LIBC = new URL('./libc.js', import.meta.url).href;
const SANDBOX = new URL('./sandbox.js', import.meta.url).href;

/** Runs a script in a process that gives up everything first; what it printed. */
function confined(script: string, limits = '{ memory: 1 << 28, cpuSeconds: 5, files: 64 }') {
  const text = `
    import fs from 'node:fs';
    import net from 'node:net';
    import { spawnSync } from 'node:child_process';
    const { giveUpEverything } = await import('${SANDBOX}');
    const tried = (what) => { try { return String(what()); } catch (error) { return error.code ?? error.name; } };
    const status = giveUpEverything(${limits});
    ${script}
    (await import('${LIBC}')).libc().exit(0);`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', text], {
    encoding: 'utf8',
    env: {},
  });
}

test('nothing of the file system, of other processes or of the network is left', () => {
  const { stdout, stderr } = confined(`
    fs.writeSync(1, JSON.stringify([
      tried(() => fs.openSync('/etc/hostname')),
      tried(() => fs.openSync('/proc/self/status')),
      tried(() => fs.writeFileSync('/tmp/mem-watcher-left', '')),
      tried(() => fs.readdirSync('/')),
      tried(() => spawnSync('/bin/true').error?.code),
      tried(() => process.kill(process.ppid, 0)),
      tried(() => process.setuid(0)),
    ]));`);
  assert.deepEqual(
    JSON.parse(stdout),
    ['EPERM', 'EPERM', 'EPERM', 'EPERM', 'EPERM', 'EPERM', 'EPERM'],
    stderr,
  );
});

test('every thread is without rights, and is nobody where it was root', () => {
  // The folder is opened before, since afterwards nothing can be.
  const { stdout, stderr } = confined('fs.writeSync(1, status);');
  const value = (name: string) => new RegExp(`^${name}:[\\t ]*(.*)$`, 'm').exec(stdout)?.[1];
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
    assert.equal(value(set), '0000000000000000', stderr);
  }
  assert.equal(value('NoNewPrivs'), '1');
  assert.equal(value('Seccomp'), '2');
  if (process.getuid?.() === 0) {
    assert.equal(value('CapBnd'), '0000000000000000');
    assert.equal(value('Uid'), '65534\t65534\t65534\t65534');
    assert.equal(value('Gid'), '65534\t65534\t65534\t65534');
    assert.equal(value('Groups')?.trim(), '');
  }
});

test('memory and time end', () => {
  const memory = confined(`
    const held = [];
    for (;;) held.push(Buffer.alloc(1 << 24, 1));`);
  assert.notEqual(memory.status, 0);
  const time = confined('for (;;);', '{ memory: 1 << 28, cpuSeconds: 1, files: 64 }');
  assert.match(String(time.signal), /SIGXCPU|SIGKILL/);
});

test('the other architecture’s filter is as long as its list', () => {
  for (const architecture of ['x64', 'arm64']) {
    const filter = seccompFilter(architecture);
    assert.ok(filter && filter.length % 8 === 0 && filter.length / 8 < 256, architecture);
  }
  assert.equal(seccompFilter('riscv64'), undefined);
});

const setpriv = spawnSync('setpriv', ['--version']).status === 0;
const lacking =
  process.getuid?.() !== 0
    ? 'taking a right away takes root'
    : setpriv
      ? undefined
      : 'setpriv of util-linux is missing';

/** Starts the child as the agent does, under `prefix`; what it says of itself. */
async function firstWords(script: string, prefix: readonly string[] = []): Promise<string> {
  const [ours, theirs] = libc().socketPair();
  const words = [...prefix, process.execPath, script, String(1 << 30), '60', '256'];
  const child = spawn(words[0] ?? '', words.slice(1), {
    stdio: ['pipe', 'pipe', 'inherit', theirs],
    env: {},
    cwd: '/',
  });
  const decoder = new Decoder(1 << 20);
  try {
    for await (const piece of child.stdout ?? []) {
      const [message] = decoder.feed(piece);
      if (message !== undefined) return JSON.parse(message).status;
    }
    return '';
  } finally {
    child.kill('SIGKILL');
    closeSync(ours);
    closeSync(theirs);
  }
}

const FORMS = {
  'the compiled module': fileURLToPath(new URL('./symbolize-child.js', import.meta.url)),
  'the bundled file': `${root}/dist/symbolize-child.js`,
} as const;

for (const [form, script] of Object.entries(FORMS)) {
  const skip = existsSync(script) ? false : `${script} is not built`;
  test(`${form} confines itself`, { skip }, async () => {
    assert.match(await firstWords(script), /CapEff:\t0{16}\n[\s\S]*NoNewPrivs:\t1\n/);
  });

  test(`${form} does so without the right to become nobody`, {
    skip: skip || (lacking ?? false),
  }, async () => {
    const limits = ['--bounding-set=-setuid,-setgid', '--inh-caps=-setuid,-setgid', '--'];
    const status = await firstWords(script, ['setpriv', ...limits]);
    assert.match(status, /CapEff:\t0{16}\n[\s\S]*NoNewPrivs:\t1\n/);
    assert.match(status, /CapPrm:\t0{16}\n/);
  });
}
