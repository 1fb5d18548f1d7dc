/** One set-up of a folder at a time, whoever starts, waits, ends or is killed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { locked, setupCopy, working } from './copy.js';

test('several at once: each waits for the other', async (t) => {
  const { setup } = setupCopy(t);
  const words: string[] = [];
  await Promise.all(Array.from({ length: 5 }, () => locked(setup, words, 50).closed));
  assert.deepEqual(words, Array.from({ length: 5 }, () => ['in', 'out']).flat());
});

test('a set-up that is killed with no program at work frees the lock for one of those that wait', async (t) => {
  const { setup } = setupCopy(t);
  const words: string[] = [];
  const killed = locked(setup, [], 60_000);
  await killed.entered;
  const waiting = Array.from({ length: 3 }, () => locked(setup, words, 50));
  killed.child.kill('SIGKILL');
  await Promise.all(waiting.map(({ closed }) => closed));
  assert.deepEqual(words, ['in', 'out', 'in', 'out', 'in', 'out']);
});

test('a program at work keeps the lock when its set-up is killed', async (t) => {
  const { root, setup } = setupCopy(t);
  const at = (name: string) => join(root, name);
  const wait = `while [ -e '${at('begun')}' ] && [ ! -e '${at('go')}' ]; do sleep 0.05; done`;
  const killed = working(setup, [], `touch '${at('begun')}'; ${wait}; touch '${at('ended')}'`);
  await killed.entered;
  while (!existsSync(at('begun'))) await setTimeout(20);
  killed.child.kill('SIGKILL');
  await once(killed.child, 'exit');

  const words: string[] = [];
  const next = locked(setup, words, 0);
  const inTime = next.entered.then(() => existsSync(at('ended')));
  await Promise.race([next.said(/another set-up is at work here/), next.closed]);
  assert.deepEqual(words, [], 'the program is still at work');
  writeFileSync(at('go'), '');
  assert.ok(await inTime, 'the next set-up begins after the program has ended');
  await next.closed;
  assert.deepEqual(words, ['in', 'out']);
});

test('a file that a dead process left, or one that is alive and has its number, keeps no set-up out', async (t) => {
  const { root, setup } = setupCopy(t);
  const file = join(root, 'dist/.setup-lock');
  mkdirSync(join(root, 'dist'));
  for (const left of ['4194305 1', `${process.pid}`, '']) {
    writeFileSync(file, left);
    const words: string[] = [];
    await Promise.all([locked(setup, words, 50).closed, locked(setup, words, 50).closed]);
    assert.deepEqual(words, ['in', 'out', 'in', 'out']);
  }
  assert.ok(existsSync(file), 'nobody deletes it: another might hold it');
});

test('a set-up that waits names the process that it waits for', async (t) => {
  const { setup } = setupCopy(t);
  const first = locked(setup, [], 60_000);
  await first.entered;
  const words: string[] = [];
  const second = locked(setup, words, 0);
  await second.said(new RegExp(`another set-up is at work here \\(process ${first.child.pid},`));
  first.child.kill('SIGTERM');
  await second.closed;
  assert.deepEqual(words, ['in', 'out']);
});
