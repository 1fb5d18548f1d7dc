/**
 * A page allocation that failed, as far as it is known: what was asked for, by whom, and what there
 * was. Plain data, made by the decoder; the verdict and the event rest on it. Memory is in pages.
 */
import type { Who } from '../../core/identity/who.js';
import type { ZoneDetail } from '../../core/memory/zone-detail.js';

/** What one failure has in common with all of its fold. */
export interface Request {
  readonly order: number;
  /**
   * The GFP mask that the allocator used last: the caller's, after the task's context. undefined
   * for failures beyond what can be told apart.
   */
  readonly gfp: number | undefined;
  /** Number of the migrate type: `MigrateTypes` names it. */
  readonly migrateType: number;
}

/** A zone of the node at the moment of the failure. */
export interface FailureZone extends ZoneDetail {
  /** The request may use it: it is not above the highest zone that its flags allow. */
  readonly eligible: boolean;
  /** Kept from this request because a higher zone would do for it: its entry of `reserve`. */
  readonly kept: number;
  /** On its lists, active and inactive: what reclaim could take. */
  readonly file: number;
  readonly anon: number;
}

/** Of another node's zones that the request may use, the one with most room. */
export interface OtherNode {
  readonly id: number;
  readonly zone: number;
  readonly free: number;
  /** The zone's min watermark with boost, and what it keeps from this request. */
  readonly needed: number;
  /** Order of its largest free block; undefined if it has none. */
  readonly largest: number | undefined;
}

/** Of the charged cgroup and those above it, the counter with the least room. */
export interface MemcgCharge {
  /** Whose counter it is, kernfs id. */
  readonly cgroupId: number;
  /** The cgroup that the request charges, kernfs id. */
  readonly chargedId: number;
  /** These are in the memory controller's own hierarchy. */
  readonly v1: boolean;
  /** `memory`; or of v1: `memsw` (with swap), `kmem`. */
  readonly counter: 'memory' | 'memsw' | 'kmem';
  readonly usage: number;
  /** undefined: none. */
  readonly limit: number | undefined;
  /** Levels above the charged cgroup. */
  readonly depth: number;
}

/** What the state of the task entitles to. */
export interface Entitlement {
  /** PF_MEMALLOC: it reclaims itself and may use every reserve. */
  readonly memalloc: boolean;
  /** The OOM killer chose it. */
  readonly oomVictim: boolean;
  readonly realTime: boolean;
}

/** One failure in full: the first of a fold's window. */
export interface Failure extends Request {
  readonly gfp: number;
  /** Unix ms, fractions allowed. */
  readonly time: number;
  /** Who asked. In an interrupt it is whoever was interrupted. */
  readonly requester: Who;
  /** What the caller passed; undefined where that cannot be known. */
  readonly requestedGfp: number | undefined;
  /** What may have changed the bits that the caller passed. */
  readonly scopes: readonly AllocationScope[];
  readonly entitlement: Entitlement;
  /** ALLOC_* of the last attempt (mm/internal.h), where the strategy sees them. */
  readonly allocFlags: number | undefined;
  /** Index of the highest zone that the flags allow; `zones` has its name if it has pages. */
  readonly highestZone: number;
  readonly node: number;
  /** `request`: the node that the request preferred. `cpu`: that of the CPU, its usual preference. */
  readonly nodeFrom: 'request' | 'cpu';
  /** Of that node, those with pages, lowest first. Empty: they could not be read. */
  readonly zones: readonly FailureZone[];
  readonly otherNodes: readonly OtherNode[];
  /** undefined: no memory cgroups, or none could be read. */
  readonly memcg: MemcgCharge | undefined;
  /** Runs of the node's kswapd in a row that reclaimed nothing; at 16 it is given up as hopeless. */
  readonly kswapdFailures: number | undefined;
}

/**
 * The task's own scopes take bits away; a cpuset adds __GFP_HARDWALL to a first attempt, whose page
 * the memory cgroup may then have refused.
 */
export type AllocationScope = 'noio' | 'nofs' | 'pin' | 'cpuset';

/** Failures of one stack, order, flags, migrate type and cgroup that one event stands for. */
export interface FoldedFailures {
  readonly request: Request;
  /** Since the fold's last event. */
  readonly count: number;
  /** Of `count`, those of other processes than `requester`. */
  readonly others: number;
  /** Unix ms. */
  readonly first: number;
  readonly last: number;
  /** Who failed first in this fold; undefined for failures beyond what can be told apart. */
  readonly requester: Who | undefined;
  /** Return addresses, innermost first. */
  readonly stack: readonly bigint[];
  /** The first failure of the window; undefined if the ring was full. */
  readonly detail: Failure | undefined;
}
