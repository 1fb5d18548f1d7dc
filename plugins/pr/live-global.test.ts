/** pr while the whole host is short of memory, against /proc/vmstat and memory.stat: in a guest with swap. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { runAlone } from '../../test/fakes/alone.js';
import { LivePlugin } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { press, pressureMissing } from '../../test/fakes/pressure.js';
import { pr } from './index.js';
import {
  attribute,
  episodesOf,
  figuresOf,
  growth,
  hasSwap,
  isMultiGen,
  type LivePr,
  sumOf,
  traceReclaim,
  tracingMissing,
  vmstat,
} from './live-truth.js';
import type { ReclaimSnapshot, ReclaimType } from './reclaim.js';

const isGuest = process.env.MEM_WATCHER_VM !== undefined && hasSwap();
const skip = isGuest
  ? (pressureMissing() ?? MemoryCgroup.missing() ?? tracingMissing() ?? false)
  : 'takes all memory: only in a guest with swap';
const MiB = 2 ** 20;
/** More than there is, and less than there is with swap. */
const BEYOND_KB = 60 * 1024;
/**
 * Until 5.13 each CPU kept up to so many of an event of a cgroup to itself (MEMCG_CHARGE_BATCH), and
 * memory.stat is without them; since then it is told all within two seconds.
 */
const KEPT_BY_CPU = new RunningKernel().check({ btf_field: 'mem_cgroup.vmevents' }).holds ? 32 : 0;

describe('pr on a host that is short of memory', { skip, timeout: 600_000 }, () => {
  runAlone();

  let live: LivePr;
  before(async () => {
    const config = { span_rate: 10_000, span_threshold: '1ms' };
    const constants = { span_threshold_ns: 0 };
    live = await LivePlugin.start<ReclaimSnapshot>(pr, { config, constants });
  });
  after(() => live.close());

  /** When nobody reclaims any more: kswapd goes on for a while after those who woke it. */
  const atRest = async (): Promise<[ReclaimSnapshot, ReadonlyMap<string, number>]> => {
    let last = vmstat();
    return live.until((snapshot) => {
      const before = last;
      last = vmstat();
      const moved = growth(before, last, /^pg(scan|steal)/);
      return (
        moved === 0 && snapshot.types.every(({ running }) => running === 0) && [snapshot, last]
      );
    });
  };

  const added = (first: ReclaimSnapshot, last: ReclaimSnapshot, type: ReclaimType) => {
    const [before, after] = [figuresOf(first, type).figures, figuresOf(last, type).figures];
    return {
      episodes: after.episodes - before.episodes,
      scanned: pages(last, type, 'scanned') - pages(first, type, 'scanned'),
      reclaimed: pages(last, type, 'reclaimed') - pages(first, type, 'reclaimed'),
    };
  };

  it('counts direct and background reclaim as vmstat and the tracer do', async (t) => {
    const tracing = traceReclaim();
    try {
      const [first, before] = await atRest();
      live.spans.length = 0;
      const [caused] = press([`anon=${Math.floor((available() + BEYOND_KB) / 4)}`]);
      const [last, now] = await atRest();
      tracing.stop();
      const traced = tracing.read();
      const all = episodesOf(traced);
      const direct = added(first, last, 'direct');
      const kswapd = added(first, last, 'kswapd');
      t.diagnostic(`${direct.episodes} direct, ${kswapd.episodes} of kswapd`);
      assert.equal(direct.episodes, all.filter(({ type }) => type === 'direct').length);
      assert.ok(direct.episodes <= growth(before, now, /^allocstall/));
      assert.ok(kswapd.scanned + direct.scanned > 0, 'nothing was reclaimed');
      for (const [name, type, figures] of [
        ['direct', /^pg(scan|steal)_direct$/, direct],
        ['kswapd', /^pg(scan|steal)_kswapd$/, kswapd],
      ] as const) {
        const scan = growth(before, now, new RegExp(`^pgscan_${name}$`));
        const steal = growth(before, now, new RegExp(`^pgsteal_${name}$`));
        assert.ok([...now.keys()].some((key) => type.test(key)));
        assert.equal(figures.scanned, scan, `pages scanned by ${name}`);
        assert.equal(figures.reclaimed, steal, `pages reclaimed by ${name}`);
      }
      const own = all.filter(({ tid }) => tid === caused?.pid);
      const flags = new Set(own.map((episode) => sorted(episode.flags)));
      const spans = live.spans.filter(
        ({ attributes }) => attributes['process.pid'] === caused?.pid,
      );
      assert.equal(spans.length > 0, own.length > 0, `${spans.length} spans, ${own.length} traced`);
      for (const span of spans) {
        assert.equal(attribute(span, 'order'), 0);
        assert.ok(flags.has(sorted(attribute(span, 'gfp_flags'))));
        const nodes = attribute(span, 'nodes') as readonly number[];
        assert.ok(nodes.every((node) => node === 0));
      }
      const untraced = isMultiGen() && 'the multi-gen LRU does not trace every scan';
      await t.test('the lists add up to it', { skip: untraced }, () => {
        const lists = traced.filter(({ event }) => event === 'mm_vmscan_lru_shrink_inactive');
        const total = direct.scanned + kswapd.scanned + added(first, last, 'memcg').scanned;
        assert.equal(sumOf(lists, 'nr_scanned'), total);
      });
    } finally {
      tracing.close();
    }
  });

  it('counts a cgroup’s reclaim as its memory.stat does, and the tracer', async () => {
    const group = MemoryCgroup.make({ high: 16 * MiB });
    const tracing = traceReclaim();
    try {
      const [first] = await atRest();
      press([group.enter, 'anon=10000']);
      const [last] = await atRest();
      tracing.stop();
      const { scanned, reclaimed } = added(first, last, 'memcg');
      assert.ok(reclaimed > 0);
      const lists = episodesOf(tracing.read())
        .filter(({ type }) => type === 'memcg')
        .flatMap((episode) => episode.lists);
      assert.equal(reclaimed, sumOf(lists, 'nr_reclaimed'));
      if (!isMultiGen()) assert.equal(scanned, sumOf(lists, 'nr_scanned'));
      const missing = () => [
        scanned - (group.stat('pgscan') ?? Number.NaN),
        reclaimed - (group.stat('pgsteal') ?? Number.NaN),
      ];
      const kept = KEPT_BY_CPU * availableParallelism();
      await live
        .until(() => missing().every((pages) => pages >= 0 && pages <= kept))
        .catch(() => assert.fail(`memory.stat lacks ${missing()} of ${scanned}, ${reclaimed}`));
    } finally {
      tracing.close();
      group.remove();
    }
  });
});

const sorted = (flags: unknown): string => String(flags).split('|').sort().join('|');

/** kB. */
const available = (): number =>
  Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);

const pages = (
  snapshot: ReclaimSnapshot,
  type: ReclaimType,
  figure: 'scanned' | 'reclaimed',
): number =>
  snapshot.pages
    .filter((one) => one.type === type)
    .reduce((sum, one) => sum + (one[figure] ?? 0), 0);
