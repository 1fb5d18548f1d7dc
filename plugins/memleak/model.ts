/**
 * What the rooms of this plugin tell each other. Who watches (`user/`, `kernel/`) gives readings;
 * `judge/` makes judgements of a stack's readings over time; `plugin.ts` joins both with names, and
 * `output/`, `report.ts` and `view.ts` say it.
 *
 * A stack is told apart by who allocates and by where: the same stack of two processes is two.
 * Bytes and counts are what is outstanding: allocated while watched, and not freed. With sampling
 * they are unbiased estimates and may be fractions.
 */
import type { ProcessAttributes } from '../../core/identity/who.js';
import type { Frame } from '../../core/symbolize/frame.js';

/** A process as it is told apart from a later one of the same pid. */
export interface ProcessId {
  /** Thread group id in the agent's pid namespace's root. */
  readonly pid: number;
  /** Since boot, ns (task_struct.start_boottime), as /proc/PID/stat field 22 in finer steps. */
  readonly startTime: number;
}

/** Who allocates: a process, or the kernel itself. */
export type Source = ({ readonly kind: 'process' } & ProcessId) | { readonly kind: 'kernel' };

/** Outstanding allocations of a stack by age. */
export interface Ages {
  /** Age of the oldest outstanding allocation, seconds. */
  readonly oldest: number;
  /**
   * By power of two: element i has those of age [2^i, 2^(i+1)) ms; element 0 also what is younger.
   * Estimates where sampled.
   */
  readonly allocations: readonly number[];
  readonly bytes: readonly number[];
}

/** What scans of a process's memory say of a stack's blocks (`reach/`). */
export interface Reach {
  /** Of the last scan, CLOCK_MONOTONIC seconds. */
  readonly time: number;
  /** Allocations that nothing points to any more, and their bytes; estimates where sampled. */
  readonly lost: number;
  readonly lostBytes: number;
  /** Those that were recorded of them. */
  readonly lostRecords: number;
  /** Of the others that were there before the first of those scans. */
  readonly reached: number;
  readonly reachedBytes: number;
  /** What nothing seemed to point to was freed or found again: of this stack scans say nothing. */
  readonly isHidden: boolean;
}

/** What may be said of a stack's references: nothing where scans were contradicted. */
export const knownReach = ({ reach }: { readonly reach?: Reach | undefined }): Reach | undefined =>
  reach?.isHidden ? undefined : reach;

/** One stack at one moment. */
export interface Reading {
  readonly source: Source;
  /** Unique among the stacks of this run of the watcher; never used for another stack again. */
  readonly key: string;
  /** Return addresses, innermost (the caller of the allocator) first. */
  readonly frames: readonly bigint[];
  /**
   * Of stacks that were put together (`sites.ts`): the id that they have in common, and how many of
   * `frames`, the innermost. The others are an example.
   */
  readonly site?: { readonly id: string; readonly frames: number };
  /** Why there are no more frames. `end`: the outermost was reached or frame pointers ended there. */
  readonly depth: 'end' | 'limit' | 'unreadable';
  /** Of the kernel: the slab cache, or what kind of allocator it was. */
  readonly origin?: string;
  readonly bytes: number;
  readonly allocations: number;
  /** Standard error of `bytes`; 0 without sampling. */
  readonly bytesError: number;
  /** Since the watcher started: everything, freed or not. */
  readonly allocatedBytes: number;
  readonly allocatedCount: number;
  readonly freedBytes: number;
  readonly freedCount: number;
  /** When the first allocation was seen, CLOCK_MONOTONIC ns. */
  readonly firstSeen: number;
  /** Absent in readings that did not look. */
  readonly ages?: Ages;
  /** Absent before the second scan that saw it, and where there is none. */
  readonly reach?: Reach;
}

/** How much of the truth the readings of a source hold. */
export interface Coverage {
  /** Mean bytes between samples; 0: every allocation is recorded. */
  readonly samplingInterval: number;
  /** Allocations that could not be recorded: a full map, a failed read. */
  readonly missedAllocations: number;
  /** Frees that may have been missed: runs that the kernel left out (recursion_misses). */
  readonly missedFrees: number;
  /** Allocations that were recorded. */
  readonly recorded: number;
}

export const STATES = ['watching', 'suspected', 'confirmed', 'resolved'] as const;
export type State = (typeof STATES)[number];

/** `leak`, a cache or pool that still fills, memory that comes and goes, or what the allocator keeps. */
export const CLASSES = ['leak', 'filling', 'churn', 'retention'] as const;
export type Class = (typeof CLASSES)[number];

export const LEAK_KINDS = ['lost', 'growing'] as const;
export type LeakKind = (typeof LEAK_KINDS)[number];

