/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The original's way: the context at get_page_from_freelist(), the failure at the allocator's
 * return. What the caller passed is seen then, and the node that the request prefers.
 *
 * The context is kept by task. An allocation in an interrupt may write its own over it; so what is
 * kept is taken only if it fits the request that failed. Its mask serves for that alone: the last
 * attempt of many, just before the OOM killer, is made with another than all before it.
 */
#pragma once

#include "detail.h"

/* mm/internal.h, not in BTF: the low bits of alloc_flags say which watermark holds. The first
 * attempt is held to `low`, those of the slow path are not. */
#define ALLOC_WMARK_MASK 0x03
#define ALLOC_WMARK_LOW 0x01

/* __GFP_ACCOUNT, and flags that single attempts change: __GFP_HARDWALL, __GFP_DIRECT_RECLAIM, and
 * __GFP_ATOMIC. Set by user space, for bits move between kernels. */
const volatile __u32 gfp_account = 0;
const volatile __u32 gfp_varying = 0;
/* __GFP_IO and __GFP_FS. */
const volatile __u32 gfp_io = 0;
const volatile __u32 gfp_fs = 0;

/* include/linux/sched.h, not in BTF. */
#define PF_MEMALLOC_NOFS 0x00040000
#define PF_MEMALLOC_NOIO 0x00080000
#define PF_MEMALLOC_PIN 0x10000000

struct paf_context {
	__u32 gfp;
	__u32 order;
	__u32 alloc_flags;
	__u32 node;
	__u32 migrate_type;
	__u32 has_node;
};

/* By task. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct paf_context);
} contexts SEC(".maps");

/* What the allocator was called with; for return probes, which do not see it. */
struct paf_call {
	__u64 time;
	__u32 gfp;
	__u32 order;
	__u32 node;
	__u32 padding;
};

/* By the stack pointer at the call, which no other call that has not returned shares. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct paf_call);
} calls SEC(".maps");

/* An attempt of the slow path, or one whose page a memory cgroup may yet refuse. */
static __always_inline int on_attempt(__u32 gfp, __u32 order, __u32 alloc_flags,
				      const struct alloc_context *request)
{
	struct paf_context context = {};
	struct zone *zone;
	__u64 task;

	if ((alloc_flags & ALLOC_WMARK_MASK) == ALLOC_WMARK_LOW && !(gfp & gfp_account))
		return 0;
	zone = BPF_CORE_READ(request, preferred_zoneref, zone);
	context.gfp = gfp;
	context.order = order;
	context.alloc_flags = alloc_flags;
	context.migrate_type = BPF_CORE_READ(request, migratetype);
	context.has_node = !!zone;
	context.node = BPF_CORE_READ(zone, zone_pgdat, node_id);
	task = bpf_get_current_task();
	bpf_map_update_elem(&contexts, &task, &context, BPF_ANY);
	return 0;
}

/* What the task's scope leaves of a mask: current_gfp_context(). */
static __always_inline __u32 within_scope(__u32 gfp, __u32 flags)
{
	if (flags & PF_MEMALLOC_NOIO)
		gfp &= ~(gfp_io | gfp_fs);
	else if (flags & PF_MEMALLOC_NOFS)
		gfp &= ~gfp_fs;
	if (flags & PF_MEMALLOC_PIN)
		gfp &= ~GFP_MOVABLE;
	return gfp;
}

/* The allocator returned no page for this call. */
static __always_inline int on_no_page(void *ctx, __u32 gfp, __u32 order, __u32 node)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct request request = {
		.order = order,
		.requested = gfp,
		.node = node,
		.known = PAF_REQUESTED | PAF_REQUEST_NODE,
	};
	struct paf_context *context;
	__u64 key = (__u64)task;

	request.gfp = within_scope(gfp, BPF_CORE_READ(task, flags));
	request.migrate_type = migrate_type_of(request.gfp);
	context = bpf_map_lookup_elem(&contexts, &key);
	if (context && context->order == order &&
	    !((context->gfp ^ request.gfp) & ~gfp_varying)) {
		request.migrate_type = context->migrate_type;
		request.alloc_flags = context->alloc_flags;
		request.known |= PAF_ALLOC_FLAGS;
		if (context->has_node)
			request.node = context->node;
	}
	return on_failure(ctx, &request);
}

/* The stack pointer of a return probe is that of the call but for what the kernel's own way of
 * returning leaves on the stack, some words. Of the calls found there ours is the newest: what is
 * older has returned, and what it called has its own frame further down. */
#define CALL_WORDS 5

static __always_inline int on_return(void *ctx, __u64 stack)
{
	struct paf_call *newest = NULL;

	for (int i = 0; i < CALL_WORDS; i++) {
		__u64 key = stack - i * sizeof(__u64);
		struct paf_call *call = bpf_map_lookup_elem(&calls, &key);

		if (call && (!newest || call->time > newest->time))
			newest = call;
	}
	if (newest)
		return on_no_page(ctx, newest->gfp, newest->order, newest->node);
	COUNT(read_failures);
	return 0;
}
