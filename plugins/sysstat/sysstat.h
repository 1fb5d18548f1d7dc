/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What sysstat hands to user space: one record a NUMA node, in memory that both sides see. */
#pragma once

#include "zones.bpf.h"

/* A node's counters, in pages. As the kernel keeps them: a sum that may be below 0 for a moment,
 * because each CPU adds its part only when that has grown. */
struct sysstat_items {
	__s64 active_anon;
	__s64 inactive_anon;
	__s64 active_file;
	__s64 inactive_file;
	__s64 unevictable;
	__s64 dirty;
	__s64 writeback;
	__s64 writeback_temp;
	__s64 nfs_unstable;
	__s64 anon_mapped;
	__s64 file_mapped;
	__s64 shmem;
	__s64 kernel_misc_reclaimable;
	__s64 slab_reclaimable;
	__s64 slab_unreclaimable;
	__s64 anon_huge;
	__s64 shmem_huge;
	__s64 file_huge;
};

struct sysstat_node {
	/* Equal when nothing is being written: a copy is whole if `ended` before it and `begun` after
	 * it are the same. */
	__u64 begun;
	__u64 ended;
	__u64 read_at; /* CLOCK_MONOTONIC, ns; 0: this node was never seen */
	__u64 known;   /* bit i: this kernel has the i-th of `items` */
	struct sysstat_items items;
	struct zone_state zones[MAX_ZONES];
};
