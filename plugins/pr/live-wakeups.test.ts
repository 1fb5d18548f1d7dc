/** Wake-ups of kswapd, throttling and swap while a host is short of memory, against the kernel's tracer and vmstat. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { alone } from '../../test/fakes/alone.js';
import { LivePlugin } from '../../test/fakes/live-plugin.js';
import { press, pressureMissing } from '../../test/fakes/pressure.js';
import { type TracedEvent, Tracing } from '../../test/fakes/tracing.js';
import { pr } from './index.js';
import { growth, hasSwap, type LivePr, vmstat } from './live-truth.js';
import type { ReclaimSnapshot } from './reclaim.js';

const WAKEUP = 'vmscan/mm_vmscan_wakeup_kswapd';
const THROTTLED = 'vmscan/mm_vmscan_throttled';
const isGuest = process.env.MEM_WATCHER_VM !== undefined && hasSwap();
const skip = isGuest
  ? (pressureMissing() ?? Tracing.missing(WAKEUP) ?? false)
  : 'takes all memory: only in a guest with swap';
/** More than there is, and less than there is with swap. */
const BEYOND_KB = 60 * 1024;

describe('pr beside reclaim', { skip, timeout: 600_000 }, () => {
  let release: () => void;
  let live: LivePr;
  before(async () => {
    release = await alone();
    live = await LivePlugin.start<ReclaimSnapshot>(pr, { config: { span_sampling: 0 } });
  });
  after(async () => {
    await live.close();
    release();
  });

  it('counts wake-ups of kswapd and throttling as the tracer does, swap as vmstat', async (t) => {
    const throttles = Tracing.missing(THROTTLED) === undefined;
    const events = { [WAKEUP]: '', ...(throttles && { [THROTTLED]: '' }) };
    const tracing = new Tracing({ events });
    try {
      const before = vmstat();
      const first = await live.collect();
      const begun = vmstat();
      press([`anon=${Math.floor((available() + BEYOND_KB) / 4)}`]);
      const ended = vmstat();
      const last = await live.collect();
      const now = vmstat();
      tracing.stop();
      const traced = tracing.read();
      const woken = traced.filter(({ event }) => WAKEUP.endsWith(event));
      const wakeups = total(last.wakeups) - total(first.wakeups);
      t.diagnostic(`${wakeups} wake-ups`);
      assert.ok(woken.length > 0, 'kswapd was not woken');
      assert.equal(wakeups, woken.length);
      assert.equal(last.throttles === undefined, !throttles);
      const slowed = traced.filter(({ event }) => THROTTLED.endsWith(event));
      await t.test('throttling', { skip: Tracing.missing(THROTTLED) ?? false }, () =>
        compareThrottles(first, last, slowed),
      );
      assert.ok((last.swap?.out ?? 0) > 0, 'nothing was swapped out');
      for (const way of ['in', 'out'] as const) {
        const swapped = (last.swap?.[way] ?? 0) - (first.swap?.[way] ?? 0);
        const counter = new RegExp(`^pswp${way}$`);
        // What is swapped does not stop while we look.
        const least = growth(begun, ended, counter);
        const most = growth(before, now, counter);
        const words = `${swapped} ${way}, by vmstat ${least} to ${most}`;
        assert.ok(least <= swapped && swapped <= most, words);
      }
    } finally {
      tracing.close();
    }
  });
});

function compareThrottles(
  first: ReclaimSnapshot,
  last: ReclaimSnapshot,
  traced: readonly TracedEvent[],
): void {
  assert.equal(total(last.throttles) - total(first.throttles), traced.length);
  const ns = (snapshot: ReclaimSnapshot) =>
    (snapshot.throttles ?? []).reduce((sum, one) => sum + one.ns, 0);
  // The kernel's own spelling.
  const us = traced.reduce((sum, { fields }) => sum + Number(fields.usect_delayed), 0);
  assert.equal(ns(last) - ns(first), us * 1000);
}

const total = (counts: readonly { readonly count: number }[] = []): number =>
  counts.reduce((sum, { count }) => sum + count, 0);

/** kB. */
const available = (): number =>
  Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
