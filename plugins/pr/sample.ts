/** Snapshots for tests. */
import { RECLAIM_TYPES, type ReclaimSnapshot, type TypeReport } from './reclaim.js';

const noFigures = { episodes: 0, ns: 0, maxNs: 0, requested: 0, scanned: 0, reclaimed: 0 };
const noDurations = { count: 0, ns: 0, maxNs: 0, instant: 0, buckets: [], exemplars: [] };

/** Nothing was reclaimed yet, and nothing is known of what not every kernel says. */
export const empty: ReclaimSnapshot = {
  startTime: 1_000_000,
  time: 1_012_000,
  types: RECLAIM_TYPES.slice(0, -1).map((type) => ({
    type,
    durations: noDurations,
    figures: noFigures,
    running: 0,
  })),
  pages: [],
  stalls: [],
  processes: [],
  requests: [],
  throttles: undefined,
  wakeups: undefined,
  swap: undefined,
  spans: { sent: 0, sampled_out: 0, rate_limited: 0, ring_full: 0, filtered: 0, unwanted: 0 },
  unmeasured: { no_begin: 0, no_end: 0, no_room: 0 },
  spanThreshold: 10_000_000,
};

/** Of a cgroup at its limit. */
const figures = {
  episodes: 529,
  ns: 1.234e9,
  maxNs: 3_420_138,
  requested: 29_952,
  scanned: 574_875,
  reclaimed: 42_033,
};
export const busy: ReclaimSnapshot = {
  ...empty,
  types: empty.types.map((report): TypeReport => {
    if (report.type !== 'memcg') return report;
    const buckets = Array.from({ length: 24 }, (_, n) => (n >= 13 ? (n - 12) ** 2 : 0));
    return { ...report, figures, running: 2, durations: { ...noDurations, count: 529, buckets } };
  }),
  pages: [
    {
      type: 'memcg',
      node: 0,
      lists: 14_613,
      scanned: 574_875,
      reclaimed: 42_033,
      states: {
        dirty: 77,
        unqueued_dirty: 66,
        congested: undefined,
        writeback: 55,
        immediate: 0,
        pageout: 44,
        activated: 33,
        referenced: 22,
        unmap_failed: 0,
        lazyfree_failed: 0,
        demoted: undefined,
      },
    },
  ],
  processes: [
    {
      type: 'memcg',
      attributes: {
        'process.pid': 2042,
        'process.executable.name': 'evil\u001b[31mname',
        'container.id': 'a1b2c3d4e5f6'.repeat(6).slice(0, 64),
      },
      comm: 'worker',
      figures,
      order: 2,
      flags: 'GFP_NOFS|__GFP_HIGHMEM|__GFP_MOVABLE',
      startTime: 0,
    },
    {
      type: 'memcg',
      attributes: { 'memwatcher.reclaim.other': true },
      comm: '',
      figures: { ...noFigures, requested: undefined, episodes: 3, ns: 38_400 },
      order: undefined,
      flags: undefined,
      startTime: 0,
    },
  ],
  throttles: [{ reason: 'no_progress', count: 3, ns: 3e8 }],
  wakeups: [
    { node: 0, count: 4 },
    { node: 1, count: 5 },
  ],
  swap: { in: 1234, out: 5678 },
};
