// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Page allocations that failed: who asked for what, and what there was.
 *
 * The allocator ends every allocation, and every failure, with the tracepoint mm_page_alloc, whose
 * page is then NULL; so the hot path is one test. What has failed goes to `on_failure`.
 */
#include <linux/ptrace.h>
#include "common.bpf.h"
#include "compat.bpf.h"
#include "paf.h"
#include "request.h"
#include "fold.h"
#include "detail.h"

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
	if (page)
		return 0;
	return on_page(ctx, gfp, order, migrate_type);
}

SEC("raw_tp/mm_page_alloc")
int BPF_PROG(on_alloc_raw, struct page *page, unsigned int order, __u32 gfp, int migrate_type)
{
	if (page)
		return 0;
	return on_page(ctx, gfp, order, migrate_type);
}
