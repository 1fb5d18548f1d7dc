/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What only some kernels have, or allow to be hooked: parts of the profile.
 */
#pragma once

#include "common.bpf.h"
#include "episodes.h"
#include "found.h"
#include "lists.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PR_THROTTLES);
	__type(key, __u32);
	__type(value, struct pr_throttled);
} throttles SEC(".maps");

/* By node; user space sets max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pr_wakeups);
} wakeups SEC(".maps");

#define IS_REASON(value, enumerator)                                               \
	(bpf_core_enum_value_exists(enum vmscan_throttle_state, enumerator) &&     \
	 (value) == bpf_core_enum_value(enum vmscan_throttle_state, enumerator))

static __always_inline __u32 throttle_of(__u64 reason)
{
	if (IS_REASON(reason, VMSCAN_THROTTLE_WRITEBACK))
		return PR_THROTTLE_WRITEBACK;
	if (IS_REASON(reason, VMSCAN_THROTTLE_ISOLATED))
		return PR_THROTTLE_ISOLATED;
	if (IS_REASON(reason, VMSCAN_THROTTLE_NOPROGRESS))
		return PR_THROTTLE_NOPROGRESS;
	if (IS_REASON(reason, VMSCAN_THROTTLE_CONGESTED))
		return PR_THROTTLE_CONGESTED;
	return PR_THROTTLE_UNKNOWN;
}

/* A reclaimer was put to sleep for `delayed` us, lest it spins without finding anything. */
static __always_inline int on_throttled(int delayed, __u64 reason)
{
	struct pr_running *running = running_of(bpf_get_current_pid_tgid());
	__u32 index = throttle_of(reason);
	struct pr_throttled *to = bpf_map_lookup_elem(&throttles, &index);
	__u64 ns = delayed > 0 ? delayed * 1000ULL : 0;

	if (to) {
		ADD(to->count, 1);
		ADD(to->ns, ns);
	}
	if (running && running->at[1].active)
		running->at[1].throttled_ns += ns;
	else if (running && running->at[0].active)
		running->at[0].throttled_ns += ns;
	return 0;
}

static __always_inline int on_wakeup(__u32 node)
{
	struct pr_wakeups *to = bpf_map_lookup_elem(&wakeups, &node);

	if (to)
		ADD(to->count, 1);
	else
		COUNT(map_full);
	return 0;
}

#define PARTS(way, section, pointers)                                                          \
	SEC(section "mm_vmscan_throttled")                                                 \
	int BPF_PROG(way##_throttled, int node, int timeout, int delayed, int reason)      \
	{                                                                                  \
		return on_throttled(delayed, reason);                                      \
	}                                                                                  \
	SEC(section "mm_vmscan_wakeup_kswapd")                                             \
	int BPF_PROG(way##_wakeup_kswapd, int node, int zone, int order, unsigned int gfp) \
	{                                                                                  \
		return on_wakeup(node);                                                    \
	}                                                                                  \
	SEC(section "mm_vmscan_balance_pgdat_end")                                         \
	int BPF_PROG(way##_balance_pgdat_end, int node, int zone, int order,               \
		     unsigned long freed)                                                  \
	{                                                                                  \
		return end(PR_KSWAPD, freed, pointers);                                              \
	}

PARTS(btf, "tp_btf/", TYPED)
PARTS(raw, "raw_tp/", NUMBERS)

SEC("fexit/balance_pgdat")
int BPF_PROG(fexit_balance_pgdat, struct pglist_data *node, int order, int zone)
{
	return end(PR_KSWAPD, 0, NUMBERS);
}

SEC("kretprobe/balance_pgdat")
int BPF_KRETPROBE(kretprobe_balance_pgdat)
{
	return end(PR_KSWAPD, 0, NUMBERS);
}

/* Since 6.15 those that reclaim pages of their choice say so as well. */
static __always_inline int on_reclaim_pages(int node, __u64 scanned, __u64 reclaimed,
					    struct reclaim_stat *stat, enum pointers pointers)
{
	struct list list = {
		.node = node, .is_list = 1, .scanned = scanned, .reclaimed = reclaimed,
	};

	read_states(&list.states, &list.known, stat, pointers);
	return on_list(&list, NULL);
}

SEC("tp_btf/mm_vmscan_reclaim_pages")
int BPF_PROG(btf_reclaim_pages, int node, unsigned long scanned, unsigned long reclaimed,
	     struct reclaim_stat *stat)
{
	return on_reclaim_pages(node, scanned, reclaimed, stat, TYPED);
}

SEC("raw_tp/mm_vmscan_reclaim_pages")
int BPF_PROG(raw_reclaim_pages, int node, unsigned long scanned, unsigned long reclaimed,
	     struct reclaim_stat *stat)
{
	return on_reclaim_pages(node, scanned, reclaimed, stat, NUMBERS);
}

/* The function of the original: all pages that are to be reclaimed pass it, in lists. */
static __always_inline int on_function(struct pglist_data *node, struct scan_control *run,
				       struct reclaim_stat *stat, __u64 reclaimed,
				       enum pointers pointers)
{
	struct list list = { .is_list = 1, .reclaimed = reclaimed };

	list.node = BPF_CORE_READ(node, node_id); /* beyond what a typed load can reach */
	read_states(&list.states, &list.known, stat, pointers);
	return on_list(&list, run);
}

SEC("fexit/shrink_page_list")
int BPF_PROG(fexit_shrink_page_list, struct list_head *pages, struct pglist_data *node,
	     struct scan_control *run, struct reclaim_stat *stat, bool ignore_references,
	     unsigned int reclaimed)
{
	return on_function(node, run, stat, reclaimed, TYPED);
}

SEC("fexit/shrink_folio_list")
int BPF_PROG(fexit_shrink_folio_list, struct list_head *folios, struct pglist_data *node,
	     struct scan_control *run, struct reclaim_stat *stat, bool ignore_references,
	     unsigned int reclaimed)
{
	return on_function(node, run, stat, reclaimed, TYPED);
}

/* Since 6.18 it is told the cgroup as well. */
SEC("fexit/shrink_folio_list")
int BPF_PROG(fexit_shrink_folio_list_memcg, struct list_head *folios, struct pglist_data *node,
	     struct scan_control *run, struct reclaim_stat *stat, bool ignore_references,
	     struct mem_cgroup *memcg, unsigned int reclaimed)
{
	return on_function(node, run, stat, reclaimed, TYPED);
}

/* A kretprobe is not told the arguments: they wait here, by thread. */
struct pr_call {
	__u64 node;
	__u64 run;
	__u64 stat;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct pr_call);
} calls SEC(".maps");

SEC("kprobe/shrink_folio_list")
int BPF_KPROBE(kprobe_shrink_list, void *folios, struct pglist_data *node,
	       struct scan_control *run, struct reclaim_stat *stat)
{
	struct pr_call call = { (__u64)node, (__u64)run, (__u64)stat };
	__u32 tid = bpf_get_current_pid_tgid();

	if (bpf_map_update_elem(&calls, &tid, &call, BPF_ANY))
		COUNT(map_full);
	return 0;
}

SEC("kretprobe/shrink_folio_list")
int BPF_KRETPROBE(kretprobe_shrink_list, unsigned int reclaimed)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct pr_call *waiting = bpf_map_lookup_elem(&calls, &tid);
	struct pr_call call;

	if (!waiting)
		return 0;
	call = *waiting;
	bpf_map_delete_elem(&calls, &tid);
	return on_function((void *)call.node, (void *)call.run, (void *)call.stat, reclaimed,
			   NUMBERS);
}
