/** Shortages brought about in a guest, each with one cause: paf names it, by figures that the kernel's own files bear out. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { runAlone } from '../../test/fakes/alone.js';
import { LivePlugin, type SeenEvent } from '../../test/fakes/live-plugin.js';
import { press, pressureMissing, type Steps } from '../../test/fakes/pressure.js';
import { NO_PAGE, type TracedEvent, Tracing } from '../../test/fakes/tracing.js';
import { paf } from './index.js';
import {
  attribute,
  blocksOf,
  type LivePaf,
  missedBy,
  sumOf,
  told,
  type ZoneTruth,
  zonesOf,
} from './live-truth.js';
import type { PafRecords } from './records.js';

const isGuest = process.env.MEM_WATCHER_VM !== undefined;
const hasSwap = process.env.MEM_WATCHER_VM_SCENARIO === 'swap';
const hasNodes = existsSync('/sys/devices/system/node/node1');
const lack = pressureMissing() ?? Tracing.missing('kmem/mm_page_alloc') ?? false;
const skip = isGuest && !hasNodes ? lack : 'takes all memory: only in a guest with one NUMA node';

const [major = 0, minor = 0] = release().split('.').map(Number);
/** Since 6.7 CPUs keep thousands of pages at hand and give them back when they like: more than is left here. */
const inexact =
  major > 6 || (major === 6 && minor >= 7)
    ? 'what CPUs keep at hand grows by itself since 6.7: what is free cannot be set to a few pages'
    : undefined;
const withoutSwap = hasSwap ? 'reclaim would find what swap takes: only without swap' : false;
const withSwap = hasSwap ? false : 'nothing here can be reclaimed: only with swap';

const HUGE_PAGE_ORDER = 9;
const HUGE_PAGE = 2 ** HUGE_PAGE_ORDER;
const FAULTS = 6;
/** More huge pages than memory can have left that is all but full. */
const REST = 64;
/** Pages that come and go on their own meanwhile. */
const NOISE = 2000;
const SEEN = { zones: '/tmp/mem-watcher-zoneinfo', blocks: '/tmp/mem-watcher-buddyinfo' } as const;
const LOOK = [`copy=/proc/zoneinfo:${SEEN.zones}`, `copy=/proc/buddyinfo:${SEEN.blocks}`];
const TRIES = 8;
/** The kernel ends this process and no other, should it come to that. */
const VICTIM = 'oom=1000';

