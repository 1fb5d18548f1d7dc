/**
 * The set-up under the Node of Debian 12, which is all that a fresh machine has: it runs before the
 * pinned Node is there.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeError } from '../../core/errors.js';
import { cached, cachePath } from '../cache.js';
import { command } from '../command.js';
import { ROOT } from '../vm/initramfs.js';
import { locked, setupCopy } from './copy.js';

const VERSION = '18.20.8';
const PACKAGE = `node-linux-${process.arch}@${VERSION}`;

/** Its path, from the npm package of that release; or why it cannot be had. */
async function node18(): Promise<{ readonly path: string } | { readonly lack: string }> {
  try {
    const dir = await cached(cachePath('node', PACKAGE), (partial) => {
      mkdirSync(partial);
      command('npm', ['pack', '--silent', '--pack-destination', partial, PACKAGE]);
      const archive = join(partial, `node-linux-${process.arch}-${VERSION}.tgz`);
      command('tar', ['-xzf', archive, '-C', partial, 'package/bin/node']);
    });
    return { path: join(dir, 'package/bin/node') };
  } catch (error) {
    if (process.env.CI) throw error;
    return { lack: `no Node ${VERSION}: ${describeError(error)}` };
  }
}

const node = await node18();
const skip = 'lack' in node ? node.lack : false;
const old = 'path' in node ? node.path : '';

/** The set-up of a fresh clone, where npm has installed nothing yet. */
const run = (root: string, ...flags: string[]) =>
  spawnSync(old, [join(root, 'core/setup/main.mjs'), ...flags], { encoding: 'utf8' });

test('in a fresh clone it says what is pending', { skip }, (t) => {
  const { root } = setupCopy(t);
  for (const path of ['package.json', 'package-lock.json', 'tsconfig.json', 'bpf', 'core']) {
    cpSync(join(ROOT, path), join(root, path), { recursive: true });
  }
  const { status, stderr } = run(root, '--check', '--test', '--run');
  assert.equal(status, 0, stderr);
  assert.match(stderr, /pending: npm packages and the pinned Node \(not installed yet\)/);
  assert.match(stderr, /pending: TypeScript \(sources have changed\)/);
  assert.doesNotMatch(stderr, /Warning|too old|failed/);
});

test('every file that runs before the pinned Node is there is read by it', { skip }, (t) => {
  const { setup } = setupCopy(t);
  const program = `
    const { readdirSync } = await import('node:fs');
    const later = ['bundle.mjs', 'package.mjs', 'main.mjs'];
    for (const name of readdirSync(process.argv[1])) {
      if (!later.includes(name)) await import(process.argv[1] + '/' + name);
    }
    const { run, timed } = await import(process.argv[1] + '/progress.mjs');
    const { mkdirSync } = await import('node:fs');
    mkdirSync(process.argv[1] + '/../../dist');
    await timed('a step', 'for a test', () => run('working', 'true', []));
  `;
  const args = ['--input-type=module', '-e', program, setup];
  const { status, stderr } = spawnSync(old, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.match(stderr, /a step: done in \d+\.\d s/);
});

test('its lock excludes one under the pinned Node', { skip }, async (t) => {
  const { setup } = setupCopy(t);
  const words: string[] = [];
  const both = [old, process.execPath].map((each) => locked(setup, words, 50, each).closed);
  await Promise.all(both);
  assert.deepEqual(words, ['in', 'out', 'in', 'out']);
});
