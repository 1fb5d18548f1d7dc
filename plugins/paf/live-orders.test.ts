/** paf and blocks of order 9 that nobody has any more: in a guest, for it takes all memory. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { runAlone } from '../../test/fakes/alone.js';
import { LivePlugin, type SeenEvent } from '../../test/fakes/live-plugin.js';
import { press, pressureMissing } from '../../test/fakes/pressure.js';
import { NO_PAGE, Tracing } from '../../test/fakes/tracing.js';
import { paf } from './index.js';
import { attribute, type LivePaf, sumOf, told } from './live-truth.js';
import type { PafRecords } from './records.js';

/** With swap the kernel would go on for long, and end what runs here. */
const isGuest = process.env.MEM_WATCHER_VM !== undefined;
const hasSwap = process.env.MEM_WATCHER_VM_SCENARIO === 'swap';
const lack = pressureMissing() ?? Tracing.missing('kmem/mm_page_alloc') ?? false;
const skip = isGuest && !hasSwap ? lack : 'takes all memory: only in a guest without swap';
const POOL = '/proc/sys/vm/nr_hugepages';
const HUGE_PAGE_ORDER = 9;
const FAULTS = 6;

describe('paf and huge pages', { skip, timeout: 600_000 }, () => {
  runAlone();

  const withPlugin = (strategy: string, test: (live: LivePaf) => Promise<void>) =>
    LivePlugin.with<PafRecords>(paf, { config: { window: '100ms' }, strategy }, test);

  it('sees what the pool and what page faults are refused, and says why', () =>
    withPlugin('auto', seesAll));

  it('sees the same where it runs on failures alone', () => withPlugin('warn-alloc', seesAll));
});

async function seesAll(live: LivePaf): Promise<void> {
  const tracing = new Tracing({ events: { 'kmem/mm_page_alloc': NO_PAGE } });
  try {
    const fallbacks = vmstat('thp_fault_fallback');
    const steps = [`write=${POOL}:100000`, `huge=${FAULTS}`, `write=${POOL}:0`];
    const pid = press(steps)[0]?.pid;
    const fellBack = vmstat('thp_fault_fallback') - fallbacks;
    tracing.stop();
    assert.equal(readFileSync(POOL, 'utf8').trim(), '0');
    const traced = tracing.read().filter(({ tid }) => tid === pid);
    const events = await told(live, pid, traced.length);
    assert.equal(sumOf(events), traced.length);
    const [pool, faults] = [events.filter(isOfPool), events.filter(isOfFault)];
    const ofPool = traced.filter(({ fields }) => !isLight(fields.gfp_flags ?? ''));
    assert.equal(sumOf(pool), ofPool.length);
    assert.ok(ofPool.length > 0);
    // Where there are several nodes, a fault may ask more than one of them.
    assert.equal(sumOf(faults), traced.length - ofPool.length);
    assert.ok(sumOf(faults) >= fellBack);
    // A block may be put together meanwhile, but not for each of them.
    assert.ok(fellBack > 0 && fellBack <= FAULTS, `${fellBack} fell back`);
    for (const event of events) checkVerdict(event);
    assert.ok(events.some((event) => attribute(event, 'reason') !== 'unknown'));
    for (const event of faults)
      assert.equal(attribute(event, 'verdict.reclaim') ?? 'forbidden', 'forbidden');
  } finally {
    tracing.close();
  }
}

/** A fault takes a huge page where there is one, and does nothing to get one; the pool tries hard. */
const isLight = (flags: string): boolean => flags.includes('GFP_TRANSHUGE_LIGHT');
const isOfFault = (event: SeenEvent): boolean => isLight(String(attribute(event, 'gfp_flags')));
const isOfPool = (event: SeenEvent): boolean => !isOfFault(event);

/** The reason follows from the figures that are beside it, and they from each other. */
function checkVerdict(event: SeenEvent): void {
  assert.equal(attribute(event, 'order'), HUGE_PAGE_ORDER);
  assert.equal(attribute(event, 'migrate_type'), 'movable');
  const reason = attribute(event, 'reason');
  const usable = Number(attribute(event, 'verdict.usable'));
  const mark = Number(attribute(event, 'verdict.mark'));
  const largest = Number(attribute(event, 'verdict.largest_order') ?? -1);
  const all = JSON.stringify(event.attributes);
  if (reason === 'fragmentation') {
    assert.ok(usable > mark, all);
    assert.ok(largest < HUGE_PAGE_ORDER, all);
  } else if (reason === 'unknown') {
    // kswapd went on after the request gave up: what is seen then would have served it.
    assert.ok(isOfPool(event), all);
    assert.ok(usable > mark && largest >= HUGE_PAGE_ORDER, all);
  } else {
    assert.ok(['below_watermark', 'no_reclaim'].includes(String(reason)), all);
    assert.ok(usable <= mark, all);
  }
}

const vmstat = (key: string): number =>
  Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(readFileSync('/proc/vmstat', 'utf8'))?.[1]);
