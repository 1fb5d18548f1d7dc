/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Page reclaim (mm/vmscan.c): what a run carries through it, what it found, and what its
 * tracepoints say. Only the fields that are read; CO-RE finds them on the running kernel.
 */
#pragma once

#include "kernel/mm.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Pages that were freed beside the lists, slab for instance. */
struct reclaim_state {
	unsigned long reclaimed; /* since 6.4, before reclaimed_slab (c7b23b68e2aa) */
};

/* A run's order and its progress: on the stack of whoever reclaims. */
struct scan_control {
	unsigned long nr_to_reclaim;
	struct mem_cgroup *target_mem_cgroup; /* NULL: memory of all */
	__s8 order;
	__s8 priority; /* 12 at first, falls to 0 as the run gets desperate */
	unsigned int gfp_mask;
	struct reclaim_state reclaim_state; /* the one that the task points to: a way back to here */
};

struct task_struct___reclaim {
	struct reclaim_state *reclaim_state; /* of the run that this task is in; NULL: none */
};

/* What became of one list of pages. */
struct reclaim_stat {
	unsigned int nr_dirty;
	unsigned int nr_unqueued_dirty;
	unsigned int nr_congested;
	unsigned int nr_writeback;
	unsigned int nr_immediate;
	unsigned int nr_pageout;
	unsigned int nr_activate[2]; /* anon, file */
	unsigned int nr_ref_keep;
	unsigned int nr_unmap_fail;
	unsigned int nr_lazyfree_fail;
	unsigned int nr_demoted; /* since 5.15 (26aa2d199d6f) */
};

/* Since 5.16 (8cd7c588decf). */
enum vmscan_throttle_state {
	VMSCAN_THROTTLE_WRITEBACK,
	VMSCAN_THROTTLE_ISOLATED,
	VMSCAN_THROTTLE_NOPROGRESS,
	VMSCAN_THROTTLE_CONGESTED,
};

/* What classic tracepoints write. `gfp_flags` has four bytes before 5.18 and eight since. */
struct trace_event_raw_mm_vmscan_direct_reclaim_begin_template {
	int order;
	unsigned long gfp_flags;
};

struct trace_event_raw_mm_vmscan_direct_reclaim_end_template {
	unsigned long nr_reclaimed;
};

struct trace_event_raw_mm_vmscan_kswapd_wake {
	int nid;
	int order;
};

struct trace_event_raw_mm_vmscan_lru_shrink_inactive {
	int nid;
	unsigned long nr_scanned;
	unsigned long nr_reclaimed;
	unsigned long nr_dirty;
	unsigned long nr_writeback;
	unsigned long nr_congested;
	unsigned long nr_immediate;
	unsigned int nr_activate0;
	unsigned int nr_activate1;
	unsigned long nr_ref_keep;
	unsigned long nr_unmap_fail;
};

#pragma clang attribute pop
