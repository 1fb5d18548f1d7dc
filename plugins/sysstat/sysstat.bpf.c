// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Memory of the system: the counters of every NUMA node and the state of every zone.
 *
 * Every strategy finds some node, and goes from there through that node's own list of zones, which
 * holds the zones of all nodes that have memory. What differs is how the first node is found:
 * through this task's memory cgroup, by the address of the kernel's table of nodes, or from an
 * allocation that passes by.
 */
#include <linux/ptrace.h>
#include "common.bpf.h"
#include "compat.bpf.h"
#include "kernel/mm.h"
#include "sysstat.h"

LICENSE;

/* Bounds of loops; the verifier wants them. */
#define MAX_NODES 1024
#define MAX_ZONES_OF_ALL 1024
#define MAX_DEPTH 64 /* of nested cgroups */

/* The highest possible node number and one. Beyond it the kernel has no slot for a node. */
const volatile __u32 node_count = 1;
/* Base pages in a transparent huge page; 0 if unknown. */
const volatile __u32 pages_per_huge_page = 0;
/* The hooks' strategies read at most this often. */
const volatile __u64 hook_interval_ns = 100000000;
/* Addresses of `node_data`, and on kernels without NUMA of `contig_page_data`; 0 if unknown. */
const volatile __u64 node_data = 0;
const volatile __u64 contig_page_data = 0;

/* By node number; user space sets max_entries to node_count. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sysstat_node);
} nodes SEC(".maps");

/* When a hook may read again, CLOCK_MONOTONIC. */
static __u64 next_read;

static __always_inline bool read_counter(void *to, const void *counters, __u64 index)
{
	if (!bpf_probe_read_kernel(to, sizeof(long), counters + index * sizeof(long)))
		return true;
	COUNT(read_failures);
	return false;
}

#define ITEM_BIT(field) (1ULL << (offsetof(struct sysstat_items, field) / sizeof(__s64)))

/* An item that the kernel lacks leaves its bit unset; the branch is gone before the program runs.
 * So does one that could not be read: unknown is not 0. */
#define READ_ITEM(to, field, counters, enumerator)                                        \
	({                                                                                \
		if (bpf_core_enum_value_exists(enum node_stat_item, enumerator) &&        \
		    read_counter(&(to)->items.field, counters,                            \
				 bpf_core_enum_value(enum node_stat_item, enumerator)))   \
			(to)->known |= ITEM_BIT(field);                                   \
	})

static __always_inline void huge_pages_to_pages(struct sysstat_node *to)
{
	if (huge_pages_counted_in_pages())
		return;
	if (!pages_per_huge_page) {
		to->known &= ~(ITEM_BIT(anon_huge) | ITEM_BIT(shmem_huge) | ITEM_BIT(file_huge));
		return;
	}
	to->items.anon_huge *= pages_per_huge_page;
	to->items.shmem_huge *= pages_per_huge_page;
	to->items.file_huge *= pages_per_huge_page;
}

static __always_inline void read_items(struct sysstat_node *to, struct pglist_data *node)
{
	const void *counters = &node->vm_stat;

	to->known = 0;
	READ_ITEM(to, active_anon, counters, NR_ACTIVE_ANON);
	READ_ITEM(to, inactive_anon, counters, NR_INACTIVE_ANON);
	READ_ITEM(to, active_file, counters, NR_ACTIVE_FILE);
	READ_ITEM(to, inactive_file, counters, NR_INACTIVE_FILE);
	READ_ITEM(to, unevictable, counters, NR_UNEVICTABLE);
	READ_ITEM(to, dirty, counters, NR_FILE_DIRTY);
	READ_ITEM(to, writeback, counters, NR_WRITEBACK);
	READ_ITEM(to, writeback_temp, counters, NR_WRITEBACK_TEMP);
	READ_ITEM(to, nfs_unstable, counters, NR_UNSTABLE_NFS);
	READ_ITEM(to, anon_mapped, counters, NR_ANON_MAPPED);
	READ_ITEM(to, file_mapped, counters, NR_FILE_MAPPED);
	READ_ITEM(to, shmem, counters, NR_SHMEM);
	READ_ITEM(to, kernel_misc_reclaimable, counters, NR_KERNEL_MISC_RECLAIMABLE);
	READ_ITEM(to, slab_reclaimable, counters, NR_SLAB_RECLAIMABLE_B);
	READ_ITEM(to, slab_unreclaimable, counters, NR_SLAB_UNRECLAIMABLE_B);
	READ_ITEM(to, anon_huge, counters, NR_ANON_THPS);
	READ_ITEM(to, shmem_huge, counters, NR_SHMEM_THPS);
	READ_ITEM(to, file_huge, counters, NR_FILE_THPS);
	huge_pages_to_pages(to);
}

static __always_inline void read_zone(struct sysstat_zone *to, struct zone *zone)
{
	to->present = BPF_CORE_READ(zone, present_pages);
	if (!to->present)
		return;
	to->managed = BPF_CORE_READ(zone, managed_pages.counter);
	read_counter(&to->free, &zone->vm_stat,
		     bpf_core_enum_value(enum zone_stat_item, NR_FREE_PAGES));
	read_counter(&to->watermark_min, &zone->_watermark,
		     bpf_core_enum_value(enum zone_watermarks, WMARK_MIN));
	read_counter(&to->watermark_low, &zone->_watermark,
		     bpf_core_enum_value(enum zone_watermarks, WMARK_LOW));
	read_counter(&to->watermark_high, &zone->_watermark,
		     bpf_core_enum_value(enum zone_watermarks, WMARK_HIGH));
	to->watermark_boost = BPF_CORE_READ(zone, watermark_boost);
	if (bpf_probe_read_kernel_str(to->name, sizeof(to->name), BPF_CORE_READ(zone, name)) < 0)
		COUNT(read_failures);
}

