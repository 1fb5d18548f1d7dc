import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Logger, silentLogger } from '../../../core/logger.js';
import { JudgeFile } from './judge-file.js';
import type { SavedJudge } from './saved.js';

const saved: SavedJudge = {
  version: 2,
  window: 5,
  stacks: [
    {
      identity: '7@9  1000',
      age: 40,
      confirmedBytes: 0,
      judgement: { state: 'suspected', coverage: 1, since: 3, reason: 'grows' },
      horizons: [[[1, 2, 3, null, null, null, 4]]],
    },
  ],
};

function fileIn(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-judge-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
  const path = join(folder, 'state', 'memleak.json');
  return { file: new JudgeFile(path, logger), folder, path, warnings };
}

test('what is saved is loaded, and nothing else is left behind', (t) => {
  const { file, folder, warnings } = fileIn(t);
  assert.equal(file.load(), undefined);
  file.save(saved);
  file.save(saved);
  const { boot, ...loaded } = file.load() ?? {};
  assert.match(boot ?? '', /^[0-9a-f-]{36}$/);
  assert.deepEqual(loaded, saved);
  assert.deepEqual(readdirSync(join(folder, 'state')), ['memleak.json']);
  assert.deepEqual(warnings, []);
});

test('what was saved before the host was started again is of no use, and that is no mistake', (t) => {
  const { file, path, warnings } = fileIn(t);
  new JudgeFile(path, silentLogger, 'another boot').save(saved);
  assert.equal(file.load(), undefined);
  assert.deepEqual(warnings, []);
});

for (const [what, text] of [
  ['cut off', '{"version":2,'],
  ['of another version', JSON.stringify({ ...saved, version: 1 })],
  ['of another shape', JSON.stringify({ ...saved, stacks: [{ identity: 1 }] })],
] as const) {
  test(`a file that is ${what} is told of once, and the judge begins anew`, (t) => {
    const { file, path, warnings } = fileIn(t);
    file.save(saved);
    writeFileSync(path, text);
    assert.equal(file.load(), undefined);
    assert.equal(file.load(), undefined);
    assert.equal(warnings.length, 1);
  });
}

test('where nothing can be written the judge goes on without', (t) => {
  const { folder, warnings } = fileIn(t);
  writeFileSync(join(folder, 'state'), '');
  const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
  const file = new JudgeFile(join(folder, 'state', 'memleak.json'), logger);
  file.save(saved);
  file.save(saved);
  assert.equal(warnings.length, 1);
});
