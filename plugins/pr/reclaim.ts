/** What pr knows of page reclaim, in user space's terms. Pages are pages; times say their unit. */
import type { ContainerAttributes, ProcessAttributes } from '../../core/identity/who.js';
import type { Exemplar } from '../../core/telemetry/points.js';

/** enum pr_type, in its order. */
export const RECLAIM_TYPES = ['direct', 'memcg', 'soft_limit', 'node', 'kswapd', 'other'] as const;
export type ReclaimType = (typeof RECLAIM_TYPES)[number];

/** Somebody waits for these. (The soft limit's runs are inside of others.) */
export const STALLING: readonly ReclaimType[] = ['direct', 'memcg', 'node'];

/** struct pr_states, in its order. */
export const PAGE_STATES = [
  'dirty',
  'unqueued_dirty',
  'congested',
  'writeback',
  'immediate',
  'pageout',
  'activated',
  'referenced',
  'unmap_failed',
  'lazyfree_failed',
  'demoted',
] as const;
export type PageState = (typeof PAGE_STATES)[number];

/** A state that the kernel does not tell is undefined. */
export type PageStates = { readonly [S in PageState]: number | undefined };

/** enum pr_throttle, in its order. */
export const THROTTLE_REASONS = [
  'writeback',
  'isolated',
  'no_progress',
  'congested',
  'unknown',
] as const;
export type ThrottleReason = (typeof THROTTLE_REASONS)[number];

/** What episodes add up to. */
export interface Figures {
  readonly episodes: number;
  readonly ns: number;
  /** Of the longest. */
  readonly maxNs: number;
  /** undefined: the kernel did not say. */
  readonly requested: number | undefined;
  readonly scanned: number;
  readonly reclaimed: number;
}

/** Durations of all episodes of a type. */
export interface Durations {
  readonly count: number;
  readonly ns: number;
  readonly maxNs: number;
  /** Episodes that were not seen to work: their end is their begin. */
  readonly instant: number;
  /** As struct pr_cgroup has them. */
  readonly buckets: readonly number[];
  readonly exemplars: readonly Exemplar[];
}

export interface TypeReport {
  readonly type: ReclaimType;
  readonly durations: Durations;
  readonly figures: Figures;
  /** Threads in such an episode now. */
  readonly running: number;
}

/** One type on one node. */
export interface PagesReport {
  readonly type: ReclaimType;
  readonly node: number;
  /** Lists of pages that were looked at. */
  readonly lists: number;
  /** undefined where no hook says. */
  readonly scanned: number | undefined;
  readonly reclaimed: number;
  readonly states: PageStates;
}

/** Threads of a cgroup that waited for memory. */
export interface StallReport {
  readonly attributes: StallAttributes;
  readonly ns: number;
  readonly episodes: number;
  /** Unix ms: since when they count. */
  readonly startTime: number;
}

export type StallAttributes = ContainerAttributes & {
  readonly 'process.linux.cgroup'?: string;
  readonly 'memwatcher.reclaim.other'?: boolean;
};

/** One process, by type; or those that there was no room for. */
export interface ProcessReport {
  readonly type: ReclaimType;
  readonly attributes: ProcessAttributes & { readonly 'memwatcher.reclaim.other'?: boolean };
  /** Of the thread that reclaimed first since it runs this program; '' for all others. */
  readonly comm: string;
  readonly figures: Figures;
  /** Of its longest episode. */
  readonly order: number | undefined;
  readonly flags: string | undefined;
  /** Unix ms: since when they count. */
  readonly startTime: number;
}

/** What was asked for, by type. */
export interface RequestReport {
  readonly type: ReclaimType;
  /** undefined: those that there was no room for. */
  readonly order: number | undefined;
  readonly flags: string | undefined;
  readonly figures: Figures;
  /** Unix ms: since when they count. */
  readonly startTime: number;
}

export interface ThrottleReport {
  readonly reason: ThrottleReason;
  readonly count: number;
  readonly ns: number;
}

export interface WakeupReport {
  readonly node: number;
  readonly count: number;
}

/** Pages since the plugin began. */
export interface SwapReport {
  readonly in: number;
  readonly out: number;
}

/** Why an episode that was long enough is not a span; or that it is one. */
export const SPAN_FATES = [
  'sent',
  'sampled_out',
  'rate_limited',
  'ring_full',
  'filtered',
  'unwanted',
] as const;
export type SpanFate = (typeof SPAN_FATES)[number];

/** Why an episode is in no figure but this one. */
export const UNMEASURED = ['no_begin', 'no_end', 'no_room'] as const;
export type Unmeasured = (typeof UNMEASURED)[number];

/** One collection. */
export interface ReclaimSnapshot {
  /** Unix ms: since when it counts, and when it was taken. */
  readonly startTime: number;
  readonly time: number;
  readonly types: readonly TypeReport[];
  readonly pages: readonly PagesReport[];
  readonly stalls: readonly StallReport[];
  readonly processes: readonly ProcessReport[];
  readonly requests: readonly RequestReport[];
  /** undefined: this kernel does not say. */
  readonly throttles: readonly ThrottleReport[] | undefined;
  readonly wakeups: readonly WakeupReport[] | undefined;
  readonly swap: SwapReport | undefined;
  readonly spans: Readonly<Record<SpanFate, number>>;
  /** Episodes. */
  readonly unmeasured: Readonly<Record<Unmeasured, number>>;
  /** ns, from which on an episode can be a span. */
  readonly spanThreshold: number;
}

/** Pages reclaimed of those scanned; undefined if none were. */
export function efficiency({
  scanned,
  reclaimed,
}: {
  scanned?: number | undefined;
  reclaimed: number;
}) {
  return scanned ? Math.min(1, reclaimed / scanned) : undefined;
}
