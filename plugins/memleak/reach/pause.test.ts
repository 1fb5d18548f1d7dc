import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { References } from '../../../test/fakes/references.js';
import { pauseProcess } from './pause.js';

const stateOf = (pid: number) =>
  / \(.*\) (\w)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];

describe('a process that is paused', { skip: References.missing() ?? false }, () => {
  test('stands still with all its threads, tells their registers, and goes on', async (t) => {
    const target = await References.start('registers');
    t.after(() => target.stop());
    const held = target.blocks.filter(({ kind }) => kind.startsWith('register'));
    const paused = pauseProcess(target.pid);
    assert.equal(stateOf(target.pid), 't');
    assert.equal(paused.threads, held.length + 2);
    const words = new Set(paused.words);
    for (const { kind, address } of held) assert.ok(words.has(BigInt(address)), kind);
    paused.close();
    assert.notEqual(stateOf(target.pid), 't');
  });

  test('gets the signals that come meanwhile', async (t) => {
    const child = spawn('sleep', ['60']);
    t.after(() => child.kill('SIGKILL'));
    const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
    const paused = pauseProcess(child.pid ?? 0);
    child.kill('SIGTERM');
    paused.close();
    assert.equal(await ended, 'SIGTERM');
  });

  test('that has ended is no process', () => {
    assert.throws(() => pauseProcess(2 ** 22), /it has ended/);
  });
});
