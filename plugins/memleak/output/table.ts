/** The verdict for people: a row a stack, and below it the stacks themselves. */
import { basename } from 'node:path';
import { formatCount } from '../../../core/cli/format.js';
import type { Column, Table } from '../../../core/cli/view.js';
import {
  type Judgement,
  knownReach,
  type LeakSnapshot,
  type LeakStack,
  type State,
  type Target,
} from '../model.js';
import { bySize, nameOf, oldestAge, ownFrame, sourceOf } from './frames.js';
import {
  formatAge,
  formatAllocations,
  formatEstimate,
  formatGrowth,
  formatShare,
  formatSize,
} from './units.js';

export const COLUMNS: readonly Column[] = [
  { title: 'STATE', align: 'left', priority: 0 },
  { title: 'CLASS', align: 'left', priority: 3 },
  { title: 'CONF', align: 'right', priority: 4 },
  { title: 'BYTES', align: 'right', priority: 0 },
  { title: 'ALLOCS', align: 'right', priority: 2 },
  { title: 'LOST', align: 'right', priority: 2 },
  { title: 'GROWTH/H', align: 'right', priority: 1 },
  { title: 'OLDEST', align: 'right', priority: 5 },
  { title: 'PID', align: 'right', priority: 7 },
  { title: 'STACK', align: 'left', priority: 6 },
  { title: 'WHERE', align: 'left', priority: 0, flexible: true },
];

const RANK: Readonly<Record<State, number>> = {
  confirmed: 0,
  suspected: 1,
  resolved: 3,
  watching: 2,
};

/** What is held against a stack comes before its size. */
export const byVerdict = (a: LeakStack, b: LeakStack): number =>
  RANK[a.judgement.state] - RANK[b.judgement.state] || bySize(a, b);

/** The `rows` worst stacks. */
export function stacksTable(snapshot: LeakSnapshot, rows: number, plain = false): Table {
  const shown = snapshot.stacks.toSorted(byVerdict).slice(0, rows);
  const hidden = snapshot.stacks.length - shown.length + snapshot.omitted;
  const footer = footerOf(snapshot, hidden);
  return {
    title: titleOf(snapshot, plain),
    columns: COLUMNS,
    rows: shown.map((stack) => row(stack, plain)),
    ...(footer !== undefined && { footer }),
  };
}

function titleOf({ targets, startTime, time }: LeakSnapshot, plain: boolean): string {
  const bytes = targets.reduce((sum, target) => sum + target.bytes, 0);
  const allocations = targets.reduce((sum, target) => sum + target.allocations, 0);
  const held = `${formatSize(bytes, plain)} in ${formatAllocations(allocations)}`;
  return `Outstanding after ${formatAge(Math.max(0, time - startTime) / 1000)}: ${held}`;
}

function footerOf({ targets, stacks }: LeakSnapshot, hidden: number): string | undefined {
  if (hidden > 0) return `${formatCount(hidden)} more stacks; --top`;
  if (stacks.length > 0) return undefined;
  if (targets.length === 0) return 'no process is watched';
  if (targets.every(({ reason, coverage }) => reason !== undefined && coverage.recorded === 0)) {
    return 'nothing could be seen: the reason is below';
  }
  const recorded = targets.reduce((sum, { coverage }) => sum + coverage.recorded, 0);
  return recorded === 0
    ? 'nothing was allocated while watched'
    : `nothing is outstanding of ${formatAllocations(recorded)}`;
}

function row(stack: LeakStack, plain: boolean): string[] {
  const { judgement, reading, id } = stack;
  const reach = knownReach(reading);
  return [
    judgement.state,
    classOf(judgement),
    formatShare(judgement.confidence),
    formatEstimate(reading.bytes, reading.bytesError, plain),
    formatCount(Math.round(reading.allocations)),
    reach ? formatSize(reach.lostBytes, plain) : '-',
    formatGrowth(judgement.growth, plain),
    formatAge(oldestAge(stack)),
    reading.source.kind === 'kernel' ? 'kernel' : String(reading.source.pid),
    id,
    whereOf(stack),
  ];
}

/** Of a leak its kind says more. */
export const classOf = ({ kind, class: of }: Judgement): string => kind ?? of ?? '-';

/** The program's own innermost function and its line; of the kernel also what was allocated. */
export function whereOf(stack: LeakStack): string {
  const frame = ownFrame(stack);
  const source = frame && sourceOf(frame);
  const name = frame ? nameOf(frame) : 'nobody knows';
  const place = source === undefined ? name : `${name} ${source}`;
  const { origin } = stack.reading;
  return origin === undefined ? place : `${place} (${origin})`;
}

/** Who is watched, and how much of the truth is seen. */
export function targetsTable({ targets }: LeakSnapshot, plain = false): Table {
  return {
    title: 'Watched',
    columns: [
      { title: 'PID', align: 'right', priority: 0 },
      { title: 'COMMAND', align: 'left', priority: 0, flexible: true },
      { title: 'BYTES', align: 'right', priority: 0 },
      { title: 'ALLOCS', align: 'right', priority: 2 },
      { title: 'RSSANON', align: 'right', priority: 3 },
      { title: 'RECORDED', align: 'right', priority: 4 },
      { title: 'MISSED', align: 'right', priority: 1 },
      { title: 'SAMPLED', align: 'right', priority: 5 },
      { title: 'ALLOCATORS', align: 'left', priority: 6 },
      { title: 'CONTAINER', align: 'left', priority: 7 },
    ],
    rows: targets.map((target) => targetRow(target, plain)),
    ...reasonsOf(targets),
  };
}

function targetRow(target: Target, plain: boolean): string[] {
  const { source, coverage } = target;
  const { samplingInterval, missedAllocations, missedFrees, recorded } = coverage;
  return [
    source.kind === 'kernel' ? '' : String(source.pid),
    source.kind === 'kernel' ? 'kernel' : nameOfTarget(target),
    formatSize(target.bytes, plain),
    formatCount(Math.round(target.allocations)),
    target.rssAnon === undefined ? '-' : formatSize(target.rssAnon, plain),
    formatCount(Math.round(recorded)),
    formatCount(missedAllocations + missedFrees),
    samplingInterval === 0 ? 'all' : `1 in ${formatSize(samplingInterval, plain)}`,
    target.allocators.join(', ') || '-',
    target.containerId?.slice(0, 12) ?? '',
  ];
}

/** The base name of what it runs; its own name as well where it goes by another. */
function nameOfTarget({ executable, comm }: Target): string {
  const name = basename(executable);
  return name === '' || name.startsWith(comm) ? name || comm : `${name} (${comm})`;
}

function reasonsOf(targets: readonly Target[]): { footer?: string } {
  const reasons = targets.flatMap(({ source, reason }) =>
    reason === undefined ? [] : [`${source.kind === 'process' ? source.pid : 'kernel'}: ${reason}`],
  );
  return reasons.length === 0 ? {} : { footer: reasons.join('; ') };
}
