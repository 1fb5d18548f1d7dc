/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Zones: the ways to a memory node, and what a zone says of itself, briefly (each collection) or in
 * full (when an allocation failed).
 *
 * A node is found through a memory cgroup, or by the address of the kernel's table of nodes; any
 * node leads to all others through its own list of zones.
 */
#pragma once

#include "common.bpf.h"
#include "kernel/mm.h"

/* Bounds of loops; the verifier wants them. */
#define MAX_NODES 1024
#define MAX_ZONES 8 /* of a node */
#define MAX_ZONES_OF_ALL 1024
#define ZONES_AT_ONCE 32 /* of those, by one call */
#define MAX_ORDERS 16
#define MAX_MIGRATE_TYPES 8
#define MAX_DEPTH 64 /* of nested cgroups */

/* The highest possible node number and one. Beyond it the kernel has no slot for a node. */
const volatile __u32 node_count = 1;
/* Addresses of `node_data`, and on kernels without NUMA of `contig_page_data`; 0 if unknown. */
const volatile __u64 node_data = 0;
const volatile __u64 contig_page_data = 0;

/* A zone, in pages. A zone without a page has `present` 0. */
struct zone_state {
	char name[16];
	__u64 present;
	__u64 managed;
	__s64 free; /* the sum without what CPUs have not yet added: may be below 0 for a moment */
	__u64 watermark_min;
	__u64 watermark_low;
	__u64 watermark_high;
	__u64 watermark_boost; /* raises all three while fragmentation is being fought */
};

/* What else decides whether an allocation may take a page of the zone. Pages, but for `blocks`. */
struct zone_detail {
	struct zone_state state;
	__u32 node;
	__u32 index; /* in the node: enum zone_type */
	__u32 zones; /* entries of `reserve` that the kernel has */
	__u32 orders; /* entries of `blocks` and `types` that the kernel has */
	__s64 free_cma; /* part of `free` */
	__u64 reserved_highatomic;
	__s64 free_highatomic; /* part of `free`; -1: this kernel does not count them */
	/* kept from requests that could do with the zone of that index, a higher one */
	__s64 reserve[MAX_ZONES];
	__u64 blocks[MAX_ORDERS]; /* free blocks of 2^i pages */
	__u32 types[MAX_ORDERS];  /* bit t: some of them are of migrate type t */
};

/* One of an array of counters or watermarks; without effect on `*to` but 0 where it fails. */
static __always_inline bool read_counter(void *to, const void *counters, __u64 index)
{
	if (!bpf_probe_read_kernel(to, sizeof(long), counters + index * sizeof(long)))
		return true;
	COUNT(read_failures);
	return false;
}

static __always_inline void read_zone_state(struct zone_state *to, struct zone *zone)
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

/* The node's zone of that index, with or without pages; NULL behind the last. */
static __always_inline struct zone *zone_of_node(struct pglist_data *node, __u32 index)
{
	const __u64 size = bpf_core_type_size(struct zone);

	/* all that there is room for: `nr_zones` stops at the last zone that has pages */
	if ((index + 1) * size > bpf_core_field_size(node->node_zones))
		return NULL;
	return (void *)&node->node_zones + index * size;
}

/* Which migrate types have a block in the free area at `address`, as bits. Global: see VISIT_NODES. */
__noinline __u32 types_of_area(__u64 address)
{
	const struct free_area *area = (void *)address;
	/* of a size that the kernel's list heads have: two pointers */
	__u64 heads[MAX_MIGRATE_TYPES][2];
	const void *lists = &area->free_list;
	__u64 size = bpf_core_field_size(area->free_list);
	__u32 types = 0;

	/* all at once; what lies behind the last list belongs to the zone as well */
	if (bpf_probe_read_kernel(heads, sizeof(heads), lists)) {
		COUNT(read_failures);
		return 0;
	}
	for (__u32 type = 0; type < MAX_MIGRATE_TYPES; type++) {
		if (type * sizeof(heads[0]) >= size)
			break;
		if (heads[type][0] != (__u64)(lists + type * sizeof(heads[0])))
			types |= 1U << type;
	}
	return types;
}

static __always_inline void read_reserve(struct zone_detail *to, struct zone *zone)
{
	__u64 size = bpf_core_field_size(zone->lowmem_reserve);

	if (size > sizeof(to->reserve))
		size = sizeof(to->reserve);
	to->zones = size / sizeof(long);
	__builtin_memset(to->reserve, 0, sizeof(to->reserve));
	if (bpf_probe_read_kernel(to->reserve, size, &zone->lowmem_reserve))
		COUNT(read_failures);
}

static __always_inline void read_free_areas(struct zone_detail *to, struct zone *zone)
{
	const __u64 size = bpf_core_type_size(struct free_area);
	__u32 orders = bpf_core_field_size(zone->free_area) / size;

	to->orders = orders < MAX_ORDERS ? orders : MAX_ORDERS;
	__builtin_memset(to->blocks, 0, sizeof(to->blocks));
	__builtin_memset(to->types, 0, sizeof(to->types));
	/* `continue` in place of `break` has clang lay the loop out so that 5.10's verifier refuses it
	 * ("back-edge") */
	for (__u32 order = 0; order < MAX_ORDERS; order++) {
		struct free_area *area = (void *)&zone->free_area + order * size;

		if (order >= orders)
			break;
		to->blocks[order] = BPF_CORE_READ(area, nr_free);
		if (to->blocks[order])
			to->types[order] = types_of_area((__u64)area);
	}
}

