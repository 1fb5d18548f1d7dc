import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { readProcessMap } from '../../../core/symbolize/process-map.js';
import { command } from '../../../test/command.js';
import { hasProgram } from '../../../test/fakes/compiled.js';
import { Images } from './images.js';

test('tables are read ahead before the event loop reads them, once for all who wait', async (t) => {
  const images = new Images(/^malloc$/);
  t.after(() => images.close());
  const { modules } = readProcessMap(process.pid);
  const program = modules.filter(({ path }) => path === process.execPath);
  assert.ok(program.length > 0);
  const [one, other] = [
    images.readAhead(process.pid, program),
    images.readAhead(process.pid, program),
  ];
  for (const job of [one, other]) assert.equal(job.next().value, 'wait');
  assert.equal(images.reads, 0);
  let turns = 0;
  while (!one.next().done) {
    turns++;
    await setImmediate();
  }
  assert.ok(other.next().done, 'both waited for the same');
  assert.ok(turns > 0);
  assert.ok(images.program(process.pid, modules));
  assert.ok(images.readAhead(process.pid, program).next().done, 'what is known is not read again');
});

test('who has gone is not waited for', () => {
  const images = new Images(/^malloc$/);
  const { modules } = readProcessMap(process.pid);
  const job = images.readAhead(
    2 ** 22 + 1,
    modules.map((module) => ({ ...module, path: '/gone' })),
  );
  assert.ok(job.next().done);
  images.close();
});

const skip = hasProgram('prlimit') ? false : 'prlimit is missing';

test('a file that cannot be opened to be read ahead is skipped, and read when it is needed', {
  skip,
}, async (t) => {
  const images = new Images(/^malloc$/);
  t.after(() => images.close());
  const { modules } = readProcessMap(process.pid);
  const program = modules.filter(({ path }) => path === process.execPath);
  const free = fewDescriptors(t);
  const job = images.readAhead(process.pid, program);
  assert.equal(job.next().value, 'wait');
  const taken = takeAll();
  // An unhandled rejection fails the test.
  while (!job.next().done) await setImmediate();
  for (const fd of taken) closeSync(fd);
  free();
  assert.ok(images.program(process.pid, modules));
});

/** So that a test can take all that are left. */
function fewDescriptors(t: TestContext): () => void {
  const limit = (soft: string) =>
    command('prlimit', ['--pid', String(process.pid), `--nofile=${soft}:`]);
  const before = command('prlimit', [
    '--pid',
    String(process.pid),
    '--nofile',
    '-o',
    'SOFT',
    '--noheadings',
  ]).trim();
  const restore = () => void limit(before);
  t.after(restore);
  limit(String(readdirSync('/proc/self/fd').length + 64));
  return restore;
}

function takeAll(): number[] {
  const taken: number[] = [];
  for (;;) {
    try {
      taken.push(openSync('/dev/null', 'r'));
    } catch {
      return taken;
    }
  }
}
