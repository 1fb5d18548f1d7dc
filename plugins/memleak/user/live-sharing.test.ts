/** One link for all processes: who is in its group is seen, to the byte, and nobody else. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Allocations, codeOf, startTimeOf } from '../../../test/fakes/allocations.js';
import { heldOf, open, sitesOf, strategies } from './live-watched.js';

const GROUP = 7;
const ROUNDS = 5;

const STRATEGY = 'uprobe-session';
const skip = strategies.includes(STRATEGY) ? false : 'sessions are of 6.13';

describe('links that are shared', { skip, timeout: 120_000 }, () => {
  it('see what own links saw, while a process goes over and back', async (t) => {
    const watch = open(t, STRATEGY);
    const start = async () => {
      const program = await Allocations.start();
      t.after(() => program.stop());
      const process = { pid: program.pid, startTime: startTimeOf(program.pid) };
      return { program, process };
    };
    const [one, two, stranger] = await Promise.all([start(), start(), start()]);
    for (const { process } of [one, two]) watch.follow(process, codeOf(process.pid));
    watch.join(two.process, GROUP);
    let own = watch.attach(one.process, sitesOf());
    const shared = watch.attachShared(GROUP, sitesOf());
    const isExact = async ({ program }: typeof one) => {
      const held = await program.held();
      assert.ok(Object.keys(held).length > 3);
      assert.deepEqual(heldOf({ watch, program }), held);
    };
    for (let round = 0; round < ROUNDS; round++) {
      const busy = one.program.ask('churn 4 20000');
      watch.join(one.process, GROUP, 0);
      await busy;
      own.close();
      watch.join(one.process, GROUP);
      await isExact(one);
      const again = one.program.ask('churn 4 20000');
      own = watch.attach(one.process, sitesOf());
      // The shared link stays: from then on it is not to see it.
      watch.join(one.process, 0, GROUP);
      await again;
      watch.join(one.process, 0);
      await isExact(one);
    }
    await two.program.ask('churn 2 5000');
    await isExact(two);
    const before = watch.strangerHits();
    await stranger.program.ask('leak 1000 0');
    assert.ok(watch.strangerHits() - before >= 1000);
    assert.deepEqual(heldOf({ watch, program: stranger.program }), {});
    const told = watch.countsOf(two.process);
    assert.deepEqual([told?.missedAllocations, told?.missedFrees], [0, 0]);
    shared.close();
    own.close();
  });
});