/* All that `struct zone_detail` has of the zone `index` of `node`; false if there is no such zone,
 * or if it has no page. Not locked: figures that belong together may be a moment apart. */
static __always_inline bool read_zone_detail(struct zone_detail *to, struct pglist_data *node,
					     __u32 index)
{
	struct zone *zone = zone_of_node(node, index);

	if (!zone)
		return false;
	read_zone_state(&to->state, zone);
	if (!to->state.present)
		return false;
	to->node = BPF_CORE_READ(node, node_id);
	to->index = index;
	read_counter(&to->free_cma, &zone->vm_stat,
		     bpf_core_enum_value(enum zone_stat_item, NR_FREE_CMA_PAGES));
	to->reserved_highatomic = BPF_CORE_READ(zone, nr_reserved_highatomic);
	to->free_highatomic = bpf_core_field_exists(zone->nr_free_highatomic) ?
				      (__s64)BPF_CORE_READ(zone, nr_free_highatomic) :
				      -1;
	read_reserve(to, zone);
	read_free_areas(to, zone);
	return true;
}

/* The node's list of all zones, nearest first; entry `index`, NULL behind the last. */
static __always_inline struct zone *zone_in_list(struct pglist_data *node, __u32 index)
{
	const void *refs = &node->node_zonelists;
	const struct zoneref *ref = refs + index * bpf_core_type_size(struct zoneref);
	struct zone *zone = NULL;

	bpf_probe_read_kernel(&zone, sizeof(zone), &ref->zone);
	return zone;
}

/* The node of entry `index` of that list; NULL behind the last. */
static __always_inline struct pglist_data *node_in_list(struct pglist_data *node, __u32 index)
{
	struct zone *zone = zone_in_list(node, index);

	return zone ? BPF_CORE_READ(zone, zone_pgdat) : NULL;
}

/*
 * VISIT_NODES(name, visit): int name(__u64 first, __u64 argument) calls `visit` with the address of
 * every node that has memory, nearest to `first` first, and adds up what it returns.
 *
 * `visit` and the loop over some of the zones are global functions: the verifier walks each once, and
 * not once for every turn of the loop that calls it.
 */
#define VISIT_NODES(name, visit)                                                             \
	/* the sum; its complement if the list ends there */                                 \
	__noinline int name##_some(__u64 first, __u32 from, __u64 argument)                  \
	{                                                                                    \
		struct pglist_data *last = from ? node_in_list((void *)first, from - 1) : NULL; \
		int sum = 0;                                                                 \
                                                                                             \
		for (__u32 i = 0; i < ZONES_AT_ONCE; i++) {                                  \
			struct pglist_data *node = node_in_list((void *)first, from + i);    \
                                                                                             \
			if (!node)                                                           \
				return ~sum;                                                 \
			if (node != last)                                                    \
				sum += visit((__u64)node, argument);                         \
			last = node;                                                         \
		}                                                                            \
		return sum;                                                                  \
	}                                                                                    \
	static __always_inline int name(__u64 first, __u64 argument)                         \
	{                                                                                    \
		int sum = 0;                                                                 \
                                                                                             \
		if (!first)                                                                  \
			return 0;                                                            \
		for (__u32 from = 0; from < MAX_ZONES_OF_ALL; from += ZONES_AT_ONCE) {       \
			int some = name##_some(first, from, argument);                       \
                                                                                             \
			if (some < 0)                                                        \
				return sum + ~some;                                          \
			sum += some;                                                         \
		}                                                                            \
		COUNT(read_failures);                                                        \
		return sum;                                                                  \
	}

#define LIST_ENDS 1 /* no node has that address */

/* For node_with_id(): the node, if one of some zones from `from` on is its; 0: none of them is. */
__noinline __u64 node_of_some(__u64 any, __u32 id, __u32 from)
{
	for (__u32 i = 0; i < ZONES_AT_ONCE; i++) {
		struct pglist_data *node = node_in_list((void *)any, from + i);

		if (!node)
			return LIST_ENDS;
		if (BPF_CORE_READ(node, node_id) == (int)id)
			return (__u64)node;
	}
	return 0;
}

/* The node of that number, if it has memory, by the list of zones of any one; 0 if there is none. */
__noinline __u64 node_with_id(__u64 any, __u32 id)
{
	if (!any)
		return 0;
	for (__u32 from = 0; from < MAX_ZONES_OF_ALL; from += ZONES_AT_ONCE) {
		__u64 node = node_of_some(any, id, from);

		if (node)
			return node == LIST_ENDS ? 0 : node;
	}
	return 0;
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

/* Through the memory cgroup of the task, or of one further up. */
static __always_inline __u64 node_by_cgroup(struct task_struct *task)
{
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

/* Some node, by what user space found out, else through the cgroup of `task`; 0 if none is found. */
static __always_inline __u64 any_node(struct task_struct *task)
{
	if (contig_page_data)
		return contig_page_data;
	return node_data ? node_by_address() : node_by_cgroup(task);
}
