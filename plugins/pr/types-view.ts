import { formatCount } from '../../core/cli/format.js';
import type { Column, Table } from '../../core/cli/view.js';
import { durationText } from './duration-text.js';
import {
  efficiency,
  type PageStates,
  type PagesReport,
  type ReclaimSnapshot,
  type TypeReport,
} from './reclaim.js';

export const right = (title: string, priority: number): Column => ({
  title,
  align: 'right',
  priority,
});
export const left = (title: string, priority: number): Column => ({
  title,
  align: 'left',
  priority,
});

export const percent = (share: number | undefined) =>
  share === undefined ? '-' : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;

/** The original's five by its names, and what goes with them. */
const TYPE_COLUMNS: readonly Column[] = [
  left('TYPE', 0),
  right('NOW', 2),
  right('EPISODES', 1),
  right('TIME', 1),
  right('LONGEST', 3),
  right('RECLAIM', 0),
  right('RECLAIMED', 0),
  right('UNQUEUE_DIRTY', 0),
  right('CONGESTED', 0),
  right('WRITEBACK', 0),
  right('SCANNED', 2),
  right('EFFIC', 2),
  right('DIRTY', 4),
  right('PAGEOUT', 4),
  right('ACTIVATED', 5),
  right('REFERENCED', 6),
];

/** What was to be reclaimed, what was, and what became of the pages, by type. */
export function typesTable({ types, pages }: ReclaimSnapshot): Table {
  const rows = types.filter(isShown).map((type) => typeRow(type, pages));
  const { lists, scanned, reclaimed, states } = pagesOf(pages, 'other');
  if (lists > 0) {
    const cells = pagesCells(undefined, { scanned, reclaimed, states });
    rows.push(['other', '-', '-', '-', '-', ...cells]);
  }
  return { title: 'Reclaim by type, pages', columns: TYPE_COLUMNS, rows };
}

/** Of few hosts: a row once there is one. */
const RARE: readonly string[] = ['soft_limit', 'node'];

const isShown = ({ type, figures, running }: TypeReport) =>
  !RARE.includes(type) || figures.episodes > 0 || running > 0;

function typeRow({ type, figures, running }: TypeReport, pages: readonly PagesReport[]): string[] {
  return [
    type,
    formatCount(running),
    formatCount(figures.episodes),
    durationText(figures.ns),
    figures.episodes > 0 ? durationText(figures.maxNs) : '-',
    ...pagesCells(figures.requested, pagesOf(pages, type)),
  ];
}

interface Pages {
  readonly scanned: number | undefined;
  readonly reclaimed: number;
  readonly states: Partial<PageStates>;
}

function pagesCells(requested: number | undefined, { scanned, reclaimed, states }: Pages) {
  return [
    formatCount(requested),
    formatCount(reclaimed),
    formatCount(states.unqueued_dirty),
    formatCount(states.congested),
    formatCount(states.writeback),
    formatCount(scanned),
    percent(efficiency({ scanned, reclaimed })),
    formatCount(states.dirty),
    formatCount(states.pageout),
    formatCount(states.activated),
    formatCount(states.referenced),
  ];
}

/** Over all nodes. Where nothing was looked at, what became of pages is not known. */
export function pagesOf(pages: readonly PagesReport[], type: string) {
  const rows = pages.filter((row) => row.type === type);
  const total = (of: (row: PagesReport) => number | undefined) =>
    rows.reduce<number | undefined>((sum, row) => {
      const value = of(row);
      return sum === undefined || value === undefined ? undefined : sum + value;
    }, 0);
  const state = (name: keyof PageStates) =>
    rows.length > 0 ? total(({ states }) => states[name]) : undefined;
  return {
    lists: rows.reduce((sum, { lists }) => sum + lists, 0),
    scanned: total(({ scanned }) => scanned),
    reclaimed: rows.reduce((sum, { reclaimed }) => sum + reclaimed, 0),
    states: {
      dirty: state('dirty'),
      unqueued_dirty: state('unqueued_dirty'),
      congested: state('congested'),
      writeback: state('writeback'),
      pageout: state('pageout'),
      activated: state('activated'),
      referenced: state('referenced'),
    },
  };
}
