import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WhoRecord } from '../../core/identity/who.js';
import type { Detail } from './decoder.js';
import type { FoldChange, FoldKey } from './folds.js';
import { failure, requester } from './sample.js';
import type { Verdict } from './verdict/verdict.js';
import { FailureWatch, type Told, type WatchOptions } from './watch.js';

const record: WhoRecord = {
  start_time: 1,
  cgroup: 0,
  cgroup_v1: 0,
  pid: 7,
  tid: 7,
  kernel_thread: 0,
  comm: 'a',
  executable: 'a',
};

const key = (slot: number, generation = 1, values: Partial<FoldKey> = {}): FoldKey => ({
  slot,
  generation,
  request: { order: 0, gfp: 0x40, migrateType: 0 },
  who: record,
  stack: [1n, 2n],
  ...values,
});

/** A watch whose folds and details the test hands over before each look. Times are ms. */
function watching(options: Partial<WatchOptions> = {}) {
  let changes: FoldChange[] = [];
  let details: Detail[] = [];
  const told: Told[] = [];
  const dropped: FoldKey[] = [];
  const freed: FoldKey[] = [];
  const watch = new FailureWatch({
    folds: {
      capacity: 4,
      changes: () => changes.splice(0),
      drop: (one) => void dropped.push(one),
      free: (one) => void freed.push(one),
    },
    details: () => details.splice(0),
    judge: () => ({ reason: 'memcg_limit', sentence: '', order: 0 }) as Verdict,
    who: () => requester(),
    wanted: () => true,
    unix: (ns) => ns / 1e6,
    window: 1000,
    eventsPerSecond: 100,
    tell: (one) => void told.push(one),
    ...options,
  });
  const look = (
    now: number,
    failures: readonly (Partial<FoldChange> & Pick<FoldChange, 'key' | 'count'>)[] = [],
    seen: readonly (readonly [FoldKey, number])[] = [],
  ) => {
    changes = failures.map((one) => ({ others: 0, first: now * 1e6, last: now * 1e6, ...one }));
    details = seen.map(([{ slot, generation }, time]) => {
      return { slot, generation, failure: failure({ time }) };
    });
    watch.look(now);
    return told.splice(0);
  };
  return { watch, look, dropped, freed };
}

const counts = (watch: FailureWatch) => watch.counts.map(({ reason, count }) => [reason, count]);

