import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderTable } from '../../core/cli/table.js';
import { metadata } from './metadata.js';
import type { Attempt, PafRecords } from './records.js';
import { ATOMIC, blocks, records, requester, told, zone } from './sample.js';
import { view } from './view.js';

const CONTEXT = { rows: 30, bytes: false };

/** By title of the column. */
function cells(
  of: PafRecords,
  title: string,
  row = 0,
  context = CONTEXT,
): Record<string, string | undefined> {
  const table = view.tables(of, context).find((candidate) => candidate.title?.startsWith(title));
  const values = table?.rows[row] ?? [];
  return Object.fromEntries(table?.columns.map((column, at) => [column.title, values[at]]) ?? []);
}

const titles = (of: PafRecords, context = CONTEXT) =>
  view.tables(of, context).map((table) => table.title);

describe('the live view of failures', () => {
  it('has the columns of the original, and what was made of them', () => {
    assert.deepEqual(cells(records({ recent: [told()] }), 'Failures'), {
      TIME: '09:30:00',
      COUNT: '1',
      PID: '4711',
      PROCESS: 'postgres (walwriter)',
      CONTAINER: 'abababababab',
      ORDER: '0',
      REASON: 'below_watermark',
      ZONE: '0 Normal',
      FREE: '31.3 MiB',
      MIN: '32.0 MiB',
      LOW: '40.0 MiB',
      HIGH: '48.0 MiB',
      PRESENT: '4.0 GiB',
      FLAG: 'GFP_KERNEL',
      REQUESTED: 'same',
    });
  });

  it('shows the newest on top, and says how many more there are', () => {
    const recent = Array.from({ length: 40 }, (_, n) => {
      return told({ requester: requester({ pid: n }), last: Date.UTC(2026, 10, 23, 9, 30, n) });
    });
    // told late, as its stack was slow to be named
    recent.push(...recent.splice(10, 1));
    const few = { rows: 12, bytes: false };
    const of = records({ recent });
    assert.equal(cells(of, 'Failures', 0, few).PID, '39');
    const [table] = view.tables(of, few);
    assert.ok(table && table.rows.length < 12);
    assert.match(table.footer ?? '', new RegExp(`^${40 - table.rows.length} more rows`));
  });

  it('shows what the caller asked for, where it is another or unknown', () => {
    const other = told({ flags: 'GFP_NOFS', requestedFlags: 'GFP_KERNEL' });
    assert.equal(cells(records({ recent: [other] }), 'Failures').REQUESTED, 'GFP_KERNEL');
    const unknown = told({ requestedFlags: undefined });
    assert.equal(cells(records({ recent: [unknown] }), 'Failures').REQUESTED, '-');
  });

  it('says nothing that is not known', () => {
    const lost = told({ detail: undefined, verdict: undefined, requester: undefined });
    const row = cells(records({ recent: [{ ...lost, flags: undefined }] }), 'Failures');
    assert.equal(row.REASON, 'unknown');
    assert.deepEqual([row.PID, row.ZONE, row.FREE, row.FLAG], ['-', '-', '-', '-']);
    assert.equal(row.PROCESS, '(not told apart)');
  });

  it('takes the figures of the zone that decided, not of the highest', () => {
    const zones = [
      zone({ name: 'DMA32', index: 1, blocks: blocks({ 0: [0] }) }),
      zone({ free: 100 }),
    ];
    const of = records({ recent: [told({ of: { order: 3, zones } })] });
    assert.equal(cells(of, 'Failures').ZONE, '0 DMA32');
    assert.equal(cells(of, 'Failures').REASON, 'fragmentation');
  });

  it('gives plain bytes where asked', () => {
    const of = records({ recent: [told()] });
    assert.equal(cells(of, 'Failures', 0, { ...CONTEXT, bytes: true }).MIN, String(8192 * 4096));
  });

  it('tells why, of the newest of which it is known', () => {
    const of = records({
      recent: [told({ of: { gfp: ATOMIC } }), told({ verdict: undefined, detail: undefined })],
    });
    const [why] = view.tables(of, CONTEXT).filter(({ title }) => title?.startsWith('Why'));
    assert.match(
      why?.rows[0]?.[0] ?? '',
      /^09:30:00 postgres \(walwriter\) \(4711\): Not explained by what was seen: /,
    );
  });

  it('counts by reason and order, the most first, and sums what does not fit', () => {
    const failures = Array.from({ length: 9 }, (_, order) => ({
      order,
      migrateType: 'movable',
      reason: 'fragmentation' as const,
      count: 10 + order,
    }));
    const more = [
      { order: 8, migrateType: 'unmovable', reason: 'fragmentation', count: 1000 } as const,
    ];
    const of = records({ failures: [...failures, ...more] });
    assert.deepEqual(cells(of, 'Since'), {
      FAILURES: '1,018',
      ORDER: '8',
      REASON: 'fragmentation',
      TYPES: 'movable, unmovable',
    });
    const totals = view.tables(of, CONTEXT).find(({ title }) => title?.startsWith('Since'));
    assert.equal(totals?.rows.length, 6);
    assert.equal(totals?.footer, '33 more, of 3 other orders and reasons');
  });

  it('says so when nothing failed, and what its rows do not show', () => {
    assert.equal(view.tables(records(), CONTEXT)[0]?.footer, 'no allocation has failed');
    const totals = { folded: 7, postponed: 2, overflowed: 3, suppressedAttempts: 0, unseen: 1 };
    const [table] = view.tables(records({ recent: [told()], totals }), CONTEXT);
    assert.equal(
      table?.footer,
      '7 failures stand in the row of another of their kind; 2 rows came late, as events_per_second ' +
        'bounds them; 3 failures are known by order and type alone: capacity is used up; ' +
        '1 allocation was not seen',
    );
  });

  it('fits into 80, 120 and 200 columns and as many rows as there are', () => {
    const recent = Array.from({ length: 50 }, () =>
      told({ flags: 'GFP_KERNEL_ACCOUNT|__GFP_ZERO' }),
    );
    const failures = [
      { order: 0, migrateType: 'unmovable', reason: 'below_watermark', count: 50 } as const,
    ];
    for (const width of [80, 120, 200] as const) {
      const tables = view.tables(records({ recent, failures }), { rows: 18, bytes: false });
      const lines = tables.flatMap((table) => ['', ...renderTable(table, width)]);
      assert.ok(lines.length <= 24, `${lines.length} lines`);
      assert.ok(lines.every((line) => [...line].length <= width));
      const heading = lines[2] ?? '';
      // The longest reason and a thread's name leave no more of the original's columns.
      const originals = { 80: [], 120: ['MIN', 'LOW'], 200: ['MIN', 'LOW', 'HIGH', 'PRESENT'] };
      const always = ['TIME', 'PID', 'PROCESS', 'ORDER', 'REASON', 'FLAG'];
      for (const title of [...always, ...originals[width]]) {
        assert.ok(heading.includes(title), `${title} at ${width}: ${heading}`);
      }
    }
  });
});

