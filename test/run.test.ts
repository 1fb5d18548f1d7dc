/** The count that a run ends with: over all tests, last, whoever reads the output. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from './vm/initramfs.js';

const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-run-'));
after(() => rmSync(dir, { recursive: true }));

/** A run of one file with these tests. */
function runTests(name: string, tests: string) {
  const file = join(dir, `${name}.test.mjs`);
  writeFileSync(
    file,
    `import assert from 'node:assert/strict';
    import { describe, it, test } from 'node:test';
    ${tests}`,
  );
  return run(`"${process.execPath}" test/run.mjs "${file}"`);
}

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
  const { status, lines } = runTests(
    'three',
    `test('works', () => assert.ok(1));
    test('breaks', () => { throw new Error('broken'); });
    test('lacks', { skip: 'no such hardware' }, () => {});`,
  );
  assert.equal(lines.at(-1), '1 passed, 1 failed, 1 skipped');
  assert.equal(status, 1);
  assert(lines.some((line) => /^ {2}lacks .*: no such hardware$/.test(line)));
});

test('a test that asserts nothing fails, in a suite and as a part of another as well', () => {
  const { lines } = runTests(
    'nothing',
    `test('empty', () => {});
    test('loops over nothing', () => { for (const one of []) assert.ok(one); });
    test('never asks', () => { if (process.pid < 0) assert.ok(false); });
    describe('suite', () => { it('is empty', () => {}); });
    test('parent', async (t) => { await t.test('child', () => {}); assert(1); });
    test('asks by its name alone', () => assert(1));`,
  );
  assert.equal(lines.at(-1), '1 passed, 6 failed, 0 skipped');
  for (const name of ['empty', 'loops over nothing', 'never asks', 'is empty', 'child']) {
    assert(lines.some((line) => line.includes(`“${name}” passed without an assertion`)));
  }
});

test('a skip without a reason is a failure, one with a reason needs no assertion', () => {
  const { lines } = runTests(
    'skips',
    `test('says why', (t) => t.skip('no such kernel'));
    test('says nothing', (t) => t.skip());
    test('says true', { skip: true }, () => {});`,
  );
  assert.equal(lines.at(-1), '0 passed, 2 failed, 1 skipped');
});

test('a run ends with its slowest tests, the slowest first, and a phase with its slowest files', () => {
  const { lines } = runTests(
    'slow',
    `import { setTimeout } from 'node:timers/promises';
    test('quick', () => assert.ok(1));
    test('slow', async () => { await setTimeout(300); assert.ok(1); });
    for (let n = 0; n < 12; n++) test('another ' + n, () => assert.ok(1));`,
  );
  const at = lines.findIndex((line) => line.startsWith('── slowest 10 tests'));
  const told = lines.slice(at + 1, at + 11);
  assert.match(told[0] ?? '', /^ {2}0\.[3-9] s {2}slow \(/);
  assert.ok(
    told.every((line) => /^ {2}\d+\.\d s {2}\S/.test(line)),
    told.join('\n'),
  );
  assert.ok(lines.some((line) => /^unit: \d+ s; slowest files: \S*slow.* \d+\.\d s$/.test(line)));
});

test('what a run leaves out is printed, with each stress file and how to run it', () => {
  const { lines } = run(`"${process.execPath}" test/run.mjs --list`);
  assert.equal(lines[0], 'run: unit, smoke');
  const left = lines.find((line) => line.startsWith('not run: ')) ?? '';
  assert.match(left, /^not run: checks, stress, vm, e2e, real \(stress: /);
  const built = globSync('dist/**/*.stress.test.js', { cwd: ROOT });
  assert.ok(built.length > 0);
  for (const file of built)
    assert.ok(left.includes(file.slice('dist/'.length, -'.test.js'.length)));
  assert.ok(lines.some((line) => line.includes('npm test -- --only PHASE')));
  const all = run(`"${process.execPath}" test/run.mjs --all --list`).lines;
  assert.ok(!all.some((line) => /^not run: .*(smoke|stress)/.test(line)), 'vm covers smoke');
});

test('CI’s last line is the count of the test command, and its exit code too', () => {
  const npm = '#!/bin/sh\necho busy >&2\necho "1 passed, 2 failed, 3 skipped"\nexit 1\n';
  writeFileSync(join(dir, 'npm'), npm, { mode: 0o755 });
  const { status, lines } = run('.ci/run', { PATH: `${dir}${delimiter}${process.env.PATH}` });
  assert.equal(lines.at(-1), '1 passed, 2 failed, 3 skipped');
  assert.equal(status, 1);
});
