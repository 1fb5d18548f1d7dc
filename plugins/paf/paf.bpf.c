// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Page allocations that failed: who asked for what, and what there was.
 *
 * The allocator ends every allocation, granted or not, with the tracepoint mm_page_alloc, whose page
 * is NULL if it failed; so the hot path is one test. What has failed goes to `on_failure`.
 */
#include <linux/ptrace.h>
#include "common.bpf.h"
#include "paf.h"
#include "request.h"
#include "fold.h"
#include "detail.h"
#include "pair.h"
#include "attempt.h"
#include "survey.h"

LICENSE;

struct page;

static __always_inline int on_page(void *ctx, __u32 gfp, __u32 order, __u32 migrate_type)
{
	struct request request = {
		.gfp = gfp,
		.order = order,
		.migrate_type = migrate_type,
	};

	return on_failure(ctx, &request);
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(on_alloc_btf, struct page *page, unsigned int order, __u32 gfp, int migrate_type)
{
	return page ? 0 : on_page(ctx, gfp, order, migrate_type);
}

SEC("raw_tp/mm_page_alloc")
int BPF_PROG(on_alloc_raw, struct page *page, unsigned int order, __u32 gfp, int migrate_type)
{
	return page ? 0 : on_page(ctx, gfp, order, migrate_type);
}

SEC("tp/kmem/mm_page_alloc")
int on_alloc_tp(struct trace_event_raw_mm_page_alloc *ctx)
{
	return ctx->pfn != NO_PAGE ? 0 :
				     on_page(ctx, ctx->gfp_flags, ctx->order, ctx->migratetype);
}

/* Eight characters as the number that they are in memory. (A string of our own would be in a section
 * whose variables have names that the kernel takes for no BTF.) */
#define AT(text, i) ((__u64)(text)[i] << (8 * (i)))
#define WORD(text)                                                             \
	(AT(text, 0) | AT(text, 1) | AT(text, 2) | AT(text, 3) | AT(text, 4) | \
	 AT(text, 5) | AT(text, 6) | AT(text, 7))

/* The only function on the way of every failure for want of pages, and of little else: vmalloc says
 * by it that it gives up. The order is the first of its variable arguments. */
SEC("kprobe/warn_alloc")
int BPF_KPROBE(on_warn_alloc, __u32 gfp, const void *nodes, const char *format, __u32 order)
{
	__u64 said[3] = {};

	bpf_probe_read_kernel(said, sizeof(said), format);
	if (said[0] != WORD("page all") || said[1] != WORD("ocation ") || said[2] != WORD("failure:"))
		return 0;
	return on_page(ctx, gfp, order, migrate_type_of(gfp));
}

SEC("fentry/get_page_from_freelist")
int BPF_PROG(on_attempt_fentry, __u32 gfp, __u32 order, int alloc_flags,
	     const struct alloc_context *request)
{
	return on_attempt(gfp, order, alloc_flags, request);
}

SEC("kprobe/get_page_from_freelist")
int BPF_KPROBE(on_attempt_kprobe, __u32 gfp, __u32 order, int alloc_flags,
	       const struct alloc_context *request)
{
	return on_attempt(gfp, order, alloc_flags, request);
}

/* The allocator, by whatever name: config/kernel/paf.yaml. */
SEC("fexit/__alloc_pages")
int BPF_PROG(on_allocated_fexit, __u32 gfp, __u32 order, int node, const void *nodes,
	     struct page *page)
{
	return page ? 0 : on_no_page(ctx, gfp, order, node);
}

SEC("kprobe/__alloc_pages")
int BPF_KPROBE(on_call_kprobe, __u32 gfp, __u32 order, int node)
{
	struct paf_call call = {
		.time = bpf_ktime_get_ns(),
		.gfp = gfp,
		.order = order,
		.node = node,
	};
	__u64 stack = PT_REGS_SP(ctx);

	bpf_map_update_elem(&calls, &stack, &call, BPF_ANY);
	return 0;
}

SEC("kretprobe/__alloc_pages")
int BPF_KRETPROBE(on_allocated_kretprobe, struct page *page)
{
	return page ? 0 : on_return(ctx, PT_REGS_SP(ctx));
}