describe('paf in a shortage', { skip, timeout: 600_000 }, () => {
  runAlone();
  let live: LivePaf;
  let sysctls: Sysctls;
  beforeEach(async () => {
    sysctls = new Sysctls();
    // Nothing tidies up behind the test's back.
    sysctls.set('compaction_proactiveness', 0);
    // Watermarks stay where they are: none is raised for fragmentation, and what was raised is not.
    sysctls.set('watermark_boost_factor', 0);
    sysctls.set('min_free_kbytes', Number(readFileSync('/proc/sys/vm/min_free_kbytes', 'utf8')));
    live = await LivePlugin.start<PafRecords>(paf, { config: { window: '100ms' } });
  });
  afterEach(async () => {
    sysctls.restore();
    await live.close();
  });

  const suffer = async (steps: Steps): Promise<Suffered> => {
    const tracing = new Tracing({ events: { 'kmem/mm_page_alloc': NO_PAGE } });
    try {
      const fellBack = vmstat('thp_fault_fallback');
      const pid = press(steps)[0]?.pid;
      tracing.stop();
      const traced = tracing.read().filter(({ tid }) => tid === pid);
      const events = await told(live, pid, traced.length);
      const unseen = traced.length - sumOf(events);
      assert.ok(
        unseen >= 0 && unseen <= missedBy(live),
        `${unseen} of ${traced.length} are not told`,
      );
      return { traced, events, fellBack: vmstat('thp_fault_fallback') - fellBack };
    } finally {
      tracing.close();
    }
  };

  /** kswapd may have freed enough between the filling and the request: then it is filled anew. */
  const sufferUntilHuge = async (): Promise<Suffered> => {
    for (let tries = 1; ; tries++) {
      const suffered = await suffer([
        ...[VICTIM, `fill=${leftAboveLow()}`, ...LOOK, `ring=${HUGE_PAGE * 4096}:1`],
      ]);
      const huge = suffered.events.filter(isHuge);
      if (huge.length > 0 && huge.every(isShort)) return suffered;
      assert.ok(tries < TRIES, `${tries} times no huge page was refused for want of memory`);
    }
  };

  it('tells fragmentation: half of all memory is free, in single pages', {
    skip: withoutSwap,
  }, async (t) => {
    const { traced, events, fellBack } = await suffer([
      ...[VICTIM, `fill=${leftAboveLow()}`, 'holes=1'],
      // What was left in large blocks goes first.
      ...[`huge=${REST}:keep`, ...LOOK, `huge=${FAULTS}`],
    ]);
    assert.equal(traced.length, fellBack);
    assert.ok(fellBack > FAULTS && fellBack < REST + FAULTS, `${fellBack} fell back`);
    const zone = largestZone();
    const blocks = blocksOf(0, zone.name, SEEN.blocks);
    t.diagnostic(`${fellBack} faults, free ${zone.free}, low ${zone.low}, blocks ${blocks}`);
    assert.ok(zone.free - HUGE_PAGE > zone.high, `${zone.free} free`);
    assert.deepEqual(
      blocks.slice(HUGE_PAGE_ORDER).filter((count) => count > 0),
      [],
    );
    for (const event of events) {
      assert.equal(attribute(event, 'order'), HUGE_PAGE_ORDER);
      assert.equal(attribute(event, 'reason'), 'fragmentation', event.body);
      const { usable, mark } = checkFigures(event, zone);
      assert.ok(usable > mark, `${usable} of ${mark}`);
      assert.ok(Number(attribute(event, 'verdict.largest_order')) < HUGE_PAGE_ORDER);
      checkBlocks(event, zone, blocks);
    }
  });

  it('tells that a request which may not wait found too little', {
    skip: inexact ?? withoutSwap,
  }, async (t) => {
    tighten(sysctls);
    const { traced, events, fellBack } = await suffer([
      ...[VICTIM, `fill=${leftAboveLow()}`, ...LOOK, `huge=${FAULTS}`],
    ]);
    assert.deepEqual([traced.length, fellBack], [FAULTS, FAULTS]);
    const zone = largestZone();
    t.diagnostic(`free ${zone.free}, min ${zone.min}, low ${zone.low}`);
    for (const event of events) {
      assert.equal(attribute(event, 'order'), HUGE_PAGE_ORDER);
      assert.equal(attribute(event, 'reason'), 'no_reclaim', event.body);
      assert.equal(attribute(event, 'verdict.reclaim'), 'forbidden');
      checkBelow(event, zone);
    }
  });

  it('tells that a request gave up before what it could have reclaimed', {
    skip: inexact ?? withSwap,
  }, async (t) => {
    tighten(sysctls);
    const { traced, events } = await sufferUntilHuge();
    // What takes swap for its own pages finds none either.
    const huge = events.filter(isHuge);
    const zone = largestZone();
    t.diagnostic(`${traced.length}, free ${zone.free}, min ${zone.min}, low ${zone.low}`);
    for (const event of huge) {
      assert.match(String(attribute(event, 'gfp_flags')), /__GFP_NORETRY/);
      assert.equal(attribute(event, 'reason'), 'below_watermark', event.body);
      assert.equal(attribute(event, 'verdict.reclaim'), 'not_enough');
      checkBelow(event, { ...zone, free: undefined });
      const reclaimable = Number(attribute(event, 'verdict.reclaimable'));
      assert.ok(reclaimable > zone.managed / 4, `${reclaimable} of ${zone.managed}`);
    }
  });
});

interface Suffered {
  /** What failed, by the kernel's own tracer. */
  readonly traced: readonly TracedEvent[];
  readonly events: readonly SeenEvent[];
  /** Page faults that got no huge page, by /proc/vmstat. */
  readonly fellBack: number;
}

/**
 * Watermarks so near each other that a huge page would take a zone from above low to below min. They
 * are only ever lowered: raised above what is free, they stop a guest for good.
 */
function tighten(sysctls: Sysctls): void {
  sysctls.set('watermark_scale_factor', 1);
  sysctls.set('min_free_kbytes', 4096);
  for (const [name, { min, high }] of zonesOf(0))
    assert.ok(high - min < HUGE_PAGE, `${name}: ${min} to ${high}`);
}

