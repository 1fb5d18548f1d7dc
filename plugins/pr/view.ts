import { filterOptions } from '../../core/cli/filter-options.js';
import { formatCount } from '../../core/cli/format.js';
import type { Column, Table, View, ViewContext } from '../../core/cli/view.js';
import { durationText } from './duration-text.js';
import { durationsTable } from './durations-view.js';
import { efficiency, type ProcessReport, type ReclaimSnapshot, STALLING } from './reclaim.js';
import { left, pagesOf, percent, right, typesTable } from './types-view.js';

/** Lines of a further table that are no rows: blank, title, heading. */
const CHROME = 3;
const OVERVIEW_ROWS = 3;
const DURATION_ROWS = 12;
/** Fewer tell nothing. */
const MIN_DURATIONS = 4;
/** Of all rows, what is kept for who waited where there are enough. */
const PROCESS_SHARE = 1 / 3;
const MIN_PROCESSES = 3;

const PROCESS_COLUMNS: readonly Column[] = [
  right('PID', 0),
  { ...left('COMMAND', 0), flexible: true },
  left('TYPE', 0),
  right('EPISODES', 1),
  right('TIME', 0),
  right('LONGEST', 0),
  right('RECLAIM', 3),
  right('SCANNED', 2),
  right('RECLAIMED', 1),
  right('EFFIC', 2),
  right('ORDER', 4),
  left('CONTAINER', 3),
  { ...left('FLAGS', 5), flexible: true },
];

export const view: View<ReclaimSnapshot> = {
  alias: 'p',
  summary: 'page reclaim: who waited for memory, for how long, and what became of the pages',
  options: filterOptions,

  tables(snapshot, context) {
    const types = typesTable(snapshot);
    const rest = restTable(snapshot);
    const others = 3 * CHROME + types.rows.length + rest.rows.length;
    const room = Math.floor(context.rows * (1 - PROCESS_SHARE)) - others;
    const durations =
      context.rows - others >= MIN_DURATIONS + MIN_PROCESSES
        ? durationsTable(snapshot.types, Math.min(DURATION_ROWS, Math.max(MIN_DURATIONS, room)))
        : undefined;
    const below = [types, ...(durations ? [durations] : []), rest];
    const taken = below.reduce((sum, { rows }) => sum + CHROME + rows.length, 0);
    return [processesTable(snapshot, Math.max(1, context.rows - taken)), ...below];
  },

  overview: (snapshot, context) => [overviewTable(snapshot, context)],

  digest: (snapshot) => ({
    types: Object.fromEntries(
      snapshot.types.map(({ type, figures, running }) => [
        type,
        {
          running,
          episodes: figures.episodes,
          seconds: figures.ns / 1e9,
          longest: figures.maxNs / 1e9,
          requested: figures.requested,
          scanned: pagesOf(snapshot.pages, type).scanned,
          reclaimed: pagesOf(snapshot.pages, type).reclaimed,
        },
      ]),
    ),
    waited: waiting(snapshot)
      .slice(0, OVERVIEW_ROWS)
      .map(({ type, attributes, figures }) => ({
        pid: attributes['process.pid'],
        name: attributes['process.executable.name'],
        container: attributes['container.id'],
        type,
        episodes: figures.episodes,
        seconds: figures.ns / 1e9,
        longest: figures.maxNs / 1e9,
      })),
    spans: snapshot.spans,
  }),
};

function processesTable(snapshot: ReclaimSnapshot, rows: number): Table {
  const { processes, startTime, time } = snapshot;
  const shown = processes.slice(0, rows);
  const hidden = processes.length - shown.length;
  const seconds = Math.round((time - startTime) / 1000);
  const none = `no page was reclaimed for anybody in ${formatCount(seconds)} s`;
  return {
    title: `Who reclaimed, in ${formatCount(seconds)} s`,
    columns: PROCESS_COLUMNS,
    rows: shown.map(processRow),
    ...(hidden > 0 && { footer: `${formatCount(hidden)} more; --name, --container` }),
    ...(processes.length === 0 && { footer: none }),
  };
}

function processRow({ type, attributes, comm, figures, order, flags }: ProcessReport): string[] {
  const { episodes, ns, maxNs, requested, scanned, reclaimed } = figures;
  const isOther = attributes['memwatcher.reclaim.other'] === true;
  return [
    isOther ? '' : String(attributes['process.pid'] ?? '-'),
    isOther ? '(others)' : nameOf(attributes['process.executable.name'], comm),
    type,
    formatCount(episodes),
    durationText(ns),
    durationText(maxNs),
    formatCount(requested),
    formatCount(scanned),
    formatCount(reclaimed),
    percent(efficiency({ scanned, reclaimed })),
    order === undefined ? '-' : String(order),
    attributes['container.id']?.slice(0, 12) ?? '',
    flags ?? '-',
  ];
}

const nameOf = (executable: string | undefined, comm: string) =>
  executable === undefined || executable.startsWith(comm)
    ? (executable ?? comm)
    : `${executable} (${comm})`;

function restTable({ wakeups, throttles, swap, spans }: ReclaimSnapshot): Table {
  const total = (values: readonly number[] | undefined) =>
    values?.reduce((sum, value) => sum + value, 0);
  const throttled = total(throttles?.map(({ ns }) => ns));
  return {
    title: 'Beside it',
    columns: [
      right('KSWAPD_WAKEUPS', 0),
      right('THROTTLES', 0),
      right('THROTTLED', 0),
      right('SWAP_IN', 0),
      right('SWAP_OUT', 0),
      right('SPANS', 1),
      right('NOT_SENT', 2),
    ],
    rows: [
      [
        formatCount(total(wakeups?.map(({ count }) => count))),
        formatCount(total(throttles?.map(({ count }) => count))),
        throttled === undefined ? '-' : durationText(throttled),
        formatCount(swap?.in),
        formatCount(swap?.out),
        formatCount(spans.sent),
        formatCount(notSent(spans)),
      ],
    ],
  };
}

/** Long enough, wanted, and yet not there. */
const notSent = ({ sampled_out, rate_limited, ring_full }: ReclaimSnapshot['spans']) =>
  sampled_out + rate_limited + ring_full;

const waiting = ({ processes }: ReclaimSnapshot) =>
  processes.filter(({ type }) => STALLING.includes(type));

function overviewTable(snapshot: ReclaimSnapshot, { rows }: ViewContext): Table {
  const shown = waiting(snapshot).slice(0, Math.min(rows, OVERVIEW_ROWS));
  const ns = snapshot.types
    .filter(({ type }) => STALLING.includes(type))
    .reduce((sum, { figures }) => sum + figures.ns, 0);
  const background = snapshot.types.find(({ type }) => type === 'kswapd')?.figures;
  const seconds = formatCount(Math.round((snapshot.time - snapshot.startTime) / 1000));
  const ran = background?.episodes ?? 0;
  return {
    title: `Page reclaim: threads waited ${durationText(ns)} in ${seconds} s`,
    columns: PROCESS_COLUMNS.slice(0, 6),
    rows: shown.map((process) => processRow(process).slice(0, 6)),
    ...(background &&
      ran > 0 && { footer: `kswapd: ${formatCount(ran)} runs, ${durationText(background.ns)}` }),
  };
}
