import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StateFile } from './state-file.js';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-state-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('one write is under way at a time, and of those that wait the latest counts', async (t) => {
  const folder = folderOf(t);
  const file = new StateFile(join(folder, 'deep', 'state'));
  const asked: number[] = [];
  const content = (n: number) => () => {
    asked.push(n);
    return [`${n}`];
  };
  const writes = [1, 2, 3, 4].map((n) => file.write(content(n)));
  await writes[0];
  assert.equal(readFileSync(file.path, 'utf8'), '1');
  await Promise.all(writes);
  assert.deepEqual(asked, [1, 4], 'what nobody will read is not even made');
  assert.equal(readFileSync(file.path, 'utf8'), '4');
  assert.deepEqual(readdirSync(join(folder, 'deep')), ['state']);
});

test('large content is written in pieces, and the event loop turns in between', async (t) => {
  const file = new StateFile(join(folderOf(t), 'state'));
  const line = 'x'.repeat(1023);
  const turns: number[] = [];
  let turn = 0;
  let done = false;
  const count = () => {
    turn++;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  await file.write(function* () {
    for (let n = 0; n < 4096; n++) {
      turns.push(turn);
      yield `${line}\n`;
    }
  });
  done = true;
  assert.equal(readFileSync(file.path).length, 4 << 20);
  assert.ok(new Set(turns).size > 16, `made in ${new Set(turns).size} turns`);
});

test('a write that fails leaves what was there, and the next is tried', async (t) => {
  const folder = folderOf(t);
  const file = new StateFile(join(folder, 'state'));
  await file.write(() => ['before']);
  const fails = () => {
    throw new Error('nothing to write');
  };
  const failed = file.write(fails);
  const next = file.write(() => ['after']);
  await assert.rejects(failed, /nothing to write/);
  await next;
  assert.equal(readFileSync(file.path, 'utf8'), 'after');
  assert.deepEqual(readdirSync(folder), ['state']);
});

test('leftovers of agents that were killed are removed, and nothing else', async (t) => {
  const folder = folderOf(t);
  for (const name of ['state', 'state.new', 'state.new-0badcafe-3', 'other.new']) {
    writeFileSync(join(folder, name), '');
  }
  mkdirSync(join(folder, 'folder'));
  await new StateFile(join(folder, 'state')).removeLeftovers();
  assert.deepEqual(readdirSync(folder).sort(), ['folder', 'other.new', 'state']);
});
