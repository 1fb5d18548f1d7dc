/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What there was when an allocation failed: the zones of the node in full, the other nodes in brief,
 * the memory cgroup's charge, and who asked. Taken once a fold and window, into the ring `details`.
 *
 * The functions that are not inlined are global, so that the verifier walks each once; they find the
 * record by its CPU, for they can be given numbers only.
 */
#pragma once

#include "fold.h"

/* Between two details of a fold. */
const volatile __u64 window_ns = 1000000000;

RING(details, struct paf_detail, 512 * 1024);

static __always_inline struct paf_detail *detail_record(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&details_record, &zero);
}

static __always_inline __s64 zone_counter(struct zone *zone, __u64 index)
{
	__s64 value = 0;

	read_counter(&value, &zone->vm_stat, index);
	return value > 0 ? value : 0;
}

/* An index that the verifier sees to be below `size`, a power of two. What the compiler knows of it
 * already, it leaves out. */
#define WITHIN(index, size)                          \
	({                                           \
		__u64 _index = (index);              \
		barrier_var(_index);                 \
		_index & ((size) - 1);               \
	})

#define ZONE_COUNTER(zone, item) zone_counter(zone, bpf_core_enum_value(enum zone_stat_item, item))

/* The node's zone `index`, as entry `at` of the record; 1 if it has pages. */
__noinline int add_zone(__u64 node, __u32 index, __u32 at)
{
	struct paf_detail *to = detail_record();
	struct zone *zone = zone_of_node((void *)node, index);

	if (!to || !zone)
		return 0;
	at = WITHIN(at, MAX_ZONES);
	if (!read_zone_detail(&to->zones[at], (void *)node, index))
		return 0;
	to->reclaimable[at].file = ZONE_COUNTER(zone, NR_ZONE_INACTIVE_FILE) +
				   ZONE_COUNTER(zone, NR_ZONE_ACTIVE_FILE);
	to->reclaimable[at].anon = ZONE_COUNTER(zone, NR_ZONE_INACTIVE_ANON) +
				   ZONE_COUNTER(zone, NR_ZONE_ACTIVE_ANON);
	return 1;
}

static __always_inline void add_zones(struct paf_detail *to, __u64 node)
{
	__u32 at = 0;

	for (__u32 i = 0; i < MAX_ZONES; i++)
		at += add_zone(node, i, at);
	to->zone_count = at;
}

/* Order of the zone's largest free block; -1 if it has none. */
static __always_inline __s32 largest_block(struct zone *zone)
{
	const __u64 size = bpf_core_type_size(struct free_area);
	__u32 orders = bpf_core_field_size(zone->free_area) / size;
	__s32 largest = -1;

	for (__u32 order = 0; order < MAX_ORDERS; order++) {
		struct free_area *area = (void *)&zone->free_area + order * size;

		if (order >= orders)
			break;
		if (BPF_CORE_READ(area, nr_free))
			largest = order;
	}
	return largest;
}

/* What must stay free of the zone for a request that may use zones up to `highest`. */
__noinline __s64 needed_of(__u64 address, __u32 highest)
{
	struct zone *zone = (void *)address;
	__s64 min = 0, kept = 0;

	read_counter(&min, &zone->_watermark, bpf_core_enum_value(enum zone_watermarks, WMARK_MIN));
	read_counter(&kept, &zone->lowmem_reserve, highest);
	return min + kept + BPF_CORE_READ(zone, watermark_boost);
}

/* Index of the node's zone with most room for such a request; -1 if none of them has pages. */
__noinline int roomiest_zone(__u64 node, __u32 highest)
{
	__s64 most = 0;
	int best = -1;

	for (__u32 i = 0; i < MAX_ZONES; i++) {
		struct zone *zone = zone_of_node((void *)node, i);
		__s64 room;

		if (!zone || i > highest)
			break;
		if (!BPF_CORE_READ(zone, managed_pages.counter))
			continue;
		room = ZONE_COUNTER(zone, NR_FREE_PAGES) - needed_of((__u64)zone, highest);
		if (best >= 0 && room <= most)
			continue;
		most = room;
		best = i;
	}
	return best;
}

