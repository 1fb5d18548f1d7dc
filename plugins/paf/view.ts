import { filterOptions } from '../../core/cli/filter-options.js';
import { formatCount } from '../../core/cli/format.js';
import type { Column, Table, View, ViewContext } from '../../core/cli/view.js';
import { attemptsTable } from './attempts-view.js';
import { FAILURE_COLUMNS, failureRow, timeOf, whoseName } from './failure-row.js';
import type { PafRecords, ToldFailures } from './records.js';
import type { Reason } from './verdict/verdict.js';

/** Lines of a further table that are no rows: blank, title, heading. */
const CHROME = 3;
const TOTAL_ROWS = 6;
const OVERVIEW_ROWS = 3;

export const view: View<PafRecords> = {
  alias: 'a',
  summary:
    'page allocations that failed: who asked for what, what there was, and why it was refused',
  options: [
    ...filterOptions,
    {
      flags: '--attempts',
      description: 'every attempt to allocate, refused or not, as far as the rate bound lets pass',
      config: () => ({ attempts: true }),
    },
  ],

  tables(told, context) {
    // A stack whose names take long is told late.
    const recent = told.recent.toSorted((a, b) => a.last - b.last);
    const records = { ...told, recent };
    const totals = totalsTable(records, Math.min(TOTAL_ROWS, context.rows));
    const why = whyTable(records.recent);
    const others = [...(why ? [why] : []), totals];
    const taken = others.reduce((sum, { rows }) => sum + CHROME + rows.length, 0);
    const left = Math.max(1, context.rows - taken);
    if (records.attempts === undefined) return [failuresTable(records, context, left), ...others];
    const half = Math.max(1, Math.floor((left - CHROME) / 2));
    return [
      attemptsTable(records, records.attempts, context, half),
      failuresTable(records, context, half),
      ...others,
    ];
  },

  overview(records, context) {
    const rows = Math.min(context.rows, OVERVIEW_ROWS);
    const totals = totalsTable(records, rows);
    const newest = records.recent.at(-1);
    return [
      {
        ...totals,
        title: `Page allocation failures: ${formatCount(allOf(records))}`,
        ...(newest && { footer: `last ${whyOf(newest)}` }),
      },
    ];
  },

  digest: (records) => ({
    failures: allOf(records),
    by_reason: Object.fromEntries(byReason(records)),
    last: records.recent.slice(-OVERVIEW_ROWS).map((told) => ({
      time: new Date(told.last).toISOString(),
      pid: told.requester?.pid,
      name: told.requester && whoseName(told.requester),
      container: told.requester?.cgroup?.containerId,
      order: told.request.order,
      flags: told.flags,
      reason: told.verdict?.reason ?? 'unknown',
      count: told.count,
    })),
  }),
};

function failuresTable(records: PafRecords, context: ViewContext, rows: number): Table {
  const shown = records.recent.slice(-rows).reverse();
  return {
    title: 'Failures, newest first',
    columns: FAILURE_COLUMNS,
    rows: shown.map((told) => failureRow(told, records.pageSize, context.bytes)),
    ...footer(records, records.recent.length - shown.length),
  };
}

/** What the rows do not show. */
function footer({ failures, totals, recent }: PafRecords, hidden: number): { footer?: string } {
  const { folded, postponed, overflowed, unseen } = totals;
  const says = (count: number, one: string, many: string) =>
    count > 0 ? [`${formatCount(count)} ${count === 1 ? one : many}`] : [];
  const parts = [
    ...(failures.length + recent.length === 0 ? ['no allocation has failed'] : []),
    ...says(hidden, 'more row', 'more rows'),
    ...says(
      folded,
      'failure stands in the row of another of its kind',
      'failures stand in the row of another of their kind',
    ),
    ...says(
      postponed,
      'row came late, as events_per_second bounds them',
      'rows came late, as events_per_second bounds them',
    ),
    ...says(
      overflowed,
      'failure is known by order and type alone: capacity is used up',
      'failures are known by order and type alone: capacity is used up',
    ),
    ...says(unseen, 'allocation was not seen', 'allocations were not seen'),
  ];
  return parts.length > 0 ? { footer: parts.join('; ') } : {};
}

const TOTAL_COLUMNS: readonly Column[] = [
  { title: 'FAILURES', align: 'right', priority: 0 },
  { title: 'ORDER', align: 'right', priority: 0 },
  { title: 'REASON', align: 'left', priority: 0 },
  { title: 'TYPES', align: 'left', priority: 1, flexible: true },
];

function totalsTable({ failures }: PafRecords, rows: number): Table {
  const groups = Map.groupBy(failures, ({ order, reason }) => `${order} ${reason}`);
  const all = [...groups.values()]
    .map((group) => ({
      count: sumOf(group),
      order: group[0]?.order ?? 0,
      reason: group[0]?.reason ?? 'unknown',
      types: [...new Set(group.map(({ migrateType }) => migrateType))].sort(),
    }))
    .toSorted((a, b) => b.count - a.count || a.order - b.order);
  const rest = all.slice(rows);
  return {
    title: 'Since the start',
    columns: TOTAL_COLUMNS,
    rows: all
      .slice(0, rows)
      .map(({ count, order, reason, types }) => [
        formatCount(count),
        String(order),
        reason,
        types.join(', '),
      ]),
    ...(rest.length > 0 && {
      footer: `${formatCount(sumOf(rest))} more, of ${rest.length} other orders and reasons`,
    }),
  };
}

/** The newest failure's story in full; the table has no room for a sentence a row. */
function whyTable(recent: readonly ToldFailures[]): Table | undefined {
  const newest = recent.findLast(({ verdict }) => verdict !== undefined);
  if (!newest) return undefined;
  return {
    title: 'Why, of the newest',
    columns: [{ title: '', align: 'left', priority: 0, flexible: true, wrap: true }],
    rows: [[whyOf(newest)]],
  };
}

function whyOf({ last, requester, verdict }: ToldFailures): string {
  const who = requester ? ` ${whoseName(requester)} (${requester.pid})` : '';
  return `${timeOf(last)}${who}: ${verdict?.sentence ?? 'nothing is known of it'}`;
}

const sumOf = (list: readonly { readonly count: number }[]) =>
  list.reduce((sum, { count }) => sum + count, 0);

const allOf = ({ failures }: PafRecords) => sumOf(failures);

function byReason({ failures }: PafRecords): Map<Reason, number> {
  const groups = Map.groupBy(failures, ({ reason }) => reason);
  return new Map([...groups].map(([reason, group]) => [reason, sumOf(group)]));
}
