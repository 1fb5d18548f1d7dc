import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Commands } from './commands.js';
import { sample } from './sample.js';

const line = (...words: string[]) => Buffer.from(`${words.join('\0')}\0`);

describe('Commands', () => {
  it('asks once a process, and again after it executed another file', () => {
    let asked = 0;
    const commands = new Commands(100, () => line('sh', '-c', `run ${++asked}`));
    const shell = sample({ pid: 3, executable: 'dash' });
    assert.deepEqual(
      [commands.of(shell)?.command, commands.of(shell)?.line],
      ['sh', 'sh -c run 1'],
    );
    commands.sweep();
    assert.equal(commands.of({ ...shell, executable: 'sleep' })?.line, 'sh -c run 2');
    assert.equal(commands.of({ ...shell, startNs: 1 })?.line, 'sh -c run 3');
  });

  it('bounds what it keeps', () => {
    const commands = new Commands(16, () => line('x'.repeat(50), 'y'));
    const command = commands.of(sample({ pid: 3 }));
    assert.equal(command?.command, `${'x'.repeat(15)}…`);
    assert.equal(command?.line.length, 16);
  });

  it('has nothing of a process that is gone, or has no arguments', () => {
    const gone = new Commands(16, () => {
      throw new Error('ENOENT');
    });
    assert.equal(gone.of(sample({ pid: 3 })), undefined);
    const empty = new Commands(16, () => Buffer.alloc(0));
    assert.equal(empty.of(sample({ pid: 3 })), undefined);
  });
});
