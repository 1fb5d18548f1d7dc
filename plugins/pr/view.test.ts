import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderTable } from '../../core/cli/table.js';
import type { ReclaimSnapshot, ReclaimType } from './reclaim.js';
import { busy, empty } from './sample.js';
import { view } from './view.js';

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
    const low = rendered(busy, 120, 22)[2] ?? [];
    assert.equal(low.length, 2 + 4);
    assert.match(rendered(busy, 120, 18)[2]?.[0] ?? '', /^Beside it/, 'no room for a distribution');
    const counted = low.slice(2).map((line) => Number(/ {2}([\d,]+) {2}/.exec(line)?.[1]));
    assert.equal(
      counted.reduce((sum, count) => sum + count, 0),
      506,
    );
  });

  it('leaves a third of a small screen to who waited, and fits', () => {
    const [one] = busy.processes;
    assert.ok(one);
    const crowd = { ...busy, processes: Array.from({ length: 50 }, () => one) };
    for (const rows of [30, 40, 60]) {
      const tables = view.tables(crowd, { rows, bytes: false });
      const shown = tables[0]?.rows.length ?? 0;
      assert.ok(shown >= Math.floor(rows / 3), `${shown} of ${rows}`);
      const below = tables.slice(1).reduce((sum, table) => sum + 3 + table.rows.length, 0);
      assert.ok(shown + below <= rows, `${shown + below} of ${rows}`);
    }
  });

  it('has a row for soft limits and node reclaim only where there are any', () => {
    const shown = (snapshot: ReclaimSnapshot) =>
      view.tables(snapshot, context)[1]?.rows.map(([type]) => type);
    assert.deepEqual(shown(empty), ['direct', 'memcg', 'kswapd']);
    const types = empty.types.map((report) => {
      const some = { ...report, figures: { ...report.figures, episodes: 1 } };
      if (report.type === 'node') return some;
      return report.type === 'soft_limit' ? { ...report, running: 1 } : report;
    });
    assert.deepEqual(shown({ ...empty, types }), [
      'direct',
      'memcg',
      'soft_limit',
      'node',
      'kswapd',
    ]);
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
    assert.equal(overview?.title, 'Page reclaim: threads waited 1.2 s in 12 s');
    assert.equal(overview?.footer, undefined, 'kswapd did not run');
    const digest = view.digest?.(busy) as { waited: readonly { pid: number }[] };
    assert.equal(digest.waited[0]?.pid, 2042);
  });
});
