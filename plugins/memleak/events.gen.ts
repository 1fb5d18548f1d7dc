// Generated from memleak.bpf.c and memleak-kernel.bpf.c by `npm run gen`; do not edit.

/** struct cache_name, 48 bytes. */
export interface CacheName {
  /** char[48]. */
  readonly text: string;
}

/** struct kernel_ages, 648 bytes. */
export interface KernelAges {
  readonly oldest: number;
  /** 40 elements. */
  readonly allocations: readonly number[];
  /** 40 elements. */
  readonly bytes: readonly number[];
}

/** struct kernel_counts, 160 bytes. */
export interface KernelCounts {
  readonly allocations: number;
  readonly recorded: number;
  readonly frees: number;
  readonly matched: number;
  readonly live_full: number;
  readonly stacks_full: number;
  readonly busy_allocations: number;
  readonly busy_frees: number;
  readonly nested: number;
  readonly unseen_frees: number;
  readonly split_frees: number;
  readonly unwalked: number;
  readonly rescued: number;
  readonly page_hits: number;
  readonly page_recorded: number;
  readonly percpu_hits: number;
  readonly percpu_recorded: number;
  /** 3 elements. */
  readonly freeing: readonly number[];
}

/** struct kernel_live, 24 bytes. */
export interface KernelLive {
  readonly time: number;
  readonly bytes: number;
  readonly slot: number;
  readonly weight: number;
}

/** struct kernel_orders, 8 bytes. */
export interface KernelOrders {
  readonly generation: number;
  readonly pad: number;
}

/** struct kernel_stack, 456 bytes. */
export interface KernelStack {
  readonly hash: number;
  readonly first_seen: number;
  readonly allocated_bytes: number;
  readonly allocated_count: number;
  readonly freed_bytes: number;
  readonly freed_count: number;
  readonly unseen_frees: number;
  readonly kind: number;
  readonly origin: number;
  readonly depth: number;
  readonly cut: number;
  readonly retired: number;
  /** 48 elements. */
  readonly frames: readonly number[];
}

/** struct known_cache, 8 bytes. */
export interface KnownCache {
  readonly generation: number;
  readonly origin: number;
}

/** struct ml_ages, 520 bytes. */
export interface MlAges {
  readonly oldest: number;
  /** 32 elements. */
  readonly allocations: readonly number[];
  /** 32 elements. */
  readonly bytes: readonly number[];
}

/** struct ml_counts, 24 bytes. */
export interface MlCounts {
  readonly hits: number;
  readonly recorded: number;
  readonly unknown_frees: number;
}

/** struct ml_happening, 40 bytes. */
export interface MlHappening {
  readonly time: number;
  readonly start_time: number;
  readonly child_start_time: number;
  readonly kind: number;
  readonly pid: number;
  readonly child: number;
  readonly unused: number;
}

/** struct ml_key, 16 bytes. */
export interface MlKey {
  readonly address: number;
  readonly target: number;
  readonly unused: number;
}

/** struct ml_live, 24 bytes. */
export interface MlLive {
  readonly size: number;
  readonly weight: number;
  readonly where: number;
}

/** struct ml_new, 32 bytes. */
export interface MlNew {
  readonly function: number;
  readonly caller: number;
  readonly pointer: number;
  readonly sp: number;
}

/** struct ml_pass, 40 bytes. */
export interface MlPass {
  readonly now: number;
  readonly kept: number;
  readonly removed: number;
  readonly missed: number;
  readonly from: number;
  readonly to: number;
}

/** struct ml_range, 40 bytes. */
export interface MlRange {
  readonly start: number;
  readonly end: number;
  readonly bias: number;
  readonly shard: number;
  readonly first: number;
  readonly rows: number;
  readonly unused: number;
}

/** struct ml_registers, 296 bytes. */
export interface MlRegisters {
  readonly tid: number;
  readonly count: number;
  /** 36 elements. */
  readonly words: readonly number[];
}

/** struct ml_rows, 4194304 bytes. */
export interface MlRows {
  /** 524288 elements. */
  readonly rows: readonly number[];
}

/** struct ml_site, 16 bytes. */
export interface MlSite {
  readonly hash: number;
  readonly target: number;
  readonly unused: number;
}

/** struct ml_slot, 64 bytes. */
export interface MlSlot {
  readonly hash: number;
  readonly allocated_bytes: number;
  readonly allocated: number;
  readonly allocated_variance: number;
  readonly freed_bytes: number;
  readonly freed: number;
  readonly freed_variance: number;
  readonly target: number;
  readonly unused: number;
}

/** struct ml_stack, 1040 bytes. */
export interface MlStack {
  readonly first: number;
  readonly depth: number;
  readonly end: number;
  readonly hash: number;
  /** 127 elements. */
  readonly frames: readonly number[];
}

/** struct ml_strangers, 64 bytes. */
export interface MlStrangers {
  readonly hits: number;
  /** 7 elements. */
  readonly unused: readonly number[];
}

/** struct ml_target, 41096 bytes. */
export interface MlTarget {
  readonly start_time: number;
  readonly pid: number;
  readonly state: number;
  readonly which: number;
  /** 2 elements. */
  readonly ranges: readonly number[];
  readonly group: number;
  readonly also: number;
  readonly interval: number;
  readonly gone: MlCounts;
  readonly present: MlCounts;
  readonly missed_allocations: number;
  readonly missed_bytes: number;
  readonly missed_frees: number;
  readonly approximations: number;
  readonly interrupted: number;
  readonly without_slot: number;
  /** 2 elements. */
  readonly code: readonly (readonly MlRange[])[];
}

/** struct ml_thread, 256 bytes. */
export interface MlThread {
  readonly sp: number;
  readonly size: number;
  readonly out: number;
  readonly interval: number;
  readonly remainder: number;
  readonly slot: number;
  readonly target: number;
  readonly shape: number;
  readonly nested: number;
  readonly sampled: number;
  readonly has_old: number;
  readonly old_address: number;
  readonly old: MlLive;
  readonly counts: MlCounts;
  readonly news: number;
  readonly exits: number;
  readonly caller: number;
  readonly mapped: number;
  readonly mapped_size: number;
  /** 2 elements. */
  readonly new: readonly MlNew[];
  readonly walk: MlWalk;
}

/** struct ml_walk, 40 bytes. */
export interface MlWalk {
  readonly address: number;
  readonly pointer: number;
  readonly sp: number;
  readonly hash: number;
  readonly depth: number;
  readonly end: number;
}

/** struct room, 968 bytes. */
export interface Room {
  /** 64 elements. */
  readonly frames: readonly number[];
  readonly stack: KernelStack;
}

/** struct stack_key, 16 bytes. */
export interface StackKey {
  readonly hash: number;
  readonly kind: number;
  readonly origin: number;
}

/** struct walk_bound, 16 bytes. */
export interface WalkBound {
  readonly limit: number;
  readonly visited: number;
}
