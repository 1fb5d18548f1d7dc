import { listOf, wholeNumber } from '../../core/cli/filter-options.js';
import { formatCount } from '../../core/cli/format.js';
import type { Table, View, ViewContext, ViewOption } from '../../core/cli/view.js';
import type { LeakSnapshot, LeakStack } from './model.js';
import { oldestAge, ownFrame, sourceOf } from './output/frames.js';
import { byVerdict, COLUMNS, stacksTable, targetsTable } from './output/table.js';
import { formatSize } from './output/units.js';

/** Lines of a further table that are no rows: blank, title, heading, footer. */
const CHROME = 4;
const OVERVIEW_ROWS = 3;
/** Of the overview: state, class, bytes, growth, where. */
const OVERVIEW_COLUMNS = ['STATE', 'CLASS', 'BYTES', 'GROWTH/H', 'WHERE'];
/** Of all rows, what the processes have at most. */
const TARGET_SHARE = 1 / 4;

export const view: View<LeakSnapshot> = {
  alias: 'l',
  summary: 'memory leaks: which call stacks hold memory, since when, and which of them leak',
  options: options(),

  tables(snapshot, { rows, bytes }) {
    const targets = targetsTable(snapshot, bytes);
    const room = Math.max(1, Math.floor(rows * TARGET_SHARE));
    const shown = targets.rows.slice(0, room);
    const stacks = stacksTable(snapshot, Math.max(1, rows - shown.length - CHROME), bytes);
    return snapshot.targets.length === 0 ? [stacks] : [stacks, withRows(targets, shown)];
  },

  overview: (snapshot, context) => [overviewTable(snapshot, context)],

  digest: (snapshot) => ({
    targets: snapshot.targets.map((target) => ({
      ...(target.source.kind === 'process' && { pid: target.source.pid }),
      name: target.comm,
      bytes: Math.round(target.bytes),
      allocations: Math.round(target.allocations),
      reason: target.reason,
    })),
    states: snapshot.states,
    stacks: snapshot.stacks.toSorted(byVerdict).slice(0, OVERVIEW_ROWS).map(digestOf),
  }),
};

function digestOf(stack: LeakStack) {
  const { id, judgement, reading } = stack;
  const frame = ownFrame(stack);
  return {
    stack_id: id,
    state: judgement.state,
    class: judgement.class,
    confidence: judgement.confidence,
    bytes: Math.round(reading.bytes),
    allocations: Math.round(reading.allocations),
    growth_bytes_per_hour: judgement.growth,
    oldest_age_seconds: oldestAge(stack),
    function: frame?.function,
    source: frame && sourceOf(frame),
  };
}

function withRows(table: Table, rows: Table['rows']): Table {
  const hidden = table.rows.length - rows.length;
  const more = hidden > 0 ? [`${formatCount(hidden)} more processes`] : [];
  const footer = [...more, ...(table.footer === undefined ? [] : [table.footer])].join('; ');
  return { ...table, rows, ...(footer !== '' && { footer }) };
}

function overviewTable(snapshot: LeakSnapshot, { rows, bytes }: ViewContext): Table {
  const { columns, rows: all } = stacksTable(snapshot, Math.min(rows, OVERVIEW_ROWS), bytes);
  const wanted = columns.flatMap(({ title }, index) =>
    OVERVIEW_COLUMNS.includes(title) ? [index] : [],
  );
  const count = (state: string) =>
    snapshot.states.reduce((sum, one) => sum + (one.state === state ? one.count : 0), 0);
  const held = snapshot.targets.reduce((sum, target) => sum + target.bytes, 0);
  const unseen = snapshot.targets.filter(({ reason }) => reason !== undefined).length;
  const stacks = `${formatCount(count('confirmed'))} confirmed, ${formatCount(count('suspected'))} suspected`;
  return {
    title: `Leaks: ${stacks}; ${formatSize(held, bytes)} outstanding of ${formatCount(snapshot.targets.length)} watched`,
    columns: wanted.map((index) => COLUMNS[index]).filter((column) => column !== undefined),
    rows: all.map((row) => wanted.map((index) => row[index] ?? '')),
    ...(unseen > 0 && {
      footer: `${formatCount(unseen)} of them are not seen whole; memleak says why`,
    }),
  };
}

function options(): readonly ViewOption[] {
  const targets = (key: string, flag: string, what: string): ViewOption => ({
    flags: `--${key} <${flag}...>`,
    description: `watch ${what}`,
    config: (value) => ({
      targets: listOf(value).flatMap((given) =>
        key === 'executable'
          ? [{ [key]: given }]
          : given.split(',').map((one) => ({
              [key]: key === 'pid' ? wholeNumber('--pid', one, 1) : one,
            })),
      ),
    }),
  });
  return [
    targets('pid', 'pid', 'these processes'),
    targets('executable', 'name', 'every process of it, also later ones: shop, /^shop/'),
    targets('container', 'id', 'every process in it, by id or its first 12 digits'),
    targets('cgroup', 'path', 'every process in it or below'),
    targets('unit', 'name', 'every process of this systemd unit'),
    {
      flags: '--kernel',
      description: "watch the kernel's own allocations",
      config: () => ({ kernel: { enabled: true } }),
    },
    {
      flags: '--sampling <bytes>',
      description: 'record one allocation in so many bytes, or `full` for all',
      config: (value) => ({ sampling: String(value) }),
    },
    {
      flags: '--top <count>',
      description: 'stacks that are named and shown',
      config: (value) => ({ top: wholeNumber('--top', String(value), 1) }),
    },
  ];
}
