import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { LAUNCHER } from './launcher.js';

/** Says its name and what it was told. */
function fakeNode(file: string, name: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho "${name}" "$@"\n`, { mode: 0o755 });
}

test('the launcher takes the Node beside it, not an older one on PATH; without, that on PATH', () => {
  const root = mkdtempSync(join(tmpdir(), 'mem-watcher-launcher-'));
  cpSync(LAUNCHER, join(root, 'core/mem-watcher'), { recursive: true });
  symlinkSync(join(root, 'core/mem-watcher'), join(root, 'mem-watcher'));
  fakeNode(join(root, 'bin/node'), 'that of the host');
  const run = () =>
    spawnSync(join(root, 'mem-watcher'), ['paf', '--pid', '1'], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(root, 'bin')}:${process.env.PATH}` },
    }).stdout;
  const program = `${root}/dist/mem-watcher.js paf --pid 1\n`;

  const alone = run();
  assert.ok(alone.startsWith('that of the host ') && alone.endsWith(program), alone);
  fakeNode(join(root, 'node_modules/node/bin/node'), 'the pinned one');
  const beside = run();
  assert.ok(beside.startsWith('the pinned one ') && beside.endsWith(program), beside);
  rmSync(root, { recursive: true });
});

test('the launcher keeps what the program compiles to beside it, and does without', () => {
  const root = mkdtempSync(join(tmpdir(), 'mem-watcher-launcher-'));
  cpSync(LAUNCHER, join(root, 'core/mem-watcher'), { recursive: true });
  mkdirSync(join(root, 'node_modules/node/bin'), { recursive: true });
  symlinkSync(process.execPath, join(root, 'node_modules/node/bin/node'));
  mkdirSync(join(root, 'dist'));
  writeFileSync(join(root, 'dist/mem-watcher.js'), 'console.log(process.argv[2]);\n');
  const run = (env: NodeJS.ProcessEnv) =>
    spawnSync(join(root, 'core/mem-watcher'), ['doctor'], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    }).stdout;
  assert.equal(run({ NODE_COMPILE_CACHE: '' }), 'doctor\n');
  assert.ok(!existsSync(join(root, 'dist/compiled')));
  assert.equal(run({ NODE_COMPILE_CACHE: undefined }), 'doctor\n');
  assert.ok(existsSync(join(root, 'dist/compiled')));
  writeFileSync(join(root, 'dist/mem-watcher.js'), 'console.log("another");\n');
  assert.equal(run({ NODE_COMPILE_CACHE: undefined }), 'another\n');
  // A file where the directory would be.
  rmSync(join(root, 'dist/compiled'), { recursive: true });
  writeFileSync(join(root, 'dist/compiled'), '');
  assert.equal(run({ NODE_COMPILE_CACHE: undefined }), 'another\n');
  rmSync(root, { recursive: true });
});
