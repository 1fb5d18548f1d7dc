/** What does not fit is counted, and ages are what they are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { heldOf, missing, readingsOf, strategies, watched } from './live-watched.js';

const [strategy = ''] = strategies;

describe('limits', { skip: missing ?? false, timeout: 120_000 }, () => {
  it('count what finds no room among the allocations', async (t) => {
    const seen = await watched(t, strategy, { maxAllocations: 1024 });
    const { watch, program, process } = seen;
    await program.ask('leak 5000 10');
    const { leak } = await program.held();
    assert.deepEqual(leak, { bytes: 50_000, count: 5000 });
    const counts = watch.countsOf(process);
    const kept = heldOf(seen).leak?.count ?? 0;
    // The kernel counts roughly where many CPUs count at once.
    assert.ok(kept >= 1024 && kept < 5000, `${kept}`);
    assert.equal(counts?.missedAllocations, 5000 - kept);
    assert.equal(counts?.missedBytes, 50_000 - kept * 10);
    const { coverage } = watch.read({ ages: false });
    assert.equal(coverage.get(program.pid)?.missedAllocations, 5000 - kept);
    assert.equal(coverage.get(program.pid)?.recorded, kept);
    // What was missed is freed unseen, what was not is freed.
    await program.ask('free');
    assert.equal(watch.countsOf(process)?.unknownFrees, 5000 - kept);
    assert.deepEqual(heldOf(seen), {});
  });

  it('keep the sum of stacks that find no room', async (t) => {
    const seen = await watched(t, strategy, { maxStacks: 4 });
    const { watch, program } = seen;
    for (let frames = 0; frames < 10; frames++) await program.ask(`deep ${frames}`);
    const readings = readingsOf(watch, program.pid);
    const other = readings.filter(({ frames }) => frames.length === 0);
    assert.equal(other.length, 1);
    assert.equal(readings.length, 5);
    assert.equal(
      readings.reduce((sum, { bytes }) => sum + bytes, 0),
      240,
    );
    assert.ok((watch.countsOf(seen.process)?.withoutSlot ?? 0) >= 6);
    assert.equal(watch.fullness.stacks, 1);
  });

  it('give slots of stacks that hold nothing to others', async (t) => {
    const seen = await watched(t, strategy, { maxStacks: 16 });
    const { watch, program } = seen;
    await program.ask('churn 1 500');
    await program.ask('free');
    await program.ask('leak 5 8');
    // Each step waits for programs that may still run.
    while (watch.fullness.stacks > 0.5) {
      readingsOf(watch, program.pid);
      await sleep(100);
    }
    await program.ask('churn 1 500');
    assert.deepEqual(heldOf(seen), await program.held());
    assert.equal(watch.countsOf(seen.process)?.withoutSlot, 0);
  });

  it('tell an emptied stack once', async (t) => {
    const { watch, program } = await watched(t, strategy);
    await program.ask('leak 5 8');
    const [{ key } = { key: '' }] = readingsOf(watch, program.pid);
    await program.ask('free');
    const [empty, ...others] = readingsOf(watch, program.pid);
    assert.deepEqual(others, []);
    assert.equal(empty?.key, key);
    assert.equal(empty?.bytes, 0);
    assert.equal(empty?.allocatedBytes, 40);
    assert.equal(empty?.freedCount, 5);
    assert.deepEqual(readingsOf(watch, program.pid), []);
  });
});

describe('ages', { skip: missing ?? false, timeout: 120_000 }, () => {
  it('are since each allocation', async (t) => {
    const { watch, program } = await watched(t, strategy);
    const before = performance.now();
    await program.ask('leak 3 100');
    const between = performance.now();
    await sleep(300);
    await program.ask('leak 2 100');
    const asked = performance.now();
    const reading = watch
      .read({ ages: true })
      .readings.find(({ frames }) => program.siteOf(frames[0] ?? 0n) === 'leak');
    const told = performance.now();
    const { oldest = 0, allocations = [], bytes = [] } = reading?.ages ?? {};
    // Times are kept to a millisecond.
    assert.ok(oldest * 1000 >= asked - between && oldest * 1000 <= told - before + 2, `${oldest}`);
    assert.equal(allocations.length, 32);
    assert.equal(
      allocations.reduce((sum, count) => sum + count),
      5,
    );
    assert.equal(
      bytes.reduce((sum, count) => sum + count),
      500,
    );
    const old = allocations.slice(Math.floor(Math.log2(asked - between)));
    assert.ok(old.reduce((sum, count) => sum + count) >= 3);
    assert.equal(watch.read({ ages: false }).readings[0]?.ages, undefined);
  });
});
