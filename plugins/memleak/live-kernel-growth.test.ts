/** The whole way of a slab cache: it grows, is followed, falls quiet, and grows again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain } from '../../core/kernel/loader.js';
import { runAlone } from '../../test/fakes/alone.js';
import { KernelObjects } from '../../test/fakes/kernel-objects.js';
import type { KernelConfig } from './kernel/config.js';
import { parseSlabinfo } from './kernel/slabinfo.js';
import { type Survey, takeSurvey } from './kernel/survey.js';
import { rawTracepoints } from './live-kernel-links.js';
import { type Held, kernel, LiveKernel, profile } from './live-kernel-truth.js';

/** ms of the test's own clock: a look at the books is a window. */
const WINDOW = 1_000_000;
const CONFIG = { window: '1000s', windows: 2, growth: '128KiB', quiet: 3 };
const CACHE = 'filp';
/** Files; a window of them, and what is counted. */
const STEP = 500;
const COUNT = 300;
const MOST_STEPS = 60;
const PATIENCE_MS = 60_000;

const raw = explain(kernel, profile).verdicts.some(
  ({ strategy, outcome }) => strategy.startsWith('raw-tp') && outcome !== 'rejected',
);
const skip = KernelObjects.missing() ?? (raw ? false : 'no raw tracepoints here');

const booked = () =>
  parseSlabinfo(readFileSync('/proc/slabinfo', 'latin1')).find(({ name }) => name === CACHE);
const files = () => booked()?.activeObjects ?? 0;

/** The kernel's books but for what other tests and the host do: of one cache. */
function narrowed(): Survey {
  const { caches, lacks, unreadable } = takeSurvey();
  return {
    caches: caches.filter(({ name }) => name === CACHE),
    sites: [],
    memory: undefined,
    lacks,
    unreadable,
  };
}

/** One watch whose windows pass as the test has them pass. */
class Followed {
  readonly live: LiveKernel;
  /** ms. */
  time: number;

  constructor(config: Partial<Record<keyof KernelConfig, unknown>> = {}) {
    this.live = new LiveKernel({ ...CONFIG, ...config }, { survey: narrowed });
    this.time = performance.now();
  }

  /** A window. */
  step(): void {
    this.time += WINDOW;
    this.live.watch.refresh(this.time);
  }

  get isFollowed(): boolean {
    return this.live.watch.followed.caches.includes(CACHE);
  }

  /** Files that were made by a call that nearly nobody else makes. */
  held(): Promise<Held> {
    return this.live.held([/signalfd/, /alloc_(empty_)?file/], /^filp$/);
  }

  async steps(isDone: () => boolean, each: () => Promise<unknown> = async () => {}): Promise<void> {
    for (let n = 0; n < MOST_STEPS && !isDone(); n++) {
      await each();
      this.step();
    }
  }
}

