/**
 * Many processes → few series. The largest by one figure stand for themselves; all others are summed
 * into one, so that the sum over the series is the sum over the processes.
 */
import {
  ACTIVITY_FIELDS,
  type Figures,
  MEMORY_FIELDS,
  noFigures,
  type Process,
} from './process.js';

export const SORTS = [...MEMORY_FIELDS, ...ACTIVITY_FIELDS] as const;
export type Sort = (typeof SORTS)[number];

export interface SelectOptions {
  readonly sort: Sort;
  /** Series beside `other`; 0: all. */
  readonly top: number;
  /** What processes are put together by; undefined: each stands for itself. */
  readonly groupOf?: ((process: Process) => string) | undefined;
}

/** Processes that are reported as one. */
export interface Selected {
  /** The group's; for a single process its pid and start. */
  readonly key: string;
  /** In the order in which they came. */
  readonly members: readonly Process[];
  /** Sums over the members. */
  readonly figures: Figures;
}

export interface Selection {
  /** Largest first. */
  readonly top: readonly Selected[];
  /** All that is not in `top`; undefined if that is nothing. */
  readonly other: Selected | undefined;
}

export const OTHER = 'other';

export const processKey = ({ pid, startNs }: Process) => `${pid}@${startNs}`;

export function select(processes: readonly Process[], options: SelectOptions): Selection {
  return options.groupOf
    ? selectGroups(processes, options.groupOf, options)
    : selectProcesses(processes, options);
}

function selectProcesses(processes: readonly Process[], { sort, top }: SelectOptions): Selection {
  const { chosen, rest } = largest(processes, (process) => process[sort], top);
  return {
    top: chosen.map((process) => ({
      key: processKey(process),
      members: [process],
      figures: process,
    })),
    other: rest.length > 0 ? { key: OTHER, members: rest, figures: sum(rest) } : undefined,
  };
}

function selectGroups(
  processes: readonly Process[],
  groupOf: (process: Process) => string,
  { sort, top }: SelectOptions,
): Selection {
  const groups = new Map<string, Process[]>();
  for (const process of processes) {
    const key = groupOf(process);
    const members = groups.get(key);
    if (members) members.push(process);
    else groups.set(key, [process]);
  }
  const all = [...groups].map(([key, members]) => ({ key, members, figures: sum(members) }));
  const { chosen, rest } = largest(all, (group) => group.figures[sort], top);
  const others = rest.flatMap((group) => group.members);
  return {
    top: chosen,
    other: rest.length > 0 ? { key: OTHER, members: others, figures: sum(others) } : undefined,
  };
}

/** The `count` largest, largest first, and the others. Of equals, those that came first. */
function largest<T>(
  items: readonly T[],
  figure: (item: T) => number,
  count: number,
): { chosen: T[]; rest: T[] } {
  const byFigure = (a: T, b: T) => figure(b) - figure(a);
  if (count === 0 || items.length <= count) return { chosen: items.toSorted(byFigure), rest: [] };
  // Native sorting of plain numbers finds the threshold; only what is shown is sorted as objects.
  const figures = new Float64Array(items.length);
  for (let i = 0; i < items.length; i++) figures[i] = figure(items[i] as T);
  figures.sort();
  const threshold = figures[items.length - count] ?? 0;
  let above = 0;
  for (const item of items) if (figure(item) > threshold) above++;
  let equal = count - above;
  const chosen: T[] = [];
  const rest: T[] = [];
  for (const item of items) {
    const value = figure(item);
    if (value > threshold || (value === threshold && equal-- > 0)) chosen.push(item);
    else rest.push(item);
  }
  return { chosen: chosen.sort(byFigure), rest };
}

export function sum(members: readonly Figures[]): Figures {
  const total = noFigures();
  for (const member of members) {
    // Written out: by computed keys this was the dearest part of a collection.
    total.usage += member.usage;
    total.peak += member.peak;
    total.virtual += member.virtual;
    total.virtualPeak += member.virtualPeak;
    total.anon += member.anon;
    total.file += member.file;
    total.shmem += member.shmem;
    total.swap += member.swap;
    total.data += member.data;
    total.stack += member.stack;
    total.pageTables += member.pageTables;
    total.locked += member.locked;
    total.hugetlb += member.hugetlb;
    total.voluntarySwitches += member.voluntarySwitches;
    total.involuntarySwitches += member.involuntarySwitches;
    total.minorFaults += member.minorFaults;
    total.majorFaults += member.majorFaults;
  }
  return total;
}
