/** The count that a run ends with: over all tests, last, whoever reads the output. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from './vm/initramfs.js';

const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-run-'));
after(() => rmSync(dir, { recursive: true }));

/** Both streams in one, as a log has them. */
function run(command: string, env: NodeJS.ProcessEnv = {}) {
  const { stdout, status } = spawnSync('sh', ['-c', `${command} 2>&1`], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, lines: stdout.trimEnd().split('\n') };
}

test('the last line counts what passed, failed and was skipped, and each skip has its reason', () => {
  const file = join(dir, 'three.test.mjs');
  writeFileSync(
    file,
    `import { test } from 'node:test';
    test('works', () => {});
    test('breaks', () => { throw new Error('broken'); });
    test('lacks', { skip: 'no such hardware' }, () => {});`,
  );
  const { status, lines } = run(`"${process.execPath}" test/run.mjs "${file}"`);
  assert.equal(lines.at(-1), '1 passed, 1 failed, 1 skipped');
  assert.equal(status, 1);
  assert(lines.some((line) => /^ {2}lacks .*: no such hardware$/.test(line)));
});

test('CI’s last line is the count of the test command, and its exit code too', () => {
  const npm = '#!/bin/sh\necho busy >&2\necho "1 passed, 2 failed, 3 skipped"\nexit 1\n';
  writeFileSync(join(dir, 'npm'), npm, { mode: 0o755 });
  const { status, lines } = run('.ci/run', { PATH: `${dir}${delimiter}${process.env.PATH}` });
  assert.equal(lines.at(-1), '1 passed, 2 failed, 3 skipped');
  assert.equal(status, 1);
});
