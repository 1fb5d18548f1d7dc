/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Every zone of the host, when a collection asks: for metrics that no other plugin reports.
 */
#pragma once

#include "on-demand.bpf.h"
#include "paf.h"

/* By node number; user space sets max_entries to node_count. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct paf_node);
} nodes SEC(".maps");

__noinline int survey_node(__u64 address, __u64 now)
{
	struct pglist_data *node = (void *)address;
	__u32 id = BPF_CORE_READ(node, node_id);
	struct paf_node *to = bpf_map_lookup_elem(&nodes, &id);

	if (!to) {
		COUNT(map_full);
		return 0;
	}
	if (to->read_at == now)
		return 0;
	to->read_at = now;
	for (__u32 i = 0; i < MAX_ZONES; i++) {
		struct zone *zone = zone_of_node(node, i);

		if (!zone)
			break;
		read_zone_state(&to->zones[i], zone);
	}
	return 1;
}

VISIT_NODES(survey_all, survey_node)

/* The number of nodes; 0: none could be found. */
static __always_inline int survey_nodes(struct task_struct *task)
{
	return survey_all(any_node(task), bpf_ktime_get_ns());
}

ON_DEMAND(survey, survey_nodes)
