/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Where kernels differ in what a value means: one accessor a difference, with the kernel's commit.
 * (A moved or renamed field is a flavour in kernel/; a missing hook is a strategy of its own.)
 */
#pragma once

#include "common.bpf.h"
#include "kernel/mm.h"

/*
 * Since 5.12 the nodes' counters of transparent huge pages are in base pages (69473e5de871
 * "mm: memcontrol: convert NR_ANON_THPS account to pages" and the four commits beside it), before
 * in huge pages. Two things that are as young tell: the counter of swap cache (5.12, where swap is
 * configured) and the cgroups' own statistics (5.15).
 */
static __always_inline bool huge_pages_counted_in_pages(void)
{
	return bpf_core_enum_value_exists(enum node_stat_item, NR_SWAPCACHE) ||
	       bpf_core_field_exists(struct mem_cgroup_per_node, lruvec_stats_percpu);
}
