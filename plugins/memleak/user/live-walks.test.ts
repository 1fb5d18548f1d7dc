/** The passes over all live allocations and threads come to the same by each walk, whatever its number. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { describe, it, type TestContext } from 'node:test';
import type { BpfMap, BpfObject } from '../../../core/bpf/host.js';
import { codeOf, startTimeOf } from '../../../test/fakes/allocations.js';
import { LARGEST, LIMIT, STEP } from '../walk/walk.js';
import {
  heldOf,
  open,
  readingsOf,
  sitesOf,
  strategies,
  type Watched,
  walksHere,
  watched,
} from './live-watched.js';
import { HERITAGE } from './passes.js';

const [strategy = ''] = strategies;
/** More than one run of any program visits. */
const MANY = LIMIT + 1000;
const IS_GUEST = process.env.MEM_WATCHER_VM !== undefined;
/** Of a million; in a guest, which emulates each instruction, of what one run of a program gives up at. */
const HALF = IS_GUEST ? 10_000 : 500_000;
const SIZE = 64;
const WEIGHT = 65_536n;

const sum = (numbers: readonly number[] = []) => numbers.reduce((all, one) => all + one, 0);

for (const [walk, why] of walksHere()) {
  describe(`a walk by ${walk}`, { skip: why ?? false, timeout: 300_000 }, () => {
    // Only one run of a program depends on how many there are.
    for (const count of IS_GUEST && walk !== 'for-each' ? [MANY] : [1000, MANY]) {
      it(`does to each of ${count} allocations what is to be done`, async (t) => {
        const seen = await watched(t, strategy, { walk });
        await seen.program.ask('churn 3 1000');
        await seen.program.ask(`leak ${count} 10`);
        checkThreads(seen, count);
        // First of all, so that no pass before it has found out how many there are.
        await checkChild(seen);
        checkAges(seen, count);
        checkForgotten(seen);
      });
    }

    it('does not try again what gave up at the number of threads', (t) => {
      const watch = open(t, strategy, { walk, maxThreads: 2 * MANY });
      const { object } = watch.loaded;
      watch.follow({ pid: process.pid, startTime: startTimeOf(process.pid) }, []);
      const threads = object.map('threads');
      const ids = BigUint64Array.from({ length: MANY }, (_, n) => BigInt(n + 1));
      const blank = new Uint8Array(MANY * threads.spec.valueSize);
      assert.equal(threads.updateMany(new Uint8Array(ids.buffer), blank), MANY);
      watch.activity();
      if (walk === 'for-each') assert.equal(visitedBy(object), LIMIT + 1);
      if (walk === 'for-each')
        object.map('walk_bounds').update(new Uint8Array(4), new Uint8Array(16));
      watch.activity();
      if (walk === 'for-each') assert.equal(visitedBy(object), 0);
      assert.equal([...threads.keys()].length, MANY);
    });

    it('copies no more at once than it may', (t) => {
      const watch = open(t, strategy, { walk });
      const { object } = watch.loaded;
      const self = { pid: process.pid, startTime: startTimeOf(process.pid) };
      watch.follow(self, []);
      const count = HERITAGE.limit + 100;
      fill(object.map('live'), count);
      watch.follow({ pid: 1, startTime: 1 }, [], self);
      if (walk === 'for-each') assert.equal(visitedBy(object), HERITAGE.limit + 1);
      assert.equal(readingsOf(watch, 1)[0]?.allocations, count);
    });

    it(`visits no more than it may at once, of ${(2 * HALF).toLocaleString('en')} allocations`, (t) => {
      const watch = open(t, strategy, { walk, maxAllocations: LARGEST });
      const { object } = watch.loaded;
      const live = object.map('live');
      const self = { pid: process.pid, startTime: startTimeOf(process.pid) };
      watch.follow(self, []);
      fill(live, HALF);
      const atOnce = countVisits(t, live);
      watch.read({ ages: true });
      if (walk === 'for-each') assert.equal(visitedBy(object), LIMIT + 1);
      assert.equal(sum(atOnce), HALF);
      watch.follow({ pid: 1, startTime: 1 }, [], self);
      const [inherited] = readingsOf(watch, 1);
      assert.equal(inherited?.allocations, HALF);
      assert.equal(inherited?.bytes, HALF * SIZE);
      watch.read({ ages: true });
      assert.equal(watch.fullness.allocations, (2 * HALF) / LARGEST);
      const most = atOnce.reduce((largest, visits) => Math.max(largest, visits), 0);
      assert.ok(most <= STEP, `${most} at once`);
    });
  });
}

