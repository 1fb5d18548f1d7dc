import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StatusKeeper } from '../../../core/status.js';
import { JudgeFile, type JudgeFileOptions } from './judge-file.js';
import type { SavedJudge, SavedStack } from './saved.js';

const stack: SavedStack = {
  identity: '7@9  1000',
  age: 40,
  confirmedBytes: 0,
  judgement: { state: 'suspected', coverage: 1, since: 3, reason: 'grows' },
  horizons: [[[1, 2, 3, null, null, null, 4]]],
};
const saved: SavedJudge = { version: 2, window: 5, stacks: [stack] };

function fileIn(t: TestContext, options: Partial<JudgeFileOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-judge-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const warnings: string[] = [];
  const logger = { warn: (_: object, message: string) => void warnings.push(message) };
  const health = new StatusKeeper('memleak', () => undefined);
  health.running();
  const path = join(folder, 'state', 'memleak.json');
  const open = (more: Partial<JudgeFileOptions> = {}) =>
    new JudgeFile(path, { logger, health, ...options, ...more });
  return { file: open(), open, folder, path, warnings, health };
}

test('what is saved is loaded, and nothing else is left behind', async (t) => {
  const { file, folder, warnings, health } = fileIn(t);
  assert.equal(await file.load(), undefined);
  await file.save(() => saved);
  await file.save(() => saved);
  const { boot, ...loaded } = (await file.load()) ?? {};
  assert.match(boot ?? '', /^[0-9a-f-]{36}$/);
  assert.deepEqual(loaded, saved);
  assert.deepEqual(readdirSync(join(folder, 'state')), ['memleak.json']);
  assert.deepEqual(warnings, []);
  assert.equal(health.current.state, 'ok');
});

test('what was saved before the host was started again is of no use, and that is no mistake', async (t) => {
  const { file, open, warnings } = fileIn(t);
  await open({ boot: 'another boot' }).save(() => saved);
  assert.equal(await file.load(), undefined);
  assert.deepEqual(warnings, []);
});

for (const [what, text] of [
  ['cut off', '{"version":2,'],
  ['of another version', JSON.stringify({ ...saved, version: 1 })],
  ['of another shape', JSON.stringify({ ...saved, stacks: [{ identity: 1 }] })],
] as const) {
  test(`a file that is ${what} is logged, and the judge begins anew`, async (t) => {
    const { file, path, warnings } = fileIn(t);
    await file.save(() => saved);
    writeFileSync(path, text);
    assert.equal(await file.load(), undefined);
    assert.match(warnings.join(), /^cannot read .*memleak\.json: leaks are judged anew$/);
  });
}

test('a write that fails degrades the plugin until one succeeds, and throws nothing', async (t) => {
  const { file, folder, health } = fileIn(t);
  writeFileSync(join(folder, 'state'), '');
  await file.save(() => saved);
  await file.save(() => saved);
  assert.equal(health.current.state, 'degraded');
  assert.match(
    health.current.reason ?? '',
    /^cannot save verdicts, failed 2 times: E\w+: .*state_dir$/,
  );
  rmSync(join(folder, 'state'));
  await file.save(() => saved);
  assert.equal(health.current.state, 'ok');
  assert.equal((await file.load())?.stacks.length, 1);
});

test('a file is no larger than its limit: the last stacks are left out', async (t) => {
  const { file, path } = fileIn(t, { maxStackBytes: 5000 });
  const stacks = Array.from({ length: 500 }, (_, n) => ({ ...stack, identity: `7@9  ${n}` }));
  await file.save(() => ({ ...saved, stacks }));
  assert.ok(statSync(path).size <= 6000);
  const kept = (await file.load())?.stacks ?? [];
  assert.ok(kept.length > 5);
  assert.deepEqual(kept, stacks.slice(0, kept.length));
});

test('closing waits for the last write', async (t) => {
  const { file, open } = fileIn(t);
  void file.save(() => saved);
  void file.save(() => ({ ...saved, window: 7 }));
  await file.close();
  assert.equal((await open().load())?.window, 7);
});
