/** What the kernel itself says of a failure's figures: the truth that paf is held against. */
import { readFileSync } from 'node:fs';
import { missedRuns } from '../../core/bpf/stats.js';
import { bootSecond } from '../../core/identity/boot-moment.js';
import type { LivePlugin, SeenEvent } from '../../test/fakes/live-plugin.js';
import type { PafRecords } from './records.js';

const A = 'memwatcher.page_allocation';
/** USER_HZ: what /proc/PID/stat counts in, on every architecture that we run on. */
const TICKS = 100;

export type LivePaf = LivePlugin<PafRecords>;

export const attribute = ({ attributes }: SeenEvent, name: string) => attributes[`${A}.${name}`];

export const countOf = (event: SeenEvent): number => Number(attribute(event, 'failure.count'));

/** Events of these processes. */
export const eventsOf = (live: LivePaf, ...pids: readonly (number | undefined)[]): SeenEvent[] =>
  live.events.filter(({ attributes }) => pids.includes(attributes['process.pid'] as number));

export const sumOf = (events: readonly SeenEvent[]): number =>
  events.reduce((sum, event) => sum + countOf(event), 0);

/** Of the counter, whatever order, kind and reason. */
export const counted = ({ failures }: PafRecords, order?: number): number =>
  failures.reduce(
    (sum, failure) => sum + (order === undefined || failure.order === order ? failure.count : 0),
    0,
  );

/**
 * Resolves when the events of the process tell of so many failures, or more, but for those that the kernel
 * left out (an interrupt's allocation that fails while the program runs) and `unseen` counts.
 */
export const told = (live: LivePaf, pid: number | undefined, count: number): Promise<SeenEvent[]> =>
  live.until(() => {
    const events = eventsOf(live, pid);
    return sumOf(events) >= count - missedBy(live) && events;
  });

export const missedBy = ({ loaded }: LivePaf): number => missedRuns(loaded.object, loaded.programs);

/** When a process began, Unix ms, and how far off that may be. */
export function startOf(pid: number): { readonly time: number; readonly within: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  return { time: bootSecond() + (ticks * 1000) / TICKS, within: 1000 / TICKS + 1 };
}

/** Its line of /proc/PID/cgroup for the memory controller. */
export function memoryLineOf(pid: number): string | undefined {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  return (
    lines.find((line) => line.split(':')[1]?.split(',').includes('memory')) ??
    lines.find((line) => line.startsWith('0::'))
  );
}

export interface ZoneTruth {
  readonly free: number;
  readonly min: number;
  readonly low: number;
  readonly high: number;
  readonly present: number;
  readonly managed: number;
  readonly protection: readonly number[];
}

/** The populated zones of a node by /proc/zoneinfo, or a copy of it, in pages. */
export function zonesOf(node: number, file = '/proc/zoneinfo'): ReadonlyMap<string, ZoneTruth> {
  const zones = new Map<string, ZoneTruth>();
  const text = readFileSync(file, 'utf8');
  for (const part of text.split(/^(?=Node )/m)) {
    const [, id, name = ''] = /^Node (\d+), zone\s+(\S+)/.exec(part) ?? [];
    const figure = (key: string) =>
      Number(new RegExp(`^\\s+(?:pages )?${key}\\s+(\\d+)$`, 'm').exec(part)?.[1]);
    if (Number(id) !== node || !(figure('managed') > 0)) continue;
    const [, kept = ''] = /protection: \(([\d, ]+)\)/.exec(part) ?? [];
    zones.set(name, {
      free: figure('free'),
      min: figure('min'),
      low: figure('low'),
      high: figure('high'),
      present: figure('present'),
      managed: figure('managed'),
      protection: kept.split(', ').map(Number),
    });
  }
  return zones;
}

/** Free blocks by order, by /proc/buddyinfo or a copy of it. */
export function blocksOf(node: number, zone: string, file = '/proc/buddyinfo'): readonly number[] {
  const [, counts = ''] =
    new RegExp(`^Node ${node}, zone\\s+${zone}\\s+(.*)$`, 'm').exec(readFileSync(file, 'utf8')) ??
    [];
  return counts.trim().split(/\s+/).map(Number);
}

/**
 * The functions of its stack, innermost first. Where names were too late for the event, as on a very
 * slow machine, by /proc/kallsyms.
 */
export function functionsOf(event: SeenEvent): readonly string[] {
  const frames = String(event.attributes['code.stacktrace']).split('\n');
  if (frames.every((frame) => !frame.startsWith('0x'))) return frames;
  const symbols = readFileSync('/proc/kallsyms', 'utf8')
    .split('\n')
    .map((line) => line.split(/\s+/))
    .map(([address, , name = '']) => ({ at: BigInt(`0x${address || '0'}`), name }))
    .sort((a, b) => (a.at < b.at ? -1 : 1));
  return frames.map((frame) => {
    if (!frame.startsWith('0x')) return frame;
    const address = BigInt(frame);
    return symbols.findLast(({ at }) => at <= address)?.name ?? frame;
  });
}
