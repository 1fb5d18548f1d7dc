/** What one collection of paf tells: made by the plugin, made into points by `report`, shown by `view`. */
import type { Who } from '../../core/identity/who.js';
import type { NodeZones } from '../../core/memory/zones.js';
import type { KernelFrame } from '../../core/symbolize/kernel-frame.js';
import type { FoldedFailures } from './failure.js';
import type { Reason, Verdict } from './verdict/verdict.js';

export interface PafRecords {
  /** Every failure since the start, each counted once. */
  readonly failures: readonly FailureCount[];
  /** The last that were told, oldest first, kept from collection to collection: the live view's rows. */
  readonly recent: readonly ToldFailures[];
  /** The last attempts, oldest first; undefined unless they are asked for. */
  readonly attempts: readonly Attempt[] | undefined;
  readonly totals: Totals;
  /** Bytes. */
  readonly pageSize: number;
  /** Every zone of the host; undefined where no metric of them is this plugin's. */
  readonly zones: readonly NodeZones[] | undefined;
}

export interface FailureCount {
  readonly order: number;
  /** Its name, or its number where the kernel does not tell names. */
  readonly migrateType: string;
  readonly reason: Reason;
  readonly count: number;
}

/** Failures that one event told of. */
export interface ToldFailures extends FoldedFailures {
  /** The effective mask in names, `GFP_KERNEL|__GFP_NOWARN`; and the caller's. undefined: unknown. */
  readonly flags: string | undefined;
  readonly requestedFlags: string | undefined;
  /** By the detail; undefined without one. */
  readonly verdict: Verdict | undefined;
  /** The stack, innermost first; without functions where kallsyms does not tell. */
  readonly frames: readonly KernelFrame[];
}

/** Since the start. */
export interface Totals {
  /** Failures that stand in the event of another one of their fold. */
  readonly folded: number;
  /** Events that had to wait because of `events_per_second`, and told of more failures then. */
  readonly postponed: number;
  /** Failures of which nothing but order and migrate type is known: `capacity` was used up. */
  readonly overflowed: number;
  /** Attempts beyond `attempts.rate`. */
  readonly suppressedAttempts: number;
  /** Allocations of which the kernel ran no program; nearly all will have had their page. */
  readonly unseen: number;
}

/** One allocation attempt. Pages. */
export interface Attempt {
  /** Unix ms. */
  readonly time: number;
  readonly requester: Who;
  readonly order: number;
  readonly gfp: number;
  /** The same in names. */
  readonly flags: string;
  readonly migrateType: number;
  readonly node: number;
  /** undefined where the attempt was seen as it began. */
  readonly failed: boolean | undefined;
  /** The preferred zone: where a page is looked for first. */
  readonly zone: {
    readonly name: string;
    readonly min: number;
    readonly low: number;
    readonly high: number;
    readonly present: number;
    readonly managed: number;
    readonly free: number;
  };
}