describe('the live view of attempts', () => {
  const attempt: Attempt = {
    time: Date.UTC(2026, 10, 23, 9, 30),
    requester: requester(),
    order: 0,
    gfp: 0xcc0,
    flags: 'GFP_KERNEL',
    migrateType: 0,
    node: 0,
    failed: false,
    zone: {
      name: 'Normal',
      min: 8_192,
      low: 10_240,
      high: 12_288,
      present: 1_048_576,
      managed: 1_015_000,
      free: 500_000,
    },
  };

  it('is there only when asked for, before the failures', () => {
    assert.deepEqual(titles(records()), ['Failures, newest first', 'Since the start']);
    assert.deepEqual(titles(records({ attempts: [attempt] })), [
      'Attempts, newest first',
      'Failures, newest first',
      'Since the start',
    ]);
  });

  it('has the columns of the original, the newest on top', () => {
    const attempts = [attempt, { ...attempt, failed: true }, { ...attempt, failed: undefined }];
    const row = cells(records({ attempts }), 'Attempts', 2);
    assert.deepEqual(
      [row.MIN, row.LOW, row.HIGH, row.PRESENT, row.FLAG],
      ['32.0 MiB', '40.0 MiB', '48.0 MiB', '4.0 GiB', 'GFP_KERNEL'],
    );
    const pages = [0, 1, 2].map((at) => cells(records({ attempts }), 'Attempts', at).PAGE);
    assert.deepEqual(pages, ['-', 'none', 'got']);
  });

  it('says what the rate bound kept back', () => {
    const totals = {
      folded: 0,
      postponed: 0,
      overflowed: 0,
      suppressedAttempts: 12_345,
      unseen: 0,
    };
    const [table] = view.tables(records({ attempts: [attempt], totals }), CONTEXT);
    assert.match(table?.footer ?? '', /^12,345 more/);
  });
});

describe('in `run`', () => {
  const failures = [
    { order: 0, migrateType: 'unmovable', reason: 'memcg_limit', count: 1_200 } as const,
    { order: 9, migrateType: 'movable', reason: 'fragmentation', count: 3 } as const,
  ];

  it('the overview counts, and tells of the last', () => {
    const [table] = view.overview(records({ failures, recent: [told()] }), CONTEXT);
    assert.equal(table?.title, 'Page allocation failures: 1,203');
    assert.deepEqual(table?.rows[0], ['1,200', '0', 'memcg_limit', 'unmovable']);
    assert.match(table?.footer ?? '', /^last 09:30:00 postgres/);
  });

  it('the digest counts by reason, and lists the last', () => {
    const digest = view.digest?.(records({ failures, recent: [told()] }));
    assert.deepEqual(digest, {
      failures: 1_203,
      by_reason: { memcg_limit: 1_200, fragmentation: 3 },
      last: [
        {
          time: '2026-11-23T09:30:00.250Z',
          pid: 4711,
          name: 'postgres (walwriter)',
          container: 'ab'.repeat(32),
          order: 0,
          flags: 'GFP_KERNEL',
          reason: 'below_watermark',
          count: 1,
        },
      ],
    });
  });
});

describe('options', () => {
  it('set keys of the configuration', () => {
    for (const { flags, config } of view.options) {
      const value = flags.includes('pid') ? ['1'] : flags.includes('<') ? ['abcdef012345'] : true;
      for (const key of Object.keys(config(value))) {
        assert.ok(key in metadata.config.shape, `${flags} sets ${key}`);
      }
    }
  });

  it('choose processes by pid, name, cgroup and container', () => {
    const flags = view.options.map((option) => option.flags.split(' ')[0]);
    assert.deepEqual(flags, ['--pid', '--name', '--cgroup', '--container', '--attempts']);
  });
});
