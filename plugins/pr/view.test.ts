import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderTable } from '../../core/cli/table.js';
import {
  RECLAIM_TYPES,
  type ReclaimSnapshot,
  type ReclaimType,
  type TypeReport,
} from './reclaim.js';
import { view } from './view.js';

const noFigures = { episodes: 0, ns: 0, maxNs: 0, requested: 0, scanned: 0, reclaimed: 0 };
const noDurations = { count: 0, ns: 0, maxNs: 0, instant: 0, buckets: [], exemplars: [] };

const empty: ReclaimSnapshot = {
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
  spans: { sent: 0, sampled_out: 0, rate_limited: 0, ring_full: 0, filtered: 0 },
  unmeasured: { no_begin: 0, no_end: 0, no_room: 0 },
  spanThreshold: 10_000_000,
};

const figures = {
  episodes: 529,
  ns: 1.234e9,
  maxNs: 3_420_138,
  requested: 29_952,
  scanned: 574_875,
  reclaimed: 42_033,
};
const busy: ReclaimSnapshot = {
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

const context = { rows: 40, bytes: false };
const rendered = (snapshot: ReclaimSnapshot, width: number, rows = 40) =>
  view.tables(snapshot, { rows, bytes: false }).map((table) => renderTable(table, width));
const columnsOf = (lines: readonly string[] | undefined) => lines?.[1]?.split(/ {2,}/) ?? [];

describe('the view of pr', () => {
  it('shows who waited, and the original’s five columns, at every width', () => {
    for (const width of [80, 120, 200]) {
      const [processes, types] = rendered(busy, width);
      for (const line of [...(processes ?? []), ...(types ?? [])]) assert.ok(line.length <= width);
      for (const title of ['PID', 'COMMAND', 'TYPE', 'TIME', 'LONGEST']) {
        assert.ok(
          columnsOf(processes)
            .map((cell) => cell.trim())
            .includes(title),
          title,
        );
      }
      for (const title of ['RECLAIM', 'RECLAIMED', 'UNQUEUE_DIRTY', 'CONGESTED', 'WRITEBACK']) {
        assert.ok(columnsOf(types).includes(title), `${title} at ${width}`);
      }
    }
  });

  it('shows what is unknown as unknown', () => {
    const [, types] = rendered(busy, 200);
    const memcg = types?.find((line) => line.startsWith('memcg'))?.split(/ {2,}/) ?? [];
    const cell = (title: string) => memcg[columnsOf(types).indexOf(title)];
    assert.equal(cell('UNQUEUE_DIRTY'), '66');
    assert.equal(cell('CONGESTED'), '-');
    assert.equal(cell('WRITEBACK'), '55');
    assert.equal(cell('EFFIC'), '7.3%');
    const direct = types?.find((line) => line.startsWith('direct')) ?? '';
    assert.match(direct, /direct +0 +0 +0 +- +0 +0 +- +- +-/);
  });

  it('keeps hostile names from the terminal', () => {
    const [processes] = rendered(busy, 200);
    assert.ok(processes?.some((line) => line.includes('evil\\x1b[31mname (worker)')));
    assert.ok(processes?.some((line) => line.includes('(others)')));
  });

  it('draws durations, the short ones together where rows are few', () => {
    const tall = rendered(busy, 120)[2] ?? [];
    assert.equal(tall.length, 2 + 11);
    assert.match(tall.at(-1) ?? '', /7\.8 ms +121 +▇{30}$/);
    const low = rendered(busy, 120, 20)[2] ?? [];
    assert.ok(low.length < tall.length);
    const counted = low.slice(2).map((line) => Number(/ {2}([\d,]+) {2}/.exec(line)?.[1]));
    assert.equal(
      counted.reduce((sum, count) => sum + count, 0),
      506,
    );
  });

  it('sums what is beside it', () => {
    const beside = rendered(busy, 120).at(-1) ?? [];
    assert.match(beside[2] ?? '', /^ +9 +3 +300 ms +1,234 +5,678 +0 +0$/);
    const unknown = rendered(empty, 120).at(-1) ?? [];
    assert.match(unknown[2] ?? '', /^ +- +- +- +- +- +0 +0$/);
  });

  it('says that nothing happened, since when', () => {
    const tables = view.tables(empty, context);
    assert.match(tables[0]?.footer ?? '', /no page was reclaimed for anybody in 12 s/);
    assert.equal(tables.length, 3, 'without durations');
  });

  it('of pages that are reclaimed outside of any episode knows no time', () => {
    const other: ReclaimType = 'other';
    const [row] = busy.pages;
    assert.ok(row);
    const [, types] = rendered({ ...busy, pages: [{ ...row, type: other }] }, 200);
    assert.match(types?.at(-1) ?? '', /^other +- +- +- +- +- +42,033/);
  });

  it('has an overview and a digest', () => {
    const [overview] = view.overview(busy, context);
    assert.equal(overview?.title, 'Page reclaim: threads waited 1.2 s');
    assert.match(overview?.footer ?? '', /kswapd ran 0 times, 0/);
    const digest = view.digest?.(busy) as { waited: readonly { pid: number }[] };
    assert.equal(digest.waited[0]?.pid, 2042);
  });
});
