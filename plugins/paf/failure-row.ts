/** A failure as a row of the live view: the original's columns, and what was made of them. */
import { formatBytes, formatCount } from '../../core/cli/format.js';
import type { Column } from '../../core/cli/view.js';
import type { Who } from '../../core/identity/who.js';
import type { FailureZone } from './failure.js';
import type { ToldFailures } from './records.js';

const left = (title: string, priority: number): Column => ({ title, priority, align: 'left' });
const right = (title: string, priority: number): Column => ({ title, priority, align: 'right' });

export const FAILURE_COLUMNS: readonly Column[] = [
  left('TIME', 0),
  right('COUNT', 2),
  right('PID', 0),
  { ...left('PROCESS', 0), flexible: true },
  left('CONTAINER', 7),
  right('ORDER', 0),
  left('REASON', 0),
  left('ZONE', 5),
  right('FREE', 3),
  right('MIN', 3),
  right('LOW', 4),
  right('HIGH', 4),
  right('PRESENT', 4),
  { ...left('FLAG', 1), flexible: true },
  { ...left('REQUESTED', 6), flexible: true },
];

export function failureRow(told: ToldFailures, pageSize: number, plain: boolean): string[] {
  const { requester, request, verdict, detail } = told;
  const zone = verdict?.zone ?? askedZone(detail?.zones);
  const size = (pages: number | undefined) =>
    formatBytes(pages === undefined ? undefined : pages * pageSize, plain);
  return [
    timeOf(told.last),
    formatCount(told.count),
    requester ? String(requester.pid) : '-',
    requester ? whoseName(requester) : '(not told apart)',
    requester?.cgroup?.containerId?.slice(0, 12) ?? '',
    String(request.order),
    verdict?.reason ?? 'unknown',
    zone ? `${zone.node} ${zone.name}` : '-',
    size(zone?.free),
    size(zone?.watermark.min),
    size(zone?.watermark.low),
    size(zone?.watermark.high),
    size(zone?.present),
    told.flags ?? '-',
    requestedOf(told),
  ];
}

/** The highest zone that would have done: where a page was looked for first. */
const askedZone = (zones: readonly FailureZone[] | undefined) =>
  zones?.findLast(({ eligible, managed }) => eligible && managed > 0);

/** `same` where nothing was taken away on the way in. */
function requestedOf({ requestedFlags, flags }: ToldFailures): string {
  if (requestedFlags === undefined) return '-';
  return requestedFlags === flags ? 'same' : requestedFlags;
}

/** By its file; and by the thread's own name where that is another. */
export function whoseName({ executable, comm }: Pick<Who, 'executable' | 'comm'>): string {
  if (executable === undefined) return comm;
  return executable.startsWith(comm) ? executable : `${executable} (${comm})`;
}

/** Of the day, UTC as everywhere. */
export const timeOf = (unixMs: number): string => new Date(unixMs).toISOString().slice(11, 19);
