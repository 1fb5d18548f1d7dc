// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Page reclaim: who runs it, for how long, and what it finds.
 *
 * Its tracepoints say when a run begins and ends, and what became of each list of pages. There are
 * three ways to them: with BTF types, raw, and classic; and two prototypes of begin, since 7.2 swapped
 * its arguments. What only some kernels have (throttling, the functions of the original) are parts.
 */
#include <linux/ptrace.h>
#include "common.bpf.h"
#include "episodes.h"
#include "found.h"
#include "lists.h"
#include "parts.h"
#include "pr.h"
#include "tables.h"

LICENSE;

/* Lists are told by the function that works on them: the tracepoint only adds what it was asked. */
const volatile __u32 lists_by_function = 0;

/*
 * The multi-gen LRU looks at pages twice, at some only to sort them, and tells all that it looked at
 * each time. What it takes off its lists is told once, and is what the kernel itself counts as scanned
 * (pgscan): it waits here for the list that it becomes.
 */
const volatile __u32 multi_gen = 0;

static __always_inline int on_isolate(__u64 taken)
{
	struct pr_running *running = running_of(bpf_get_current_pid_tgid());
	struct pr_episode *episode = running ? innermost(running) : NULL;

	if (episode)
		episode->taken = taken;
	return 0;
}

static __always_inline __u64 scanned_of(__u64 scanned)
{
	struct pr_running *running;
	struct pr_episode *episode;
	__u64 taken;

	if (!multi_gen)
		return scanned;
	running = running_of(bpf_get_current_pid_tgid());
	episode = running ? innermost(running) : NULL;
	if (!episode)
		return scanned;
	taken = episode->taken;
	episode->taken = 0;
	return taken;
}

static __always_inline int on_inactive_list(int node, __u64 scanned, __u64 reclaimed,
					    struct reclaim_stat *stat, enum pointers pointers)
{
	struct list list = { .node = node, .scanned = scanned_of(scanned) };

	if (!lists_by_function) {
		list.is_list = 1;
		list.reclaimed = reclaimed;
		read_states(&list.states, &list.known, stat, pointers);
	}
	return on_list(&list, NULL);
}

/* begin and end of one type, by one way; `gfp_first` is the prototype since 7.2. */
#define EPISODE(way, section, pointers, event, type)                               \
	SEC(section "mm_vmscan_" #event "_begin")                                  \
	int BPF_PROG(way##_##event##_begin, int order, unsigned int gfp)           \
	{                                                                          \
		return begin_for(type, order, gfp, pointers);                      \
	}                                                                          \
	SEC(section "mm_vmscan_" #event "_begin")                                  \
	int BPF_PROG(way##_##event##_begin_gfp_first, unsigned int gfp, int order) \
	{                                                                          \
		return begin_for(type, order, gfp, pointers);                      \
	}                                                                          \
	SEC(section "mm_vmscan_" #event "_end")                                    \
	int BPF_PROG(way##_##event##_end, unsigned long freed)                     \
	{                                                                          \
		return end(type, freed, pointers);                                 \
	}

#define NODE_EPISODE(way, section, pointers)                                          \
	SEC(section "mm_vmscan_node_reclaim_begin")                                   \
	int BPF_PROG(way##_node_reclaim_begin, int node, int order, unsigned int gfp) \
	{                                                                             \
		return begin_for(PR_NODE, order, gfp, pointers);                      \
	}                                                                             \
	SEC(section "mm_vmscan_node_reclaim_end")                                     \
	int BPF_PROG(way##_node_reclaim_end, unsigned long freed)                     \
	{                                                                             \
		return end(PR_NODE, freed, pointers);                                 \
	}

#define BACKGROUND(way, section, pointers)                                         \
	SEC(section "mm_vmscan_kswapd_wake")                                       \
	int BPF_PROG(way##_kswapd_wake, int node, int zone, int order)             \
	{                                                                          \
		return begin_background(node, order, pointers);                    \
	}                                                                          \
	SEC(section "mm_vmscan_kswapd_sleep")                                      \
	int BPF_PROG(way##_kswapd_sleep, int node)                                 \
	{                                                                          \
		return end_background(pointers);                                   \
	}

#define LISTS(way, section, pointers)                                                      \
	SEC(section "mm_vmscan_lru_shrink_inactive")                                       \
	int BPF_PROG(way##_lru_shrink_inactive, int node, unsigned long scanned,           \
		     unsigned long reclaimed, struct reclaim_stat *stat)                   \
	{                                                                                  \
		return on_inactive_list(node, scanned, reclaimed, stat, pointers);         \
	}

#define ISOLATE(way, section)                                                              \
	SEC(section "mm_vmscan_lru_isolate")                                               \
	int BPF_PROG(way##_lru_isolate, int zone, int order, unsigned long requested,      \
		     unsigned long scanned, unsigned long skipped, unsigned long taken)    \
	{                                                                                  \
		return on_isolate(taken);                                                  \
	}

#define WAY(way, section, pointers)                                                \
	EPISODE(way, section, pointers, direct_reclaim, PR_DIRECT)                 \
	EPISODE(way, section, pointers, memcg_reclaim, PR_MEMCG)                   \
	EPISODE(way, section, pointers, memcg_softlimit_reclaim, PR_SOFT_LIMIT)    \
	NODE_EPISODE(way, section, pointers)                                       \
	BACKGROUND(way, section, pointers)                                         \
	LISTS(way, section, pointers)                                              \
	ISOLATE(way, section)

WAY(btf, "tp_btf/", TYPED)
WAY(raw, "raw_tp/", NUMBERS)

#define CLASSIC_EPISODE(event, type)                                                                \
	SEC("tp/vmscan/mm_vmscan_" #event "_begin")                                                 \
	int tp_##event##_begin(struct trace_event_raw_mm_vmscan_direct_reclaim_begin_template *ctx) \
	{                                                                                           \
		return begin_for(type, ctx->order, ctx->gfp_flags, NUMBERS);                        \
	}                                                                                           \
	SEC("tp/vmscan/mm_vmscan_" #event "_end")                                                   \
	int tp_##event##_end(struct trace_event_raw_mm_vmscan_direct_reclaim_end_template *ctx)     \
	{                                                                                           \
		return end(type, ctx->nr_reclaimed, NUMBERS);                                       \
	}

CLASSIC_EPISODE(direct_reclaim, PR_DIRECT)
CLASSIC_EPISODE(memcg_reclaim, PR_MEMCG)
CLASSIC_EPISODE(memcg_softlimit_reclaim, PR_SOFT_LIMIT)

SEC("tp/vmscan/mm_vmscan_kswapd_wake")
int tp_kswapd_wake(struct trace_event_raw_mm_vmscan_kswapd_wake *ctx)
{
	return begin_background(ctx->nid, ctx->order, NUMBERS);
}

SEC("tp/vmscan/mm_vmscan_kswapd_sleep")
int tp_kswapd_sleep(void *ctx)
{
	return end_background(NUMBERS);
}

SEC("tp/vmscan/mm_vmscan_lru_shrink_inactive")
int tp_lru_shrink_inactive(struct trace_event_raw_mm_vmscan_lru_shrink_inactive *ctx)
{
	struct list list = { .node = ctx->nid, .scanned = scanned_of(ctx->nr_scanned) };

	if (!lists_by_function) {
		list.is_list = 1;
		list.reclaimed = ctx->nr_reclaimed;
		read_traced_states(&list.states, &list.known, ctx);
	}
	return on_list(&list, NULL);
}
