import { attributesOfProcess, type Who, type WhoIs } from '../../core/identity/who.js';
import type { GfpFlags } from '../../core/memory/gfp.js';
import type { Exemplar } from '../../core/telemetry/points.js';
import { statesOf } from './episode.js';
import type {
  PrCgroup,
  PrCounts,
  PrPages,
  PrProcess,
  PrRequest,
  PrThrottled,
  PrWakeups,
} from './events.gen.js';
import {
  type PagesReport,
  type ProcessReport,
  RECLAIM_TYPES,
  type ReclaimType,
  type RequestReport,
  THROTTLE_REASONS,
  type ThrottleReport,
  type TypeReport,
  type Unmeasured,
  type WakeupReport,
} from './reclaim.js';
import type { TableSnapshot } from './table.js';
import { figuresOf, noTotal, type Totals } from './totals.js';

const TYPES = RECLAIM_TYPES.length;
const typeOf = (type: number): ReclaimType => RECLAIM_TYPES[type] ?? 'other';

/** Types whose episodes are seen by a part of the profile. */
const PART_OF: Readonly<Partial<Record<ReclaimType, string>>> = {
  memcg: 'memcg',
  soft_limit: 'soft-limit',
  node: 'node-reclaim',
};

/** Every type that is seen, also those that had no episode yet: a counter begins at 0. */
export function typesOf(
  parts: ReadonlyMap<string, string>,
  totals: ReturnType<Totals['of']>,
  counts: readonly PrCounts[],
  exemplarsOf: (type: ReclaimType) => readonly Exemplar[],
): TypeReport[] {
  return counts.slice(0, TYPES).flatMap((count, n) => {
    const type = typeOf(n);
    const part = PART_OF[type];
    if (type === 'other' || (part !== undefined && !parts.has(part))) return [];
    const total = totals.get(n) ?? noTotal;
    const { episodes, ns, maxNs, requested, scanned, reclaimed, instant, buckets } = total;
    // All of one row: of another table, which is read sooner or later, the difference would be of
    // what happened meanwhile.
    const running = count.begun - count.untracked - count.abandoned - count.ended;
    const exemplars = exemplarsOf(type);
    return {
      type,
      durations: { count: episodes, ns, maxNs, instant, buckets, exemplars },
      figures: {
        episodes,
        ns,
        maxNs,
        // Nothing was ever asked of nobody; but of somebody it is never 0.
        requested: requested === 0 && episodes > 0 ? undefined : requested,
        scanned,
        reclaimed,
      },
      running: Math.max(0, running),
    };
  });
}

/** Episodes that are in no other figure. One that had found no room ends without a begin. */
export function unmeasuredOf(counts: readonly PrCounts[]): Record<Unmeasured, number> {
  const all = (member: 'unmatched' | 'abandoned' | 'untracked') =>
    counts.reduce((sum, count) => sum + count[member], 0);
  const noRoom = all('untracked');
  return {
    no_begin: Math.max(0, all('unmatched') - noRoom),
    no_end: all('abandoned'),
    no_room: noRoom,
  };
}

/** Rows of `pages` in which something happened. */
export function pagesOf(rows: readonly PrPages[]): PagesReport[] {
  return rows.flatMap((row, index) => {
    const { lists, scanned, reclaimed, known, states } = row;
    if (lists === 0 && scanned === 0) return [];
    return {
      type: typeOf(index % TYPES),
      node: Math.floor(index / TYPES),
      lists,
      // What was reclaimed had been looked at: a hook that does not say saw it.
      scanned: scanned === 0 && reclaimed > 0 ? undefined : scanned,
      reclaimed,
      states: statesOf(known, states),
    };
  });
}

export function throttlesOf(rows: readonly PrThrottled[]): ThrottleReport[] {
  return THROTTLE_REASONS.flatMap((reason, n) => {
    const { count = 0, ns = 0 } = rows[n] ?? {};
    return reason === 'unknown' && count === 0 ? [] : { reason, count, ns };
  });
}

export function wakeupsOf(rows: readonly PrWakeups[], nodes: ReadonlySet<number>): WakeupReport[] {
  return rows.flatMap(({ count }, node) => (count > 0 || nodes.has(node) ? { node, count } : []));
}

export function requestsOf(
  { entries, overflow }: TableSnapshot<PrRequest>,
  flags: GfpFlags,
  startTime: number,
): RequestReport[] {
  const known = entries.map(({ row: { key, figures }, since }) => ({
    type: typeOf(key.type),
    order: key.order,
    flags: typeOf(key.type) === 'kswapd' ? undefined : flags.describe(key.gfp),
    figures: figuresOf(figures),
    startTime: since,
  }));
  const others = [...overflow].map(([type, { figures }]) => ({
    type: typeOf(type),
    order: undefined,
    flags: undefined,
    figures: figuresOf(figures),
    startTime,
  }));
  return [...known, ...others];
}

export interface ProcessTools {
  readonly whoIs: WhoIs;
  readonly flags: GfpFlags;
  readonly filter: (who: Who) => boolean;
  /** Unix ms: since when the plugin counts. */
  readonly startTime: number;
}

/** Longest in reclaim first. */
export function processesOf(
  { entries, overflow }: TableSnapshot<PrProcess>,
  { whoIs, flags, filter, startTime }: ProcessTools,
): ProcessReport[] {
  const reports: ProcessReport[] = [];
  for (const { row, since } of entries) {
    const who = whoIs.who(row.who);
    if (!filter(who)) continue;
    const type = typeOf(row.key.type);
    reports.push({
      type,
      attributes: attributesOfProcess(who),
      comm: who.comm,
      figures: figuresOf(row.figures),
      order: row.order,
      flags: type === 'kswapd' ? undefined : flags.describe(row.gfp),
      startTime: since,
    });
  }
  reports.sort((a, b) => b.figures.ns - a.figures.ns);
  for (const [type, { figures }] of overflow) {
    reports.push({
      type: typeOf(type),
      attributes: { 'memwatcher.reclaim.other': true },
      comm: '',
      figures: figuresOf(figures),
      order: undefined,
      flags: undefined,
      startTime,
    });
  }
  return reports;
}

/** Where a row's cgroup is. */
export const cgroupOf =
  (whoIs: WhoIs) =>
  ({ key, pid }: PrCgroup) =>
    whoIs.cgroup(key.cgroup, key.cgroup_v1 !== 0, pid);