describe('a slab cache of the kernel', { skip, timeout: 600_000 }, () => {
  runAlone();

  let some: KernelObjects;
  let others: KernelObjects;
  let followed: Followed | undefined;
  before(async () => {
    some = await KernelObjects.start();
    others = await KernelObjects.start();
  });
  after(async () => {
    await some.stop();
    await others.stop();
  });
  beforeEach(() => assert.deepEqual([...rawTracepoints()], []));
  afterEach(async () => {
    await followed?.live.close();
    followed = undefined;
    await some.drop();
    await others.drop();
  });

  it('costs nothing while it does not grow', async () => {
    followed = new Followed();
    // As it was loaded each program was attached for a moment, to see whether it may be.
    const tried = followed.live.watch.read({ ages: false }).counts;
    for (let n = 0; n < 6; n++) {
      await some.make('signalfd', COUNT / 2);
      await some.drop();
      followed.step();
      assert.deepEqual([...rawTracepoints()], [], `after ${n + 1} windows`);
    }
    assert.deepEqual(followed.live.watch.followed, { caches: [], pages: false, percpu: false });
    const { counts, readings } = followed.live.watch.read({ ages: false });
    const since = [counts.allocations - tried.allocations, counts.frees - tried.frees];
    assert.deepEqual([...since, readings.length], [0, 0, 0]);
  });

  it('is followed while it grows, and after that forgotten, not said to be freed', async () => {
    const watched = new Followed();
    followed = watched;
    const { watch } = watched.live;
    const grow = (objects: KernelObjects) =>
      watched.steps(
        () => watched.isFollowed,
        () => objects.make('signalfd', STEP),
      );

    watched.step();
    await grow(some);
    assert.deepEqual(watch.followed, { caches: [CACHE], pages: false, percpu: false });
    assert.deepEqual(
      watch.sites().map(({ key }) => key),
      [`slab ${CACHE}`],
    );
    const attached = rawTracepoints();
    for (const name of ['kmem_cache_alloc', 'kmem_cache_free', 'kfree']) {
      assert.ok(attached.has(name), `${name} of ${[...attached]}`);
    }
    assert.ok(![...attached].some((name) => /page|percpu/.test(name)), [...attached].join());
    // What was there before is not in the account.
    assert.equal((await watched.held()).allocations, 0);

    await others.make('signalfd', COUNT);
    const held = await watched.held();
    checkMade(watched, held, COUNT);
    assert.equal(held.bytes, held.allocations * (booked()?.objectSize ?? 0));
    assert.ok(held.allocations <= files(), 'no more than the kernel says there are');
    const keys = new Set(held.readings.map(({ key }) => key));

    const before = files();
    await some.drop();
    await until(() => files() <= before - STEP); // files wait for RCU
    await watched.steps(() => !watched.isFollowed);
    assert.deepEqual([...rawTracepoints()], []);
    assert.deepEqual(watch.followed.caches, []);
    const { readings } = watch.read({ ages: false });
    assert.deepEqual(
      readings.filter(({ key }) => keys.has(key)),
      [],
      'neither held nor freed',
    );

    // Nobody sees it, and the next account begins without.
    await others.drop();
    await until(() => files() <= before - STEP - COUNT / 2);
    await grow(some);
    assert.ok(watched.isFollowed, 'it is followed again');
    assert.equal((await watched.held()).allocations, 0);
    await others.make('signalfd', COUNT);
    checkMade(watched, await watched.held(), COUNT);
  });

  it('is left while its programs cost more than the limit, and then followed again', async () => {
    followed = new Followed({ caches: [CACHE], limit: 1e-6 });
    const { live } = followed;
    assert.ok(rawTracepoints().has('kmem_cache_alloc'));
    let time = performance.now();
    let said = live.watch.weigh(time);
    for (let n = 0; n < MOST_STEPS && said === undefined; n++) {
      await some.make('signalfd', COUNT / 10);
      time += 1000;
      said = live.watch.weigh(time);
    }
    assert.match(said ?? '', /^the kernel’s slab allocator is left for 60 s: /);
    assert.match(live.watch.tooCostly ?? '', /slab allocator is not followed for a while/);
    assert.deepEqual([...rawTracepoints()], []);
    assert.equal((await followed.held()).allocations, 0);
    followed.step();
    assert.deepEqual([...rawTracepoints()], [], 'a collection does not undo it');
    assert.match(live.watch.weigh(time + 61_000) ?? '', /slab allocator is followed again/);
    assert.equal(live.watch.tooCostly, undefined);
    assert.ok(rawTracepoints().has('kmem_cache_alloc'));
  });
});

/** All of them, but for runs that the kernel left out and counted. */
function checkMade({ live }: Followed, { allocations, readings }: Held, made: number): void {
  const { missedAllocations } = live.watch.read({ ages: false }).coverage;
  const short = made - allocations;
  assert.ok(
    short >= 0 && short <= missedAllocations,
    `${short} short, ${missedAllocations} missed`,
  );
  for (const { origin, source } of readings) {
    assert.deepEqual([origin, source.kind], [CACHE, 'kernel']);
  }
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!isSo() && performance.now() < deadline) await sleep(50);
  assert.ok(isSo(), 'the kernel’s books did not come to it');
}