/** What is held of one stack. */
export interface Judgement {
  readonly state: State;
  /** Absent while too little was seen, or too little recorded to know. */
  readonly class?: Class;
  /** 0 to 1: of the class. Absent with it. */
  readonly confidence?: number;
  /** 0 to 1: the share of allocations and frees that the verdict rests on. */
  readonly coverage: number;
  /** Of a leak: nothing points to its blocks any more, or something does, as far as is known. */
  readonly kind?: LeakKind;
  /** Of the lower envelope of outstanding bytes, bytes an hour; absent before two windows ended. */
  readonly growth?: number;
  /** Unix ms: when the state became what it is. */
  readonly since: number;
  /** One sentence for people: what it rests on. */
  readonly reason: string;
}

/** One stack with all that is known of it. */
export interface LeakStack {
  /** 16 hex digits, of build ids and offsets: the same on every host. `output/stack-id.ts`. */
  readonly id: string;
  readonly reading: Reading;
  readonly judgement: Judgement;
  /** Unix ms. */
  readonly firstSeen: number;
  /** Bytes of the heap that its allocations take, about (`heap.ts`); absent of the kernel's. */
  readonly heapBytes?: number;
  /** Age quantiles of outstanding allocations, seconds; absent where nobody looked. */
  readonly ageQuantiles?: {
    readonly p50: number;
    readonly p90: number;
    readonly oldest: number;
  };
  /** Innermost first, inlined frames before the frame that they are part of; may lack names. */
  readonly frames: readonly Frame[];
}

/** The last time that a process's memory was looked through for pointers to what it holds. */
export interface LastScan {
  /** CLOCK_MONOTONIC, seconds. */
  readonly time: number;
  /** Why nothing is known by it. */
  readonly refusal?: string;
  /** Allocations that were looked for. */
  readonly blocks: number;
  /** That it was held still for, ms; absent if it was not. */
  readonly pausedMs?: number;
  /** Bytes of its memory; ms of a CPU, and from beginning to end. Absent where it was not read. */
  readonly figures?: { readonly read: number; readonly cpuMs: number; readonly wallMs: number };
}

/** What scans came to, since the plugin started. */
export interface ScanTotals {
  readonly scans: number;
  readonly refused: number;
  /** Seconds of a CPU, in the agent and in its child. */
  readonly cpuSeconds: number;
  /** Bytes. */
  readonly read: number;
}

/** A process that is watched, or why it cannot be. */
export interface Target {
  readonly source: Source;
  readonly comm: string;
  readonly executable: string;
  readonly containerId?: string;
  /** Attributes of the process and its container (core/identity/who.ts). */
  readonly attributes: ProcessAttributes;
  /** Allocators that are followed: `glibc`, `jemalloc`… */
  readonly allocators: readonly string[];
  /** What is wrong with it; absent if all is well. */
  readonly reason?: string;
  /** It cannot be followed, whatever comes: until it executes another program. */
  readonly refused?: true;
  /** It is gone: what is said of it is what was seen last. */
  readonly ended?: true;
  /** It costs too much and is not watched for a while: what is said of it is of before. */
  readonly paused?: true;
  readonly coverage: Coverage;
  /** When `coverage` began to count, Unix ms; absent where that is when the plugin started. */
  readonly countsSince?: number;
  /** Outstanding over all its stacks. */
  readonly bytes: number;
  readonly allocations: number;
  /** Bytes of the heap that they take, about; absent of the kernel. */
  readonly heapBytes?: number;
  /** Resident anonymous bytes (/proc/PID/status RssAnon); absent of the kernel and of who has gone. */
  readonly rssAnon?: number;
  /** The same as it began to be followed. */
  readonly rssAnonBefore?: number;
  /** Absent before there was one. */
  readonly scan?: LastScan;
}

export const TARGET_STATES = ['watched', 'waiting', 'impaired'] as const;

/** Of a target that has not ended; while its probes are being attached none of its calls is recorded. */
export function targetState({ reason, allocators }: Target): (typeof TARGET_STATES)[number] {
  if (reason) return 'impaired';
  return allocators.length > 0 ? 'watched' : 'waiting';
}

/** One collection. */
export interface LeakSnapshot {
  /** Unix ms: since when is watched. */
  readonly startTime: number;
  readonly time: number;
  readonly targets: readonly Target[];
  /** The largest first; at most `top` have frames with names. */
  readonly stacks: readonly LeakStack[];
  /** Stacks that are held but not in `stacks`. */
  readonly omitted: number;
  /** All stacks, by what is held of them. */
  readonly states: readonly {
    readonly state: State;
    readonly class?: Class;
    readonly count: number;
    /** Of targets that have ended: what was held of them last. */
    readonly ended?: true;
  }[];
  readonly symbolizer: { readonly unresolved: number; readonly restarts: number };
  /** Absent where no memory is searched. */
  readonly scans?: ScanTotals;
}
