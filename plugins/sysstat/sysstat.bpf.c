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
#include "on-demand.bpf.h"
#include "order.bpf.h"
#include "sysstat.h"
#include "zones.bpf.h"

LICENSE;

/* Base pages in a transparent huge page; 0 if unknown. */
const volatile __u32 pages_per_huge_page = 0;
/* The hooks' strategies read at most this often. */
const volatile __u64 hook_interval_ns = 100000000;

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

/*
 * Reads the node at `address` into its slot, unless this pass (`now`) has done so.
 */
__noinline int read_node(__u64 address, __u64 now)
{
	struct pglist_data *node = (void *)address;
	__u32 id = BPF_CORE_READ(node, node_id);
	struct sysstat_node *to = bpf_map_lookup_elem(&nodes, &id);

	if (!to) {
		COUNT(map_full);
		return 0;
	}
	if (to->read_at == now)
		return 0;
	__sync_fetch_and_add(&to->begun, 1);
	smp_wmb();
	to->read_at = now;
	read_items(to, node);
	for (__u32 i = 0; i < MAX_ZONES; i++) {
		struct zone *zone = zone_of_node(node, i);

		if (!zone)
			break;
		read_zone_state(&to->zones[i], zone);
	}
	smp_wmb();
	__sync_fetch_and_add(&to->ended, 1);
	return 1;
}

VISIT_NODES(read_all, read_node)

/* The number of nodes that were read; 0: none could be found. */
static __always_inline int read_nodes(struct task_struct *task)
{
	return read_all(any_node(task), bpf_ktime_get_ns());
}

ON_DEMAND(read_now, read_nodes)

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
	read_all((__u64)node, now);
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
