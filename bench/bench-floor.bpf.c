/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Programs that do nothing, on the tracepoints of paf and pr: what being called costs. */
#include "common.bpf.h"

SEC("tp_btf/mm_page_alloc")
int alloc_tp_btf(void *ctx)
{
	return 0;
}

SEC("raw_tp/mm_page_alloc")
int alloc_raw_tp(void *ctx)
{
	return 0;
}

SEC("tp/kmem/mm_page_alloc")
int alloc_tp(void *ctx)
{
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int reclaim_begin(void *ctx)
{
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int reclaim_end(void *ctx)
{
	return 0;
}

SEC("tp_btf/mm_vmscan_lru_shrink_inactive")
int shrink_inactive(void *ctx)
{
	return 0;
}

LICENSE;
