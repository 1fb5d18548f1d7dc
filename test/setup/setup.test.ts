/** The set-up's promises: it says what to do, works once at a time, and leaves nothing stale. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../vm/initramfs.js';
import { locked } from './copy.js';

const load = (name: string): Promise<unknown> =>
  import(pathToFileURL(join(ROOT, 'core/setup', name)).href);
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

const needsRoot = { skip: isRoot ? false : 'needs root to become someone else' };

/** A directory of programs that do as they are told. */
function fakes(programs: Record<string, string>): string {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-setup-'));
  chmodSync(dir, 0o755);
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(dir, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return dir;
}

test('without root it names the missing packages and the command that fixes it', needsRoot, () => {
  // libdw1 goes by its name in the suites after bookworm.
  const installed = ['make ii', 'libbpf-dev ii', 'clang rc', 'libdw1t64 ii'];
  const dir = fakes({ sudo: '', 'dpkg-query': `printf "${installed.join(' \\n')} \\n"` });
  const program = `
    const { installPackages, missingPackages, packagesFor } = await import(process.argv[1]);
    const missing = missingPackages(packagesFor({ test: false }));
    try { await installPackages(missing); } catch (error) { console.log(error.message, error.remedy); }
  `;
  const url = pathToFileURL(join(ROOT, 'core/setup/packages.mjs')).href;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', program, url], {
    encoding: 'utf8',
    uid: NOBODY,
    gid: NOBODY,
    env: { PATH: `${dir}:${process.env.PATH}` },
  });
  assert.match(
    result.stdout,
    /only root can install them: clang llvm linux-libc-dev libbpf1 libatomic1/,
  );
  assert.match(result.stdout, /sudo apt-get install -y --no-install-recommends clang llvm /);
  assert.doesNotMatch(result.stdout, /make|libbpf-dev|libdw1/, result.stderr);
  rmSync(dir, { recursive: true });
});

test('without the capabilities it says how to get them', needsRoot, () => {
  const dir = fakes({ sudo: '' });
  const program = `
    const { capabilityShortage, missingCapabilities } = await import(process.argv[1]);
    const { message, remedy } = capabilityShortage(missingCapabilities());
    console.log(message, remedy);
  `;
  const url = pathToFileURL(join(ROOT, 'core/setup/capabilities.mjs')).href;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', program, url], {
    encoding: 'utf8',
    uid: NOBODY,
    gid: NOBODY,
    env: { PATH: `${dir}:${process.env.PATH}` },
  });
  assert.match(result.stdout, /CAP_BPF, CAP_PERFMON missing sudo npm start\n/, result.stderr);
  assert.match(result.stdout, /setcap cap_bpf,cap_perfmon(,cap_sys_resource)?=ep .*\/bin\/node$/m);
  rmSync(dir, { recursive: true });
});

test('what belongs to another user is said, with the way out', async () => {
  const { describeFailure } = (await load('progress.mjs')) as {
    describeFailure: (error: Error) => string;
  };
  const failure = Object.assign(new Error('EACCES: denied'), { code: 'EACCES', path: '/a/dist' });
  assert.match(describeFailure(failure), /may not write \/a\/dist \(EACCES\)\n.*chown -R /);
});

test('a failure ends with what to do about it', async () => {
  const { remedyOf } = (await load('progress.mjs')) as {
    remedyOf: (text: string) => string | undefined;
  };
  assert.match(remedyOf('cp: No space left on device') ?? '', /disk is full/);
  assert.match(remedyOf('Temporary failure resolving mirror.example') ?? '', /network/);
  assert.match(remedyOf('npm error code EAI_AGAIN') ?? '', /network/);
  assert.match(remedyOf('E: Could not get lock /var/lib/dpkg/lock') ?? '', /package manager/);
  assert.equal(remedyOf('something else'), undefined);
});

test('a step that takes longer shows that it is alive', async (t) => {
  const { timed } = (await load('progress.mjs')) as {
    timed: (title: string, why: string, perform: () => Promise<void>) => Promise<void>;
  };
  const written = t.mock.method(process.stderr, 'write', () => true);
  t.mock.timers.enable({ apis: ['setInterval', 'Date'] });
  await timed('a step', 'because', async () => {
    for (let second = 0; second < 25; second++) t.mock.timers.tick(1000);
  });
  const lines = written.mock.calls.map(({ arguments: [text] }) => String(text));
  written.mock.restore();
  const shown = lines.filter((line) => /so far/.test(line));
  assert.match(shown[0] ?? '', /a step: (6|10) s so far/);
  assert.ok(shown.length >= 2, `${lines}`);
});

test('outputs of deleted sources go, all others stay', async () => {
  const { removeStaleOutputs } = (await load('stamp.mjs')) as {
    removeStaleOutputs: (out: string, root: string, sources: readonly string[]) => void;
  };
  const root = mkdtempSync(join(tmpdir(), 'mem-watcher-stale-'));
  const write = (file: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), '');
  };
  const stale = ['dist/core/gone.test.js', 'dist/core/gone.test.js.map', 'dist/bpf/gone.bpf.o'];
  const kept = ['dist/core/here.js', 'dist/core/here.js.map', 'dist/bpf/here.bpf.o'];
  for (const file of [...stale, ...kept, 'core/here.ts', 'core/here.bpf.c']) write(file);
  removeStaleOutputs(join(root, 'dist'), root, ['core']);
  assert.deepEqual(
    stale.filter((file) => existsSync(join(root, file))),
    [],
  );
  assert.deepEqual(
    kept.filter((file) => !existsSync(join(root, file))),
    [],
  );
  rmSync(root, { recursive: true });
});

test('a set-up that is interrupted ends after the program that is at work', async () => {
  // Runs the lock's code on a lock and a log of its own.
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-interrupt-'));
  cpSync(join(ROOT, 'core/setup'), join(dir, 'core/setup'), { recursive: true });
  const program = `
    const { exclusively } = await import(process.argv[1] + '/lock.mjs');
    const { run } = await import(process.argv[1] + '/progress.mjs');
    const { existsSync } = await import('node:fs');
    const [, , begun, ended] = process.argv;
    const script = 'trap "kill %1; sleep 0.3; touch ' + ended + '; exit 1" INT; sleep 60 & touch ' + begun + '; wait';
    const watch = setInterval(() => {
      if (!existsSync(begun)) return;
      clearInterval(watch);
      process.kill(process.pid, 'SIGINT');
    }, 20);
    await exclusively(() => run('waiting', 'bash', ['-c', script]));
  `;
  const [setup, ended] = [join(dir, 'core/setup'), join(dir, 'ended')];
  const args = ['--input-type=module', '-e', program, setup, join(dir, 'begun'), ended];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const signal = await new Promise((resolve) => child.once('exit', (_, name) => resolve(name)));
  assert.equal(signal, 'SIGINT');
  assert.ok(existsSync(ended), 'the program had ended');
  const words: string[] = [];
  await locked(setup, words, 0).closed;
  assert.deepEqual(words, ['in', 'out'], 'the lock is free');
  rmSync(dir, { recursive: true });
});
