/** What the kernel's own tracer and counters say of reclaim: the truth that pr is held against. */
import { readFileSync } from 'node:fs';
import type { LivePlugin, SeenSpan } from '../../test/fakes/live-plugin.js';
import { type TracedEvent, Tracing } from '../../test/fakes/tracing.js';
import type { ReclaimSnapshot, ReclaimType } from './reclaim.js';

const A = 'memwatcher.reclaim';

export type LivePr = LivePlugin<ReclaimSnapshot>;

export const attribute = ({ attributes }: SeenSpan, name: string) => attributes[`${A}.${name}`];

const EVENTS = [
  'direct_reclaim_begin',
  'direct_reclaim_end',
  'memcg_reclaim_begin',
  'memcg_reclaim_end',
  'kswapd_wake',
  'lru_shrink_inactive',
].map((name) => `vmscan/mm_vmscan_${name}`);

export const tracingMissing = (): string | undefined => Tracing.missing(...EVENTS);

export const traceReclaim = (): Tracing =>
  new Tracing({ events: Object.fromEntries(EVENTS.map((event) => [event, ''])) });

/** One run from begin to end, by the tracer. Times are CLOCK_MONOTONIC in ns, to the microsecond. */
export interface TracedEpisode {
  readonly type: ReclaimType;
  readonly tid: number;
  readonly order: number;
  readonly flags: string;
  readonly begin: number;
  readonly end: number;
  /** When the thread's last run had ended; undefined of its first. */
  readonly after: number | undefined;
  /** When it was last seen to look at pages; its begin if it never was. */
  readonly worked: number;
  readonly freed: number;
  readonly lists: readonly TracedEvent[];
}

/** Pairs of begin and end, in the order of their ends. A run that is cut off by either side is none. */
export function episodesOf(events: readonly TracedEvent[]): TracedEpisode[] {
  const episodes: TracedEpisode[] = [];
  const open = new Map<number, { begin: TracedEvent; lists: TracedEvent[] }>();
  const ended = new Map<number, number>();
  for (const event of events) {
    const { tid } = event;
    const running = open.get(tid);
    if (/_reclaim_begin$/.test(event.event)) open.set(tid, { begin: event, lists: [] });
    else if (event.event === 'mm_vmscan_lru_shrink_inactive') running?.lists.push(event);
    else if (/_reclaim_end$/.test(event.event) && running) {
      const { begin, lists } = running;
      open.delete(tid);
      episodes.push({
        type: begin.event.includes('memcg') ? 'memcg' : 'direct',
        tid,
        order: Number(begin.fields.order),
        flags: begin.fields.gfp_flags ?? '',
        begin: begin.time,
        end: event.time,
        after: ended.get(tid),
        worked: lists.at(-1)?.time ?? begin.time,
        freed: Number(event.fields.nr_reclaimed),
        lists,
      });
      ended.set(tid, event.time);
    }
  }
  return episodes;
}

/** Sum of a figure of mm_vmscan_lru_shrink_inactive. */
export const sumOf = (lists: readonly TracedEvent[], field: string): number =>
  lists.reduce((sum, { fields }) => sum + Number(fields[field]), 0);

export const figuresOf = ({ types }: ReclaimSnapshot, type: ReclaimType) => {
  const report = types.find((one) => one.type === type);
  if (!report) throw new Error(`pr says nothing of ${type}`);
  return report;
};

/** Those of /proc/vmstat that reclaim moves. */
export function vmstat(): ReadonlyMap<string, number> {
  const text = readFileSync('/proc/vmstat', 'utf8');
  return new Map(
    text.split('\n').map((line) => {
      const [key = '', value] = line.split(' ');
      return [key, Number(value)];
    }),
  );
}

export function growth(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  keys: RegExp,
): number {
  let sum = 0;
  for (const [key, value] of after) if (keys.test(key)) sum += value - (before.get(key) ?? 0);
  return sum;
}

export const hasSwap = (): boolean =>
  readFileSync('/proc/swaps', 'utf8').trim().split('\n').length > 1;

/**
 * Whether the multi-gen LRU rules: it tells of the pages that it scans more than once, so that only
 * what it reclaims can be compared list by list.
 */
export function isMultiGen(): boolean {
  try {
    return (Number(readFileSync('/sys/kernel/mm/lru_gen/enabled', 'utf8')) & 1) !== 0;
  } catch {
    return false; // not of this kernel
  }
}
