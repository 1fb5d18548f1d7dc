/** The original's live view: every attempt to allocate, and the zone where it looks first. */
import { formatBytes, formatCount } from '../../core/cli/format.js';
import type { Column, Table, ViewContext } from '../../core/cli/view.js';
import { timeOf, whoseName } from './failure-row.js';
import type { Attempt, PafRecords } from './records.js';

const left = (title: string, priority: number): Column => ({ title, priority, align: 'left' });
const right = (title: string, priority: number): Column => ({ title, priority, align: 'right' });

const COLUMNS: readonly Column[] = [
  left('TIME', 3),
  right('PID', 1),
  { ...left('PROCESS', 2), flexible: true },
  right('ORDER', 4),
  right('MIN', 0),
  right('LOW', 0),
  right('HIGH', 0),
  right('PRESENT', 0),
  right('FREE', 5),
  left('ZONE', 6),
  { ...left('FLAG', 0), flexible: true },
  left('PAGE', 4),
];

export function attemptsTable(
  { totals, pageSize }: PafRecords,
  attempts: readonly Attempt[],
  { bytes }: ViewContext,
  rows: number,
): Table {
  const shown = attempts.slice(-rows).reverse();
  const suppressed = totals.suppressedAttempts;
  return {
    title: 'Attempts, newest first',
    columns: COLUMNS,
    rows: shown.map((attempt) => attemptRow(attempt, pageSize, bytes)),
    ...(suppressed > 0 && {
      footer: `${formatCount(suppressed)} more since the start, beyond the rate bound`,
    }),
  };
}

function attemptRow(attempt: Attempt, pageSize: number, plain: boolean): string[] {
  const { requester, zone, failed } = attempt;
  const size = (pages: number) => formatBytes(pages * pageSize, plain);
  return [
    timeOf(attempt.time),
    String(requester.pid),
    whoseName(requester),
    String(attempt.order),
    size(zone.min),
    size(zone.low),
    size(zone.high),
    size(zone.present),
    size(zone.free),
    `${attempt.node} ${zone.name}`,
    attempt.flags,
    failed === undefined ? '-' : failed ? 'none' : 'got',
  ];
}
