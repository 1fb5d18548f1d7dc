// Generated from paf.bpf.c by `npm run gen`; do not edit.

/** struct cpu_state, 16 bytes. */
export interface CpuState {
  readonly second: number;
  readonly walks: number;
  readonly level: number;
}

/** struct paf_attempt, 216 bytes. */
export interface PafAttempt {
  readonly time: number;
  readonly gfp: number;
  readonly order: number;
  readonly migrate_type: number;
  readonly node: number;
  readonly known: number;
  readonly failed: number;
  readonly who: Who;
  readonly zone: ZoneState;
}

/** struct paf_call, 24 bytes. */
export interface PafCall {
  readonly time: number;
  readonly gfp: number;
  readonly order: number;
  readonly node: number;
  readonly padding: number;
}

/** struct paf_context, 24 bytes. */
export interface PafContext {
  readonly gfp: number;
  readonly order: number;
  readonly alloc_flags: number;
  readonly node: number;
  readonly migrate_type: number;
  readonly has_node: number;
}

/** struct paf_detail, 3552 bytes. */
export interface PafDetail {
  readonly time: number;
  readonly slot: number;
  readonly generation: number;
  readonly known: number;
  readonly gfp: number;
  readonly requested: number;
  readonly order: number;
  readonly migrate_type: number;
  readonly node: number;
  readonly highest_zone: number;
  readonly alloc_flags: number;
  readonly task_flags: number;
  readonly priority: number;
  readonly oom_victim: number;
  readonly kswapd_failures: number;
  readonly zone_count: number;
  readonly other_count: number;
  readonly who: Who;
  readonly memcg: PafMemcg;
  /** 8 elements. */
  readonly others: readonly PafOther[];
  /** 8 elements. */
  readonly reclaimable: readonly PafReclaimable[];
  /** 8 elements. */
  readonly zones: readonly ZoneDetail[];
}

/** struct paf_fold, 584 bytes. */
export interface PafFold {
  readonly count: number;
  readonly others: number;
  readonly first: number;
  readonly last: number;
  readonly detail_at: number;
  readonly key: PafKey;
  readonly who: Who;
  readonly generation: number;
  readonly frames: number;
  /** 48 elements. */
  readonly stack: readonly number[];
}

/** struct paf_gate, 8 bytes. */
export interface PafGate {
  readonly due: number;
}

/** struct paf_key, 40 bytes. */
export interface PafKey {
  readonly stack: number;
  readonly cgroup: number;
  readonly process: number;
  readonly gfp: number;
  readonly order: number;
  readonly migrate_type: number;
  readonly padding: number;
}

/** struct paf_memcg, 40 bytes. */
export interface PafMemcg {
  readonly cgroup: number;
  readonly charged: number;
  readonly usage: number;
  readonly limit: number;
  readonly counter: number;
  readonly depth: number;
}

/** struct paf_node, 584 bytes. */
export interface PafNode {
  readonly read_at: number;
  /** 8 elements. */
  readonly zones: readonly ZoneState[];
}

/** struct paf_other, 32 bytes. */
export interface PafOther {
  readonly node: number;
  readonly zone: number;
  readonly free: number;
  readonly needed: number;
  readonly largest: number;
  readonly padding: number;
}

/** struct paf_passage, 16 bytes. */
export interface PafPassage {
  readonly passed: number;
  readonly suppressed: number;
}

/** struct paf_reclaimable, 16 bytes. */
export interface PafReclaimable {
  readonly file: number;
  readonly anon: number;
}

/** struct paf_totals, 8 bytes. */
export interface PafTotals {
  readonly failures: number;
}

/** struct room, 432 bytes. */
export interface Room {
  readonly key: PafKey;
  /** 48 elements. */
  readonly stack: readonly number[];
  readonly frames: number;
  readonly padding: number;
}

/** struct who, 112 bytes. */
export interface Who {
  readonly start_time: number;
  readonly cgroup: number;
  readonly cgroup_v1: number;
  readonly pid: number;
  readonly tid: number;
  readonly kernel_thread: number;
  /** char[16]. */
  readonly comm: string;
  /** char[64]. */
  readonly executable: string;
}

/** struct zone_detail, 368 bytes. */
export interface ZoneDetail {
  readonly state: ZoneState;
  readonly node: number;
  readonly index: number;
  readonly zones: number;
  readonly orders: number;
  readonly free_cma: number;
  readonly reserved_highatomic: number;
  readonly free_highatomic: number;
  /** 8 elements. */
  readonly reserve: readonly number[];
  /** 16 elements. */
  readonly blocks: readonly number[];
  /** 16 elements. */
  readonly types: readonly number[];
}

/** struct zone_state, 72 bytes. */
export interface ZoneState {
  /** char[16]. */
  readonly name: string;
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  readonly watermark_min: number;
  readonly watermark_low: number;
  readonly watermark_high: number;
  readonly watermark_boost: number;
}