/* A node that is not the request's own. */
__noinline int add_node(__u64 address, __u64 highest)
{
	struct pglist_data *node = (void *)address;
	struct paf_detail *record = detail_record();
	struct paf_other *to;
	struct zone *zone;
	int best;

	if (!record || record->other_count >= PAF_OTHERS ||
	    (__u32)BPF_CORE_READ(node, node_id) == record->node)
		return 0;
	best = roomiest_zone(address, highest);
	if (best < 0)
		return 0;
	zone = zone_of_node(node, best);
	if (!zone)
		return 0;
	to = &record->others[WITHIN(record->other_count, PAF_OTHERS)];
	to->node = BPF_CORE_READ(node, node_id);
	to->zone = best;
	to->free = ZONE_COUNTER(zone, NR_FREE_PAGES);
	to->needed = needed_of((__u64)zone, highest);
	to->largest = largest_block(zone);
	to->padding = 0;
	record->other_count++;
	return 1;
}

VISIT_NODES(add_others, add_node)

static __always_inline __u32 kswapd_failures_of(struct pglist_data *node, __u32 *known)
{
	struct pglist_data___atomic *newer = (void *)node;

	*known |= PAF_KSWAPD;
	if (bpf_core_field_exists(node->kswapd_failures))
		return BPF_CORE_READ(node, kswapd_failures);
	if (bpf_core_field_exists(newer->kswapd_failures))
		return BPF_CORE_READ(newer, kswapd_failures.counter);
	*known &= ~PAF_KSWAPD;
	return 0;
}

static __always_inline void read_nodes(struct paf_detail *to, struct task_struct *task)
{
	__u64 any = any_node(task), node = node_with_id(any, to->node);

	to->zone_count = 0;
	to->other_count = 0;
	to->kswapd_failures = 0;
	if (!node)
		return;
	to->kswapd_failures = kswapd_failures_of((void *)node, &to->known);
	add_zones(to, node);
	add_others(node, to->highest_zone);
}

/* Takes the counter's figures if it has less room than what stands there. */
static __always_inline void tighten(struct paf_memcg *to, struct page_counter *counter,
				    __u32 which, __u64 cgroup, __u32 depth)
{
	__s64 usage = BPF_CORE_READ(counter, usage.counter);
	__s64 limit = BPF_CORE_READ(counter, max);

	if (to->counter && limit - usage >= (__s64)(to->limit - to->usage))
		return;
	to->cgroup = cgroup;
	to->usage = usage;
	to->limit = limit;
	to->counter = which;
	to->depth = depth;
}

/* Whether memory cgroups are v1's, where swap and kernel memory have limits of their own. */
static __always_inline bool memory_is_v1(struct cgroup_subsys_state *css, struct task_struct *task)
{
	return BPF_CORE_READ(css, cgroup, root) != BPF_CORE_READ(task, cgroups, dfl_cgrp, root);
}

/* One level: the memory cgroup at `address`. */
__noinline int add_memcg(__u64 address, __u32 depth, __u32 v1)
{
	struct cgroup_subsys_state *css = (void *)address;
	struct paf_detail *record = detail_record();
	struct mem_cgroup *memcg;
	__u64 cgroup;

	if (!record || !bpf_core_type_exists(struct mem_cgroup))
		return 0;
	memcg = (void *)address - bpf_core_field_offset(struct mem_cgroup, css);
	cgroup = BPF_CORE_READ(css, cgroup, kn, id);
	if (!depth)
		record->memcg.charged = cgroup;
	tighten(&record->memcg, &memcg->memory, PAF_MEMORY, cgroup, depth);
	if (v1 && bpf_core_field_exists(memcg->memsw))
		tighten(&record->memcg, &memcg->memsw, PAF_MEMSW, cgroup, depth);
	if (v1 && bpf_core_field_exists(memcg->kmem))
		tighten(&record->memcg, &memcg->kmem, PAF_KMEM, cgroup, depth);
	return 1;
}

