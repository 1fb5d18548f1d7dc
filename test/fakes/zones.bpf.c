// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* Every zone in full: what bpf/zones.bpf.h is tested with. */
#include "common.bpf.h"
#include "zones.bpf.h"

LICENSE;

/* In the order of the lists of zones; user space reads as many as `read_zones` says. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct zone_detail);
} zones SEC(".maps");

/* Zones of the node with a page, written from slot `at` on. */
__noinline int read_zones_of(__u64 node, __u64 at)
{
	int count = 0;

	for (__u32 i = 0; i < MAX_ZONES; i++) {
		__u32 slot = at + count;
		struct zone_detail *to = bpf_map_lookup_elem(&zones, &slot);

		if (to && read_zone_detail(to, (void *)node, i))
			count++;
	}
	return count;
}

/* By the numbers of the nodes, each found from any. */
SEC("raw_tp")
int read_zones(void *ctx)
{
	__u64 any = any_node((void *)bpf_get_current_task());
	int count = 0;

	for (__u32 id = 0; id < 16; id++) {
		__u64 node = node_with_id(any, id);

		if (node)
			count += read_zones_of(node, count);
	}
	return count;
}

__noinline int count_node(__u64 node, __u64 argument)
{
	return node && argument ? 1 : 0;
}

VISIT_NODES(visit_all, count_node)

SEC("raw_tp")
int count_nodes(void *ctx)
{
	return visit_all(any_node((void *)bpf_get_current_task()), 1);
}
