/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What reclaim found on a list of pages: added to its node, and to the episode that it belongs to.
 */
#pragma once

#include "common.bpf.h"
#include "lists.h"
#include "threads.h"

/* User space sets max_entries to possible nodes * PR_TYPES. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PR_TYPES);
	__type(key, __u32);
	__type(value, struct pr_pages);
} pages SEC(".maps");

#define ADD_STATE(to, from, field) ((to).field += (from)->field)
#define ADD_STATE_ATOMIC(to, from, field)          \
	({                                         \
		if ((from)->field)                 \
			ADD((to).field, (from)->field); \
	})
#define EACH_STATE(what, to, from)          \
	what(to, from, dirty);              \
	what(to, from, unqueued_dirty);     \
	what(to, from, congested);          \
	what(to, from, writeback);          \
	what(to, from, immediate);          \
	what(to, from, pageout);            \
	what(to, from, activated);          \
	what(to, from, referenced);         \
	what(to, from, unmap_failed);       \
	what(to, from, lazyfree_failed);    \
	what(to, from, demoted)

/* What one look at a list of pages brought. */
struct list {
	__u32 node;
	__u32 is_list; /* 0: only a supplement to one that another hook saw */
	__u64 scanned;
	__u64 reclaimed;
	__u64 known;
	struct pr_states states;
};

static __always_inline void add_list_to_episode(struct pr_episode *to, const struct list *list)
{
	to->lists += list->is_list;
	to->scanned += list->scanned;
	to->reclaimed += list->reclaimed;
	to->nodes |= 1ULL << (list->node < 63 ? list->node & 63 : 63);
	to->known |= list->known;
	if (to->type == PR_KSWAPD)
		to->end = bpf_ktime_get_ns();
	EACH_STATE(ADD_STATE, to->states, &list->states);
}

static __always_inline void add_list_to_pages(__u32 type, const struct list *list)
{
	__u32 index = list->node * PR_TYPES + type;
	struct pr_pages *to = bpf_map_lookup_elem(&pages, &index);

	if (!to) {
		COUNT(map_full);
		return;
	}
	ADD(to->lists, list->is_list);
	ADD(to->scanned, list->scanned);
	ADD(to->reclaimed, list->reclaimed);
	if (to->known != list->known)
		to->known |= list->known; /* the same from everyone */
	EACH_STATE(ADD_STATE_ATOMIC, to->states, &list->states);
}

/* The episode that this thread's lists belong to, if it is in one. */
static __always_inline struct pr_episode *innermost(struct pr_running *running)
{
	struct pr_episode *episode = &running->at[running->at[1].active != 0];

	return episode->active ? episode : NULL;
}

/*
 * What the run that looked at a list says; `told`: NULL if the hook was not told which it is.
 *
 * A run that has a list of pages back never begins anew, so that its last priority is its lowest
 * (do_try_to_free_pages in mm/vmscan.c): who sends it reads that then, and here it need not be read.
 */
static __always_inline void read_progress(struct pr_running *running, bool nested,
					  const struct list *list, struct scan_control *told)
{
	struct pr_episode *episode = &running->at[nested];
	struct scan_control *run = told;

	if (episode->type == PR_KSWAPD) {
		/* It has one for each round of its work, and none between them: never kept. */
		if (!run)
			run = current_run(NUMBERS);
	} else if (run) {
		running->run[nested] = (__u64)run;
	} else {
		run = (void *)running->run[nested];
	}
	if (!run)
		return;
	if (episode->type == PR_KSWAPD || !list->reclaimed)
		read_priority(episode, run);
	if (episode->type == PR_KSWAPD || !episode->requested)
		read_requested(episode, run);
}

/* `run`: NULL if the hook was not told it. */
static __noinline int on_list(const struct list *list, struct scan_control *run)
{
	struct pr_running *running = running_of(bpf_get_current_pid_tgid());
	__u32 type = PR_OTHER;

	if (running) {
		bool nested = running->at[1].active;
		struct pr_episode *episode = nested ? &running->at[1] : &running->at[0];

		if (episode->active) {
			type = episode->type;
			add_list_to_episode(episode, list);
			read_progress(running, nested, list, run);
		}
	}
	if (type < PR_TYPES)
		add_list_to_pages(type, list);
	return 0;
}