/*
 * Reads the node at `address` into its slot, unless this pass (`now`) has done so. Global, so that
 * the verifier walks it once and not once for each turn of the loops that call it.
 */
__noinline int read_node(__u64 address, __u64 now)
{
	struct pglist_data *node = (void *)address;
	const __u64 zone_size = bpf_core_type_size(struct zone);
	const __u64 zones_size = bpf_core_field_size(node->node_zones);
	__u32 id = BPF_CORE_READ(node, node_id);
	struct sysstat_node *to = bpf_map_lookup_elem(&nodes, &id);

	if (!to) {
		COUNT(map_full);
		return 0;
	}
	if (to->read_at == now)
		return 0;
	__sync_fetch_and_add(&to->begun, 1);
	to->read_at = now;
	read_items(to, node);
	/* all that there is room for: `nr_zones` stops at the last zone that has pages */
	for (__u32 i = 0; i < MAX_ZONES; i++) {
		if ((i + 1) * zone_size > zones_size)
			break;
		read_zone(&to->zones[i], (void *)&node->node_zones + i * zone_size);
	}
	__sync_fetch_and_add(&to->ended, 1);
	return 1;
}

/* Reads every node that has memory, by the list of zones of any one. Returns how many it read. */
static __always_inline int read_nodes(__u64 first, __u64 now)
{
	const __u64 size = bpf_core_type_size(struct zoneref);
	struct pglist_data *node = (void *)first, *last = NULL;
	const void *refs = &node->node_zonelists;
	int count = 0;

	if (!first)
		return 0;
	for (__u32 i = 0; i < MAX_ZONES_OF_ALL; i++) {
		struct zone *zone = NULL;
		const struct zoneref *ref = refs + i * size;

		bpf_probe_read_kernel(&zone, sizeof(zone), &ref->zone);
		if (!zone)
			return count;
		node = BPF_CORE_READ(zone, zone_pgdat);
		if (node && node != last)
			count += read_node((__u64)node, now);
		last = node;
	}
	COUNT(read_failures);
	return count;
}

/* A pointer to node `id` proves itself: the node knows its number, and its first zone its node. */
static __always_inline bool is_node(struct pglist_data *node, __u32 id)
{
	struct zone *first = (void *)&node->node_zones;

	return node && BPF_CORE_READ(node, node_id) == (int)id &&
	       BPF_CORE_READ(first, zone_pgdat) == node;
}

/* A node on which the memory cgroup has, or had, a page; 0 if none is known. Global: see above. */
__noinline __u64 node_of_cgroup(__u64 address)
{
	struct mem_cgroup *memcg;
	const void *slots;

	if (!bpf_core_type_exists(struct mem_cgroup))
		return 0;
	memcg = (void *)address - bpf_core_field_offset(struct mem_cgroup, css);
	slots = &memcg->nodeinfo;
	for (__u32 id = 0; id < MAX_NODES; id++) {
		struct mem_cgroup_per_node *info = NULL;
		struct pglist_data *node;

		if (id >= node_count)
			break;
		bpf_probe_read_kernel(&info, sizeof(info), slots + id * sizeof(info));
		if (!info)
			continue;
		node = BPF_CORE_READ(info, lruvec.pgdat);
		if (is_node(node, id))
			return (__u64)node;
	}
	return 0;
}

/* Through the memory cgroup of the task that runs this, or of one further up. */
static __always_inline __u64 node_by_cgroup(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct cgroup_subsys_state *css;
	__u64 node = 0;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return 0;
	css = task_css(task, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
	for (int i = 0; i < MAX_DEPTH && css && !node; i++) {
		node = node_of_cgroup((__u64)css);
		css = BPF_CORE_READ(css, parent);
	}
	return node;
}

/* By the kernel's own table of nodes. */
static __always_inline __u64 node_by_address(void)
{
	for (__u32 id = 0; id < MAX_NODES; id++) {
		struct pglist_data *node = NULL;

		if (id >= node_count)
			break;
		bpf_probe_read_kernel(&node, sizeof(node), (void *)node_data + id * sizeof(node));
		if (is_node(node, id))
			return (__u64)node;
	}
	return 0;
}

/* Run on demand. */
SEC("raw_tp")
int read_now(void *ctx)
{
	__u64 node;

	if (contig_page_data)
		node = contig_page_data;
	else if (node_data)
		node = node_by_address();
	else
		node = node_by_cgroup();
	return read_nodes(node, bpf_ktime_get_ns());
}

/* The original's way: every allocation passes here and names the zone that it prefers. */
static __always_inline int on_allocation(const struct alloc_context *request)
{
	__u64 now = bpf_ktime_get_ns();
	struct pglist_data *node;

	if (now < next_read)
		return 0;
	/* first: an interrupt on this CPU may come here too. Two CPUs that pass at once both read;
	 * they write the same. */
	next_read = now + hook_interval_ns;
	node = BPF_CORE_READ(request, preferred_zoneref, zone, zone_pgdat);
	read_nodes((__u64)node, now);
	return 0;
}

SEC("fentry/get_page_from_freelist")
int BPF_PROG(on_allocation_fentry, unsigned int gfp, unsigned int order, int flags,
	     const struct alloc_context *request)
{
	return on_allocation(request);
}

SEC("kprobe/get_page_from_freelist")
int BPF_KPROBE(on_allocation_kprobe, unsigned int gfp, unsigned int order, int flags,
	       const struct alloc_context *request)
{
	return on_allocation(request);
}
