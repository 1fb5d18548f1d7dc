// Generated from pr.bpf.c by `npm run gen`; do not edit.

/** struct pr_call, 24 bytes. */
export interface PrCall {
  readonly node: number;
  readonly run: number;
  readonly stat: number;
}

/** struct pr_cgroup, 464 bytes. */
export interface PrCgroup {
  readonly key: PrCgroupKey;
  readonly used: number;
  readonly pid: number;
  readonly instant: number;
  readonly figures: PrFigures;
  /** 48 elements. */
  readonly buckets: readonly number[];
}

/** struct pr_cgroup_key, 16 bytes. */
export interface PrCgroupKey {
  readonly cgroup: number;
  readonly cgroup_v1: number;
  readonly type: number;
}

/** struct pr_counts, 72 bytes. */
export interface PrCounts {
  readonly begun: number;
  readonly ended: number;
  readonly unmatched: number;
  readonly abandoned: number;
  readonly untracked: number;
  readonly unseen: number;
  readonly sampled_out: number;
  readonly rate_limited: number;
  readonly ring_full: number;
}

/** struct pr_episode, 216 bytes. */
export interface PrEpisode {
  readonly type: number;
  readonly active: number;
  readonly order: number;
  readonly gfp: number;
  readonly strange: number;
  readonly padding: number;
  readonly priority: number;
  readonly target_level: number;
  readonly target: number;
  readonly begin: number;
  readonly end: number;
  readonly requested: number;
  readonly lists: number;
  readonly taken: number;
  readonly scanned: number;
  readonly reclaimed: number;
  readonly freed: number;
  readonly nodes: number;
  readonly throttled_ns: number;
  readonly known: number;
  readonly states: PrStates;
}

/** struct pr_figures, 48 bytes. */
export interface PrFigures {
  readonly episodes: number;
  readonly ns: number;
  readonly max_ns: number;
  readonly requested: number;
  readonly scanned: number;
  readonly reclaimed: number;
}

/** struct pr_pages, 120 bytes. */
export interface PrPages {
  readonly lists: number;
  readonly scanned: number;
  readonly reclaimed: number;
  readonly known: number;
  readonly states: PrStates;
}

/** struct pr_process, 200 bytes. */
export interface PrProcess {
  readonly key: PrProcessKey;
  readonly used: number;
  readonly order: number;
  readonly gfp: number;
  readonly padding: number;
  readonly executions: number;
  readonly figures: PrFigures;
  readonly who: Who;
}

/** struct pr_process_key, 16 bytes. */
export interface PrProcessKey {
  readonly start_time: number;
  readonly pid: number;
  readonly type: number;
}

/** struct pr_request, 64 bytes. */
export interface PrRequest {
  readonly key: PrRequestKey;
  readonly used: number;
  readonly figures: PrFigures;
}

/** struct pr_request_key, 12 bytes. */
export interface PrRequestKey {
  readonly type: number;
  readonly order: number;
  readonly gfp: number;
}

/** struct pr_running, 600 bytes. */
export interface PrRunning {
  /** 2 elements. */
  readonly at: readonly PrEpisode[];
  readonly who: Who;
  /** 2 elements. */
  readonly run: readonly number[];
  readonly is_kept: number;
  readonly cgroup_slot: number;
  readonly request_slot: number;
  readonly process_slot: number;
  readonly started: number;
  readonly executions: number;
  readonly css_set: number;
}

/** struct pr_span, 328 bytes. */
export interface PrSpan {
  readonly who: Who;
  readonly episode: PrEpisode;
}

/** struct pr_states, 88 bytes. */
export interface PrStates {
  readonly dirty: number;
  readonly unqueued_dirty: number;
  readonly congested: number;
  readonly writeback: number;
  readonly immediate: number;
  readonly pageout: number;
  readonly activated: number;
  readonly referenced: number;
  readonly unmap_failed: number;
  readonly lazyfree_failed: number;
  readonly demoted: number;
}

/** struct pr_throttled, 16 bytes. */
export interface PrThrottled {
  readonly count: number;
  readonly ns: number;
}

/** struct pr_wakeups, 8 bytes. */
export interface PrWakeups {
  readonly count: number;
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