/** Pages free in all when small requests have taken what they may without waking kswapd, nearly. */
function leftAboveLow(): number {
  const zones = [...zonesOf(0).values()];
  return zones.reduce((sum, zone) => sum + zone.low + kept(zone), 0) + 100;
}

/** Kept from requests that the highest zone would do for. */
const kept = ({ protection }: Pick<ZoneTruth, 'protection'>): number => Math.max(...protection);

function largestZone(): ZoneTruth & { readonly name: string } {
  const zones = [...zonesOf(0, SEEN.zones)].map(([name, zone]) => ({ name, ...zone }));
  return zones.reduce((most, zone) => (zone.managed > most.managed ? zone : most));
}

const isHuge = (event: SeenEvent): boolean => attribute(event, 'order') === HUGE_PAGE_ORDER;

/** By the event's bare figures, not by its verdict: the largest zone had no huge page above min. */
function isShort(event: SeenEvent): boolean {
  const [free = Number.NaN, min = Number.NaN] = [figureOf(event, 'free'), figureOf(event, 'min')];
  return free - HUGE_PAGE <= min;
}

/** Of the largest zone. */
function figureOf(event: SeenEvent, name: string): number | undefined {
  const zones = attribute(event, 'zones') as string[] | undefined;
  const figures = attribute(event, `zones.${name}`) as number[] | undefined;
  return figures?.[zones?.indexOf(largestZone().name) ?? -1];
}

/** A zone as the kernel's file had it; `free` undefined where it moves on its own. */
type KnownZone = Omit<ZoneTruth, 'free'> & {
  readonly name: string;
  readonly free: number | undefined;
};

/** What a huge page would have had to leave of the zone is more than there was. */
function checkBelow(event: SeenEvent, zone: KnownZone): void {
  const { usable, mark } = checkFigures(event, zone);
  assert.ok(usable <= mark, `${usable} of ${mark}`);
}

function checkFigures(event: SeenEvent, zone: KnownZone) {
  assert.equal(attribute(event, 'verdict.zone'), zone.name);
  const figure = (name: string) => figureOf(event, name) ?? -1;
  const { min, low, high, present, managed } = zone;
  const same = { min, low, high, present, managed };
  const told = Object.fromEntries(Object.keys(same).map((name) => [name, figure(name)]));
  assert.deepEqual(told, same);
  if (zone.free !== undefined) near(figure('free'), zone.free, NOISE);
  const usable = Number(attribute(event, 'verdict.usable'));
  const mark = Number(attribute(event, 'verdict.mark'));
  assert.equal(usable, figure('free') - (HUGE_PAGE - 1) - figure('reserved_highatomic'));
  assert.equal(mark, min + kept(zone));
  return { usable, mark };
}

/** The free list by order, against buddyinfo and against the count of free pages. */
function checkBlocks(event: SeenEvent, zone: ZoneTruth, blocks: readonly number[]): void {
  const counts = attribute(event, 'free_blocks') as number[];
  assert.ok(
    counts.slice(HUGE_PAGE_ORDER).every((count) => count === 0),
    `${counts}`,
  );
  near(pagesOf(counts), zone.free, NOISE);
  counts.forEach((count, order) => {
    near(count, blocks[order] ?? 0, NOISE / 2 ** order + 8);
  });
}

const pagesOf = (counts: readonly number[]): number =>
  counts.reduce((sum, count, order) => sum + count * 2 ** order, 0);

const near = (value: number, truth: number, within: number): void =>
  assert.ok(Math.abs(value - truth) <= within, `${value}, not ${truth} by more than ${within}`);

const vmstat = (key: string): number =>
  Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(readFileSync('/proc/vmstat', 'utf8'))?.[1]);

/** Of /proc/sys/vm, put back in the end. */
class Sysctls {
  readonly #before = new Map<string, string>();

  set(name: string, value: number): void {
    const path = `/proc/sys/vm/${name}`;
    if (!this.#before.has(path)) this.#before.set(path, readFileSync(path, 'utf8'));
    writeFileSync(path, String(value));
  }

  restore(): void {
    for (const [path, value] of this.#before) writeFileSync(path, value);
    this.#before.clear();
  }
}
