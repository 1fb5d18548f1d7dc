/** What the kernel holds for a process: told, or said to be untold. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { programMissing, programOf } from '../../../test/fakes/programs.js';
import { Reading } from '../output/testing/reading.js';
import { isIdleRing, kernelRootsOf } from './kernel-roots.js';

const ON_THEIR_WAY = 'requests of io_uring that are on their way';

describe('io_uring', { skip: programMissing('ring') ?? false, timeout: 30_000 }, () => {
  it('hides nothing while nothing is under way', async (t) => {
    const program = Reading.of(t, programOf('ring'), []);
    await program.until(/idle|none/);
    if (program.text.includes('none')) return t.skip('this kernel has no io_uring');
    const untold = async () => (await kernelRootsOf(program.pid)).untold;
    const isTold = !(await untold()).includes(ON_THEIR_WAY);
    program.say('read');
    await program.until(/waits/);
    assert.deepEqual(await untold(), [ON_THEIR_WAY]);
    program.say('write');
    await program.until(/answered/);
    // Before 5.14 the kernel says nothing of its rings.
    assert.deepEqual(await untold(), isTold ? [] : [ON_THEIR_WAY]);
  });
});

describe('a ring', () => {
  const info = (taken: number, answered: number, more = 'PollList:\nCqOverflowList:\n') =>
    `SqMask:\t0xff\nCachedSqHead:\t${taken}\nCqTail:\t9\nCachedCqTail:\t${answered}\n${more}`;

  it('is idle when as many were answered as were taken', () => {
    assert.equal(isIdleRing(info(7, 7)), true);
    assert.equal(isIdleRing(info(8, 7)), false);
    assert.equal(isIdleRing(info(7, 8)), false);
  });

  it('is not while it polls, or its answers find no room, or nothing is told', () => {
    assert.equal(
      isIdleRing(info(7, 7, 'PollList:\n  op=6, task_works=0\nCqOverflowList:\n')),
      false,
    );
    assert.equal(isIdleRing(info(7, 7, 'PollList:\nCqOverflowList:\n  user_data=5\n')), false);
    assert.equal(isIdleRing('SqThread:\t-1\nUserFiles:\t0\n'), false);
  });
});