function checkAges({ watch, program }: Watched, count: number): void {
  const { readings } = watch.read({ ages: true });
  const leak = readings.find(({ frames }) => program.siteOf(frames[0] ?? 0n) === 'leak');
  assert.equal(sum(leak?.ages?.allocations), count);
  assert.equal(sum(leak?.ages?.bytes), 10 * count);
  assert.ok((leak?.ages?.oldest ?? 0) > 0);
}

/** Of threads that have exited the count stays, of the one that lives it is summed up. */
function checkThreads({ watch, process }: Watched, count: number): void {
  const { recorded = 0 } = watch.countsOf(process) ?? {};
  assert.ok(recorded > count, `${recorded}`);
  assert.equal(watch.countsOf(process)?.recorded, recorded, 'each time anew');
}

/** A child begins with what its parent has, to the byte, and what it frees is not its parent's. */
async function checkChild(seen: Watched): Promise<void> {
  const { watch, program, process } = seen;
  const held = await program.held();
  const pid = Number((await program.ask('child')).split(' ')[1]);
  const child = { pid, startTime: startTimeOf(pid) };
  watch.follow(child, codeOf(pid), process);
  watch.attach(child, sitesOf());
  assert.deepEqual(heldOf(seen, pid), held);
  await program.ask('c free');
  assert.deepEqual(heldOf(seen, pid), await program.held('c report'));
  assert.deepEqual(heldOf(seen), held);
  watch.forget(child);
}

function checkForgotten({ watch, process }: Watched): void {
  assert.ok(watch.fullness.allocations > 0);
  watch.forget(process);
  for (let pass = 0; pass < 2; pass++) watch.read({ ages: true });
  assert.deepEqual(watch.fullness, { stacks: 0, allocations: 0 });
  assert.deepEqual([...watch.loaded.object.map('live').keys()], []);
}

/** As many allocations of the first target, each of its own address. */
function fill(live: BpfMap, count: number): void {
  for (let from = 0; from < count; from += STEP) {
    const some = Math.min(STEP, count - from);
    const keys = new BigUint64Array(2 * some);
    const values = new BigUint64Array(3 * some);
    for (let n = 0; n < some; n++) {
      keys[2 * n] = BigInt(from + n + 1) * 16n;
      values.set([BigInt(SIZE), WEIGHT, 1n << 24n], 3 * n);
    }
    const written = live.updateMany(new Uint8Array(keys.buffer), new Uint8Array(values.buffer));
    assert.equal(written, some);
  }
}

/** What each read of an iterator and each batch has visited. */
function countVisits(t: TestContext, live: BpfMap): readonly number[] {
  const visits: number[] = [];
  const { readSync } = fs;
  t.mock.method(fs, 'readSync', (...args: Parameters<typeof readSync>) => {
    const read = readSync(...args);
    visits.push(read);
    return read;
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const batches = live.batches.bind(live);
  t.mock.method(live, 'batches', function* count(size: number) {
    for (const batch of batches(size)) {
      visits.push(batch.count);
      yield batch;
    }
  });
  return visits;
}

/** By the last run of a program; see walk.h. */
function visitedBy(object: BpfObject): number {
  const bounds = object.map('walk_bounds').lookup(new Uint8Array(4)) ?? new Uint8Array(16);
  return Number(new DataView(bounds.buffer, bounds.byteOffset).getBigUint64(8, true));
}
