/** Processes that fork, run another program and exit while they are followed. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, startTimeOf } from '../../../test/fakes/allocations.js';
import { heldOf, missing, readingsOf, sitesOf, strategies, watched } from './live-watched.js';
import type { Happening } from './user-watch.js';
import type { UserWatcher } from './watcher.js';

const TICK = 1e7;
const [strategy = ''] = strategies;

/** Waits for so many. */
async function happenings(watch: UserWatcher, count: number): Promise<Happening[]> {
  const seen: Happening[] = [];
  while (seen.length < count) {
    seen.push(...watch.happenings());
    await sleep(5);
  }
  return seen;
}

const pidOf = (answer: string): number => Number(answer.split(' ')[1]);

describe('processes that are followed', { skip: missing ?? false, timeout: 120_000 }, () => {
  it('keep what they have when a child frees its copy', async (t) => {
    const seen = await watched(t, strategy);
    const { watch, program, process } = seen;
    await program.ask('churn 1 2000');
    await program.ask('leak 50 0');
    const held = await program.held();
    const child = pidOf(await program.ask('fork'));
    assert.deepEqual(heldOf(seen), held);
    assert.deepEqual(readingsOf(watch, child), []);
    const [fork, ...others] = await happenings(watch, 1);
    assert.deepEqual(others, []);
    assert.ok(fork?.kind === 'fork');
    assert.equal(fork.process.pid, program.pid);
    assert.equal(fork.child.pid, child);
    assert.equal(Math.floor(fork.process.startTime / TICK) * TICK, process.startTime);
    assert.ok(fork.child.startTime >= fork.process.startTime);
    assert.ok(fork.time <= Number(globalThis.process.hrtime.bigint()));
  });

  it('begin with what their parent has, if asked', async (t) => {
    const seen = await watched(t, strategy);
    const { watch, program, process } = seen;
    await program.ask('churn 1 2000');
    await program.ask('leak 50 0');
    const held = await program.held();
    const pid = pidOf(await program.ask('child'));
    const child = { pid, startTime: startTimeOf(pid) };
    watch.follow(child, codeOf(pid), process);
    watch.attach(child, sitesOf());
    assert.deepEqual(heldOf(seen, pid), held);
    assert.deepEqual(heldOf(seen), held);
    await program.ask('c churn 2 1000');
    const own = await program.held('c report');
    assert.notDeepEqual(own, held);
    assert.deepEqual(heldOf(seen, pid), own);
    assert.deepEqual(heldOf(seen), held);
    await program.ask('c free');
    await program.ask('churn 1 500');
    assert.deepEqual(heldOf(seen, pid), {});
    assert.deepEqual(heldOf(seen), await program.held());
  });

  it('are followed anew when they run another program', async (t) => {
    const seen = await watched(t, strategy);
    const { watch, program, process } = seen;
    await program.ask('churn 2 2000');
    await program.ask('exec');
    const [exec] = await happenings(watch, 1);
    assert.equal(exec?.kind, 'exec');
    assert.equal(exec.process.pid, program.pid);
    // Nobody has said yet where the code of the new program is.
    await program.ask('leak 10 10');
    watch.forget(process);
    assert.deepEqual(readingsOf(watch, program.pid), []);
    await program.ask('free');
    watch.follow(process, codeOf(program.pid));
    await program.ask('churn 2 2000');
    await program.ask('leak 10 0');
    assert.deepEqual(heldOf(seen), await program.held());
  });

  it('are told of when they exit, and leave nothing', async (t) => {
    const { watch, program, process } = await watched(t, strategy, { maxTargets: 2 });
    await program.ask('leak 1000 0');
    await program.ask('churn 3 3000');
    const { hits = 0 } = watch.activity().get(program.pid) ?? {};
    assert.ok(hits > 4000, `${hits}`);
    await program.end();
    const [exit, ...others] = await happenings(watch, 1);
    assert.equal(exit?.kind, 'exit');
    assert.equal(exit.process.pid, program.pid);
    assert.deepEqual(others, []);
    assert.ok(!existsSync(`/proc/${program.pid}`));
    // What it held is known until it is forgotten, and what its threads counted.
    assert.ok(readingsOf(watch, program.pid).length > 0);
    assert.ok((watch.activity().get(program.pid)?.hits ?? 0) >= hits);
    watch.forget(process);
    assert.deepEqual(readingsOf(watch, program.pid), []);
    watch.read({ ages: true });
    watch.read({ ages: true });
    assert.deepEqual(watch.fullness, { stacks: 0, allocations: 0 });
  });

  it('may come and go for ever', async (t) => {
    const { watch, program, process } = await watched(t, strategy, {
      maxTargets: 3,
      maxStacks: 64,
    });
    const code = codeOf(program.pid);
    const keys = new Set<string>();
    for (let round = 0; round < 40; round++) {
      await program.ask('leak 20 0');
      const readings = readingsOf(watch, program.pid);
      assert.equal(
        readings.reduce((sum, { allocations }) => sum + allocations, 0),
        20,
      );
      for (const { key } of readings) {
        assert.ok(!keys.has(key), 'a key is one stack’s');
        keys.add(key);
      }
      watch.forget(process);
      watch.follow(process, code);
      watch.read({ ages: true });
      watch.read({ ages: true });
    }
    assert.ok(keys.size >= 40);
  });
});