describe('FailureWatch', () => {
  it('tells of the first failures at once, and of those that follow once a window', () => {
    const { look, watch } = watching();
    const one = key(200);
    const [first] = look(1000, [{ key: one, count: 3, others: 1 }], [[one, 1000]]);
    assert.deepEqual([first?.count, first?.others, first?.first], [3, 1, 1000]);
    assert.equal(first?.verdict?.reason, 'memcg_limit');
    assert.deepEqual(look(1100, [{ key: one, count: 10 }]), []);
    assert.deepEqual(look(1200, [{ key: one, count: 10 }]), []);
    const [second] = look(2000);
    assert.deepEqual([second?.count, second?.first, second?.last], [20, 1100, 1200]);
    assert.deepEqual(counts(watch), [['memcg_limit', 23]]);
    assert.equal(watch.folded, 2 + 19);
  });

  it('tells of a new window as soon as its first failure is seen', () => {
    const { look } = watching();
    const one = key(200);
    look(1000, [{ key: one, count: 1 }], [[one, 1000]]);
    const [next] = look(2005, [{ key: one, count: 2 }], [[one, 2001]]);
    assert.deepEqual([next?.count, next?.first, next?.detail?.time], [2, 2001, 2001]);
  });

  it('takes a detail that comes while the counts are read', () => {
    const one = key(200);
    let asked = 0;
    const late: Detail = { slot: 200, generation: 1, failure: failure({ time: 1000 }) };
    const { look, watch } = watching({ details: () => (asked++ === 1 ? [late] : []) });
    look(1000, [{ key: one, count: 1 }]);
    assert.deepEqual(counts(watch), [['memcg_limit', 1]]);
  });

  it('counts and tells without a detail where the ring was full, under no reason', () => {
    const { look, watch } = watching();
    const one = key(200);
    const [told] = look(1000, [{ key: one, count: 5 }]);
    assert.equal(told?.detail, undefined);
    assert.deepEqual(told?.stack, [1n, 2n]);
    assert.deepEqual(counts(watch), [['unknown', 5]]);
  });

  it('does not tell the figures of a window that is over for those of one whose own were lost', () => {
    const { look, watch } = watching();
    const one = key(200);
    look(1000, [{ key: one, count: 1 }], [[one, 1000]]);
    const [told] = look(2500, [{ key: one, count: 4 }]);
    assert.equal(told?.detail, undefined);
    assert.deepEqual(counts(watch), [
      ['memcg_limit', 1],
      ['unknown', 4],
    ]);
  });

  it('makes what is beyond the rate wait, first come first told, and tells of all of it', () => {
    const { look, watch } = watching({ eventsPerSecond: 2 });
    const folds = [200, 201, 202, 203].map((slot) => key(slot));
    const failures = folds.map((one) => ({ key: one, count: 1 }));
    const slots = (told: readonly Told[]) => told.length;
    assert.equal(slots(look(1000, failures)), 2);
    assert.equal(watch.postponed, 2);
    assert.equal(slots(look(1100, failures)), 0);
    const later = look(2100);
    assert.deepEqual(
      later.map(({ count }) => count),
      [2, 2],
    );
    assert.equal(watch.postponed, 4);
    const rest = look(3200);
    assert.equal(
      watch.counts.reduce((sum, { count }) => sum + count, 0),
      8,
    );
    assert.equal(later.length + rest.length + 2, 6);
  });

  it('counts failures that found no slot of their own, and tells of them as well', () => {
    const { look, watch } = watching();
    const request = { order: 3, gfp: undefined, migrateType: 1 };
    const spare = key(25, 0, { who: undefined, stack: [], request });
    const [told] = look(1000, [{ key: spare, count: 9 }]);
    assert.deepEqual([told?.count, told?.requester, told?.request.order], [9, undefined, 3]);
    assert.equal(watch.overflowed, 9);
  });

  it('does not count, judge or tell of what the filters leave out', () => {
    let judged = 0;
    const judge = () => {
      judged++;
      return { reason: 'unknown', sentence: '', order: 0 } as Verdict;
    };
    const { look, watch } = watching({ wanted: (one) => one?.pid === 8, judge });
    const other = key(200);
    const mine = key(201, 1, { who: { ...record, pid: 8 } });
    const told = look(
      1000,
      [
        { key: other, count: 5 },
        { key: mine, count: 2 },
      ],
      [
        [other, 1000],
        [mine, 1000],
      ],
    );
    assert.deepEqual(
      told.map(({ count }) => count),
      [2],
    );
    assert.equal(judged, 1);
    assert.deepEqual(counts(watch), [['unknown', 2]]);
  });

  it('counts what it cannot judge, and tells of it the next time', () => {
    const judge = () => {
      throw new Error('beyond me');
    };
    const { look, watch } = watching({ judge });
    const one = key(200);
    assert.throws(() => look(1000, [{ key: one, count: 3 }], [[one, 1000]]), /beyond me/);
    assert.deepEqual(counts(watch), [['unknown', 3]]);
    const [told] = look(1100);
    assert.equal(told?.count, 3);
  });

  it('does not take for wanted what nobody knows whose it is, but says how many there were', () => {
    const { look, watch } = watching({ wanted: (one) => one?.pid === 8 });
    const request = { order: 3, gfp: undefined, migrateType: 1 };
    const spare = key(25, 0, { who: undefined, stack: [], request });
    assert.deepEqual(look(1000, [{ key: spare, count: 9 }]), []);
    assert.deepEqual(counts(watch), []);
    assert.equal(watch.overflowed, 9);
  });

  it('gives a slot to others when its failures are long over, and not at once', () => {
    const { look, dropped, freed, watch } = watching();
    const one = key(200);
    look(1000, [{ key: one, count: 1 }]);
    look(200_000);
    assert.equal(dropped.length, 0);
    look(302_000);
    assert.deepEqual(dropped, [one]);
    look(303_000);
    assert.equal(freed.length, 0);
    look(304_500);
    assert.deepEqual(freed, [one]);
    assert.equal(watch.used, 0);
  });

  it('does so sooner when slots are scarce', () => {
    const { look, dropped } = watching();
    look(
      1000,
      [200, 201, 202, 203].map((slot) => ({ key: key(slot), count: 1 })),
    );
    look(12_000);
    assert.equal(dropped.length, 4);
  });

  it('tells of what a late writer adds to a slot that is being given up', () => {
    const { look, dropped, freed } = watching();
    const one = key(200);
    look(1000, [{ key: one, count: 1 }]);
    look(302_000);
    assert.equal(dropped.length, 1);
    const [told] = look(302_100, [{ key: one, count: 1 }]);
    assert.equal(told?.count, 1);
    look(304_500);
    assert.deepEqual(freed, [one]);
  });

  it('gives the slots of what the filters leave out to others as well', () => {
    const { look, dropped, freed, watch } = watching({ wanted: () => false });
    const one = key(200);
    look(1000, [{ key: one, count: 3 }]);
    look(302_000);
    assert.deepEqual(dropped, [one]);
    look(304_500);
    assert.deepEqual(freed, [one]);
    assert.equal(watch.used, 0);
  });

  for (const [when, turn] of [
    ['before', 0],
    ['after', 1],
  ] as const) {
    it(`keeps a detail that came ${when} the counts were read, and its fold not yet`, () => {
      const one = key(200);
      let asked = 0;
      const early: Detail = { slot: 200, generation: 1, failure: failure({ time: 999 }) };
      const { look, watch } = watching({ details: () => (asked++ === turn ? [early] : []) });
      assert.deepEqual(look(1000), []);
      const [told] = look(1100, [{ key: one, count: 1, first: 999e6, last: 999e6 }]);
      assert.equal(told?.verdict?.reason, 'memcg_limit');
      assert.deepEqual(counts(watch), [['memcg_limit', 1]]);
    });
  }

  it('does not wait for a time that the clock on the wall was set back from', () => {
    const { look } = watching();
    const one = key(200);
    assert.equal(look(7_200_000, [{ key: one, count: 1 }]).length, 1);
    // An hour back.
    assert.equal(look(3_600_000, [{ key: one, count: 2 }]).length, 0);
    assert.deepEqual(
      look(3_601_100).map(({ count }) => count),
      [2],
    );
  });

  it('begins anew with a slot that is another’s', () => {
    const { look } = watching();
    const before = key(200, 1);
    const after = key(200, 2, { stack: [9n] });
    look(1000, [{ key: before, count: 1 }], [[before, 1000]]);
    const [told] = look(1100, [{ key: after, count: 4, first: 1_050e6 }], [[before, 900]]);
    assert.deepEqual([told?.count, told?.stack, told?.first], [4, [9n], 1050]);
    assert.equal(told?.detail, undefined);
  });
});
