/** The set-up's promises: it says what to do, works once at a time, and leaves nothing stale. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../vm/initramfs.js';

const load = (name: string): Promise<unknown> =>
  import(pathToFileURL(join(ROOT, 'core/setup', name)).href);
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

test('without root it names the missing packages and the command that fixes it', {
  skip: isRoot ? false : 'needs root to become someone else',
}, () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-setup-'));
  chmodSync(dir, 0o755);
  const fake = join(dir, 'dpkg-query');
  writeFileSync(fake, '#!/bin/sh\nprintf "make ii \\nlibbpf-dev ii \\nclang rc \\n"\n', {
    mode: 0o755,
  });
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
  assert.match(result.stdout, /only root can install them: clang llvm linux-libc-dev libbpf1/);
  assert.match(result.stdout, /sudo apt-get install -y --no-install-recommends clang llvm /);
  assert.doesNotMatch(result.stdout, /make|libbpf-dev/, result.stderr);
  rmSync(dir, { recursive: true });
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

test('two at once: one waits for the other', async () => {
  const program = `
    const { exclusively } = await import(process.argv[1]);
    await exclusively(async () => {
      console.log('in');
      await new Promise((resolve) => setTimeout(resolve, 400));
      console.log('out');
    });
  `;
  const url = pathToFileURL(join(ROOT, 'core/setup/lock.mjs')).href;
  const words: string[] = [];
  const one = () =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program, url]);
      child.stdout.on('data', (data) => words.push(...String(data).trim().split('\n')));
      child.once('close', resolve);
    });
  await Promise.all([one(), one(), one()]);
  assert.deepEqual(words, ['in', 'out', 'in', 'out', 'in', 'out']);
});
