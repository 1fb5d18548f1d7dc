/** memleak’s state on a disk that does not get round to writing it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hasProgram } from '../../test/fakes/compiled.js';
import { slowDisk } from '../../test/fakes/slow-disk.js';

const PROGRAM = fileURLToPath(new URL('../../test/fakes/stopping.js', import.meta.url));
const skip = hasProgram('gcc') ? false : 'gcc is missing, which compiles the slow fsync';

test('while fsync waits the event loop turns and probes are detached; stopping waits for the state', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const { folder, gate, library } = slowDisk(t);
  const state = join(folder, 'memleak.json');
  const child = spawn(process.execPath, [PROGRAM, folder], {
    env: { ...process.env, LD_PRELOAD: library, SLOW_FSYNC_GATE: gate },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const said = { out: '', err: '' };
  child.stdout.on('data', (piece: Buffer) => {
    said.out += piece;
  });
  child.stderr.on('data', (piece: Buffer) => {
    said.err += piece;
  });
  const until = async (holds: () => boolean) => {
    while (!holds()) {
      assert.equal(child.exitCode, null, `${said.out}${said.err}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await until(() => said.err.includes('fsync waits'));
  await until(() => said.out.includes('turned') && said.out.includes('detached'));
  assert.doesNotMatch(said.out, /closed/, 'the last state is waited for');
  assert.equal(existsSync(state), false, 'half of it is not seen');

  const pipe = openSync(gate, 'r+');
  t.after(() => closeSync(pipe));
  writeSync(pipe, 'x'.repeat(64));
  await ended;
  assert.match(said.out, /closed/);
  assert.deepEqual(JSON.parse(readFileSync(state, 'utf8')).stacks, []);
  // The file, and the folder that has its name; Node does the same for stdout when it ends.
  assert.ok(said.err.split('fsync waits').length - 1 >= 2, said.err);
});