/* From the cgroup that the request charges up to the root, which has no limit and is left out. */
static __always_inline void read_charge(struct paf_detail *to, struct task_struct *task)
{
	struct cgroup_subsys_state *css, *parent;
	struct mem_cgroup *active;
	__u32 v1, charged = 0;

	__builtin_memset(&to->memcg, 0, sizeof(to->memcg));
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return;
	css = task_css(task, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
	v1 = memory_is_v1(css, task);
	if (v1)
		to->known |= PAF_MEMCG_V1;
	active = bpf_core_field_exists(task->active_memcg) ? BPF_CORE_READ(task, active_memcg) : NULL;
	if (active)
		css = (void *)active + bpf_core_field_offset(struct mem_cgroup, css);
	for (int depth = 0; depth < MAX_DEPTH && css; depth++) {
		parent = BPF_CORE_READ(css, parent);
		if (!parent)
			break;
		charged |= add_memcg((__u64)css, depth, v1);
		css = parent;
	}
	if (charged)
		to->known |= PAF_MEMCG;
}

static __always_inline void read_requester(struct paf_detail *to, struct task_struct *task)
{
	read_who(&to->who, task, NUMBERS);
	to->task_flags = BPF_CORE_READ(task, flags);
	to->priority = BPF_CORE_READ(task, prio);
	to->oom_victim = !!BPF_CORE_READ(task, signal, oom_mm);
}

/* Where the request does not say its node, the allocator's usual choice is the CPU's. */
static __always_inline void read_request(struct paf_detail *to, const struct request *request)
{
	to->known = request->known;
	to->gfp = request->gfp;
	to->requested = request->requested;
	to->order = request->order;
	to->migrate_type = request->migrate_type;
	to->alloc_flags = request->alloc_flags;
	to->highest_zone = highest_zone_of(request->gfp);
	to->node = request->known & PAF_REQUEST_NODE ? request->node : bpf_get_numa_node_id();
}

static __always_inline void take_detail(__u32 slot, struct paf_fold *fold,
					const struct request *request, struct task_struct *task,
					__u64 now)
{
	struct paf_detail *to = detail_record();

	if (!to)
		return;
	to->time = now;
	to->slot = slot;
	to->generation = fold->generation;
	read_request(to, request);
	read_requester(to, task);
	read_nodes(to, task);
	read_charge(to, task);
	if (bpf_ringbuf_output(&details, to, sizeof(*to), BPF_RB_NO_WAKEUP))
		COUNT(ring_drops);
}

/* An allocation failed. */
static __always_inline int on_failure(void *ctx, const struct request *request)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 now = bpf_ktime_get_ns();
	__u32 zero = 0, slot = spare_slot(request), level;
	struct paf_totals *total = bpf_map_lookup_elem(&totals, &zero);
	struct cpu_state *cpu = bpf_map_lookup_elem(&cpu_states, &zero);
	struct paf_fold *fold;
	struct room *room;

	if (!total || !cpu)
		return 0;
	level = cpu->level;
	__sync_fetch_and_add(&cpu->level, 1);
	room = bpf_map_lookup_elem(&rooms, &level);
	if (room) {
		fill_room(room, request, task, cpu, now, ctx);
		slot = slot_of(room, request, task, now);
	}
	fold = bpf_map_lookup_elem(&folds, &slot);
	if (fold) {
		/* before it is counted: whoever sees the count finds the detail in the ring */
		if (!level && slot >= SPARE && now - fold->detail_at >= window_ns) {
			fold->detail_at = now;
			take_detail(slot, fold, request, task, now);
		}
		count_in(fold, slot, task, now);
		__sync_fetch_and_add(&total->failures, 1);
	}
	__sync_fetch_and_add(&cpu->level, -1);
	return 0;
}
