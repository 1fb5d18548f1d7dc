/** What does not compile is not run. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ROOT } from '../vm/initramfs.js';
import { setupCopy } from './copy.js';

/** A clone whose sources are these, and nothing of BPF. */
function clone(t: TestContext, sources: Readonly<Record<string, string>>): string {
  const { root } = setupCopy(t);
  for (const path of ['package.json', 'package-lock.json', 'tsconfig.json']) {
    cpSync(join(ROOT, path), join(root, path));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const dir of ['bpf', 'plugins/memleak/reach', 'core/symbolize']) {
    mkdirSync(join(root, dir), { recursive: true });
  }
  writeFileSync(join(root, 'bpf/Makefile'), 'all:;\n');
  for (const [file, text] of Object.entries(sources)) writeFileSync(join(root, file), text);
  return root;
}

function setUp(root: string) {
  const { CI: _, ...env } = process.env;
  const args = [join(root, 'core/setup/main.mjs')];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env });
}

test('type errors stop the set-up, and so npm start, also at a desk', (t) => {
  const root = clone(t, { 'plugins/wrong.ts': "export const figure: number = 'text';\n" });
  const { status, stderr } = setUp(root);
  assert.equal(status, 1);
  assert.match(stderr, /plugins\/wrong\.ts\(1,14\): error TS2322/);
  assert.doesNotMatch(stderr, /ready|going on/);
  assert.ok(!existsSync(join(root, 'dist/mem-watcher.js')), 'no agent is made of it');
});

test('what a type error left in dist is compiled anew when the source is as it was', (t) => {
  const right = 'export const figure: number = 1;\n';
  const root = clone(t, {
    'core/main.ts': right,
    'core/symbolize/symbolize-child.ts': right,
    'plugins/memleak/reach/scan-child.ts': right,
  });
  const source = join(root, 'core/main.ts');
  const restore = () => {
    writeFileSync(source, right);
    utimesSync(source, 1e9, 1e9);
  };
  restore();
  assert.match(setUp(root).stderr, /: ready\n$/);

  writeFileSync(source, "export const figure: number = 'text';\n");
  assert.equal(setUp(root).status, 1);
  restore();
  assert.match(setUp(root).stderr, /: ready\n$/);
  assert.match(readFileSync(join(root, 'dist/core/main.js'), 'utf8'), /figure = 1;/);
});
