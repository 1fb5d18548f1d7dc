/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The original's view: every attempt to allocate, with the zone where it looks first. A part, off by
 * default; and there are hundreds of thousands a second, so only some are let through.
 */
#pragma once

#include "detail.h"

/* Between two attempts that are let through; a few may follow each other at once. */
const volatile __u64 attempt_interval_ns = 10000000;
#define ATTEMPT_BURST 10

RING(attempts, struct paf_attempt, 128 * 1024);

/* When all that has passed would have, had it kept its distance. CPUs that pass at once may each see
 * the same place, and let through one more. */
struct paf_gate {
	__u64 due;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct paf_gate);
} gate SEC(".maps");

/* By CPU. */
struct paf_passage {
	__u64 passed;
	__u64 suppressed;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct paf_passage);
} passages SEC(".maps");

static __always_inline bool may_pass(__u64 now)
{
	__u32 zero = 0;
	struct paf_gate *at = bpf_map_lookup_elem(&gate, &zero);
	struct paf_passage *own = bpf_map_lookup_elem(&passages, &zero);
	__u64 due;

	if (!at || !own)
		return false;
	due = at->due;
	if (due < now)
		due = now;
	if (due - now >= ATTEMPT_BURST * attempt_interval_ns) {
		own->suppressed++;
		return false;
	}
	at->due = due + attempt_interval_ns;
	own->passed++;
	return true;
}

/* The node's highest zone with pages that the request may use. */
static __always_inline struct zone *preferred_zone(__u64 node, __u32 gfp)
{
	struct zone *preferred = NULL;
	__u32 highest = highest_zone_of(gfp);

	if (!node)
		return NULL;
	for (__u32 i = 0; i < MAX_ZONES; i++) {
		struct zone *zone = zone_of_node((void *)node, i);

		if (!zone || i > highest)
			break;
		if (BPF_CORE_READ(zone, managed_pages.counter))
			preferred = zone;
	}
	return preferred;
}

static __always_inline int let_pass(const struct request *request, struct zone *zone, bool failed,
				    __u64 now)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct paf_attempt *to = bpf_ringbuf_reserve(&attempts, sizeof(*to), 0);

	if (!to) {
		COUNT(ring_drops);
		return 0;
	}
	to->time = now;
	to->gfp = request->gfp;
	to->order = request->order;
	to->migrate_type = request->migrate_type;
	to->node = request->node;
	to->known = request->known;
	to->failed = failed;
	read_who(&to->who, task, NUMBERS);
	__builtin_memset(&to->zone, 0, sizeof(to->zone));
	if (zone)
		read_zone_state(&to->zone, zone);
	bpf_ringbuf_submit(to, BPF_RB_NO_WAKEUP);
	return 0;
}

/* As it begins: get_page_from_freelist() names the zone. */
static __always_inline int show_attempt(__u32 gfp, __u32 order, const struct alloc_context *context)
{
	__u64 now = bpf_ktime_get_ns();
	struct request request = { .gfp = gfp, .order = order, .known = PAF_REQUEST_NODE };
	struct zone *zone;

	if (!may_pass(now))
		return 0;
	zone = BPF_CORE_READ(context, preferred_zoneref, zone);
	request.migrate_type = BPF_CORE_READ(context, migratetype);
	request.node = BPF_CORE_READ(zone, zone_pgdat, node_id);
	return let_pass(&request, zone, false, now);
}

SEC("fentry/get_page_from_freelist")
int BPF_PROG(show_attempt_fentry, __u32 gfp, __u32 order, int alloc_flags,
	     const struct alloc_context *context)
{
	return show_attempt(gfp, order, context);
}

SEC("kprobe/get_page_from_freelist")
int BPF_KPROBE(show_attempt_kprobe, __u32 gfp, __u32 order, int alloc_flags,
	       const struct alloc_context *context)
{
	return show_attempt(gfp, order, context);
}

/* As it has ended: the tracepoint does not name the zone, so it is the usual choice. */
static __always_inline int show_ended(bool failed, __u32 order, __u32 gfp, __u32 migrate_type)
{
	__u64 now = bpf_ktime_get_ns();
	struct request request = { .gfp = gfp, .order = order, .migrate_type = migrate_type };
	__u64 node;

	if (!may_pass(now))
		return 0;
	request.known = PAF_ENDED;
	request.node = bpf_get_numa_node_id();
	node = node_with_id(any_node((void *)bpf_get_current_task()), request.node);
	return let_pass(&request, preferred_zone(node, gfp), failed, now);
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(show_attempt_btf, void *page, unsigned int order, __u32 gfp, int migrate_type)
{
	return show_ended(!page, order, gfp, migrate_type);
}

SEC("raw_tp/mm_page_alloc")
int BPF_PROG(show_attempt_raw, void *page, unsigned int order, __u32 gfp, int migrate_type)
{
	return show_ended(!page, order, gfp, migrate_type);
}

SEC("tp/kmem/mm_page_alloc")
int show_attempt_tp(struct trace_event_raw_mm_page_alloc *ctx)
{
	return show_ended(ctx->pfn == NO_PAGE, ctx->order, ctx->gfp_flags, ctx->migratetype);
}
