/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Runs of reclaim from begin to end, by thread.
 *
 * A thread is in one at most, but for the soft limit of cgroup v1, which runs inside of direct
 * reclaim and of kswapd. Pages count for the innermost; the outer one has what is its own.
 */
#pragma once

#include "buckets.h"
#include "common.bpf.h"
#include "lists.h"
#include "tables.h"

/* A run this long or longer becomes a span. */
const volatile __u64 span_threshold_ns = 10000000;
/* Of those, one in so many on average, as a share of 2^32. */
const volatile __u64 span_share = 1ULL << 32;
/* Nanoseconds between two spans in the long run, and how far ahead of that they may be. */
const volatile __u64 span_interval_ns = 10000000;
const volatile __u64 span_burst_ns = 1000000000;
/* The end of kswapd's work is known by a hook; else it is when it was last seen to work. */
const volatile __u32 kswapd_end_known = 0;

/* Threads that have been in an episode: most come again at once, and to make and to delete an element
 * each time would cost more than all else. User space drops those of threads that are gone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct pr_running);
} kept SEC(".maps");

/* Those that find it full, for as long as their episode lasts. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct pr_running);
} threads SEC(".maps");

/* Never written: what a new element of either is copied from. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pr_running);
} blank SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PR_TYPES);
	__type(key, __u32);
	__type(value, struct pr_counts);
} types SEC(".maps");

/* User space sets max_entries to possible nodes * PR_TYPES. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PR_TYPES);
	__type(key, __u32);
	__type(value, struct pr_pages);
} pages SEC(".maps");

RING(spans, struct pr_span, 1 << 18);

/* When the next span is due, if none came early. */
static __u64 span_due;

#define COUNT_TYPE(of, field)                                                     \
	({                                                                        \
		__u32 _type = of;                                                 \
		struct pr_counts *_counts = bpf_map_lookup_elem(&types, &_type);  \
		if (_counts)                                                      \
			ADD(_counts->field, 1);                                   \
	})

static __always_inline struct pr_running *running_of(__u32 tid)
{
	struct pr_running *found = bpf_map_lookup_elem(&kept, &tid);

	return found ? found : bpf_map_lookup_elem(&threads, &tid);
}

/* The thread's, made here if it has none; NULL if there is no room. */
static __always_inline struct pr_running *make_running(__u32 tid)
{
	struct pr_running *found = running_of(tid), *empty;
	__u32 zero = 0;

	if (found)
		return found;
	empty = bpf_map_lookup_elem(&blank, &zero);
	if (!empty)
		return NULL;
	if (!bpf_map_update_elem(&kept, &tid, empty, BPF_ANY)) {
		found = bpf_map_lookup_elem(&kept, &tid);
		if (found)
			found->is_kept = 1;
		return found;
	}
	if (bpf_map_update_elem(&threads, &tid, empty, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&threads, &tid);
}

/* The thread is in no episode any more. */
static __always_inline void leave(struct pr_running *running, __u32 tid)
{
	if (!running->is_kept)
		bpf_map_delete_elem(&threads, &tid);
}

static __always_inline struct pr_episode *begin(__u32 type, __s32 order, __u32 gfp)
{
	struct pr_running *running = make_running(bpf_get_current_pid_tgid());
	struct pr_episode *episode;

	COUNT_TYPE(type, begun);
	if (!running) {
		COUNT(map_full);
		COUNT_TYPE(type, untracked);
		return NULL;
	}
	episode = &running->at[type == PR_SOFT_LIMIT];
	if (episode->active)
		COUNT_TYPE(episode->type, abandoned);
	__builtin_memset(episode, 0, sizeof(*episode));
	episode->type = type;
	episode->order = order;
	episode->gfp = gfp;
	episode->priority = -1;
	episode->begin = bpf_ktime_get_ns();
	episode->end = episode->begin;
	episode->active = 1;
	return episode;
}

/* On behalf of somebody, who is told by the tracepoint what the run is for. */
static __always_inline int begin_for(__u32 type, __s32 order, __u32 gfp)
{
	struct pr_episode *episode = begin(type, order, gfp);
	struct scan_control *run;

	if (!episode || type == PR_SOFT_LIMIT)
		return 0;
	run = current_run();
	if (!run)
		return 0;
	episode->strange = !is_run(run, order, gfp);
	if (episode->strange)
		COUNT(read_failures);
	else
		read_run(episode, run);
	return 0;
}

static __always_inline bool is_drawn(void)
{
	return bpf_get_prandom_u32() < span_share;
}

/* A bucket that fills by one span an interval. CPUs that ask in the same moment may get one each. */
static __always_inline bool is_within_rate(__u64 now)
{
	__u64 due = *(volatile __u64 *)&span_due;

	if (due > now + span_burst_ns)
		return false;
	if (due < now)
		*(volatile __u64 *)&span_due = now;
	ADD(span_due, span_interval_ns);
	return true;
}

static __always_inline void send_span(const struct pr_episode *episode, const struct who *who,
				      __u64 ns)
{
	struct pr_span *span;

	if (ns < span_threshold_ns)
		return;
	if (!is_drawn()) {
		COUNT_TYPE(episode->type, sampled_out);
		return;
	}
	if (!is_within_rate(bpf_ktime_get_ns())) {
		COUNT_TYPE(episode->type, rate_limited);
		return;
	}
	span = bpf_ringbuf_reserve(&spans, sizeof(*span), 0);
	if (!span) {
		COUNT(ring_drops);
		COUNT_TYPE(episode->type, ring_full);
		return;
	}
	span->who = *who;
	span->episode = *episode;
	bpf_ringbuf_submit(span, BPF_RB_NO_WAKEUP);
}

static __always_inline void add_to_cgroup(const struct pr_episode *episode, const struct who *who,
					  __u64 ns)
{
	struct pr_cgroup_key key = { .type = episode->type };
	struct pr_cgroup *slot;
	__u32 bucket;
	bool fresh;

	if (episode->type != PR_KSWAPD) {
		key.cgroup = who->cgroup;
		key.cgroup_v1 = who->cgroup_v1;
	}
	slot = SLOT(cgroups, &key, episode->type, &fresh);
	if (!slot)
		return;
	if (fresh) {
		slot->key = key;
		slot->used = 1;
	}
	slot->pid = who->pid;
	add_figures(&slot->figures, episode, ns);
	if (ns == 0) {
		ADD(slot->instant, 1);
		return;
	}
	bucket = bucket_of(ns);
	if (bucket < PR_BUCKETS)
		ADD(slot->buckets[bucket], 1);
}

static __always_inline void add_to_request(const struct pr_episode *episode, __u64 ns)
{
	struct pr_request_key key = {
		.type = episode->type,
		.order = episode->order,
		.gfp = episode->gfp,
	};
	struct pr_request *slot;
	bool fresh;

	slot = SLOT(requests, &key, episode->type, &fresh);
	if (!slot)
		return;
	if (fresh) {
		slot->key = key;
		slot->used = 1;
	}
	add_figures(&slot->figures, episode, ns);
}

static __always_inline void add_to_process(const struct pr_episode *episode, const struct who *who,
					   __u64 ns)
{
	struct pr_process_key key = {
		.start_time = who->start_time,
		.pid = who->pid,
		.type = episode->type,
	};
	struct pr_process *slot;
	bool fresh;

	slot = SLOT(processes, &key, episode->type, &fresh);
	if (!slot)
		return;
	if (fresh) {
		slot->key = key;
		slot->who = *who;
	}
	if (ns >= slot->figures.max_ns) {
		slot->order = episode->order;
		slot->gfp = episode->gfp;
	}
	add_figures(&slot->figures, episode, ns);
	if (fresh)
		slot->used = 1;
}

/* Who this thread is: read anew if the number is another thread's, it has executed another program or
 * entered another cgroup. The name may change at any time. */
static __always_inline void know_who(struct pr_running *running)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 started = BPF_CORE_READ(task, start_boottime);
	__u64 executions = BPF_CORE_READ(task, self_exec_id);
	__u64 css_set = 0;

	if (bpf_core_field_exists(task->cgroups))
		css_set = (__u64)BPF_CORE_READ(task, cgroups);
	if (running->started != started || running->executions != executions ||
	    running->css_set != css_set) {
		read_who(&running->who, task, NUMBERS);
		running->started = started;
		running->executions = executions;
		running->css_set = css_set;
	} else {
		bpf_get_current_comm(running->who.comm, sizeof(running->who.comm));
	}
}

static __noinline int account(struct pr_running *running, struct pr_episode *episode)
{
	struct who *who = &running->who;
	__u64 ns = episode->end - episode->begin;

	know_who(running);
	COUNT_TYPE(episode->type, ended);
	if (episode->freed && !episode->lists)
		COUNT_TYPE(episode->type, unseen);
	add_to_cgroup(episode, who, ns);
	add_to_request(episode, ns);
	add_to_process(episode, who, ns);
	send_span(episode, who, ns);
	episode->active = 0;
	return 0;
}

/* `freed`: what the run says that it freed. */
static __always_inline int end(__u32 type, __u64 freed)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct pr_running *running = running_of(tid);
	struct pr_episode *episode;

	if (!running)
		goto unmatched;
	episode = &running->at[type == PR_SOFT_LIMIT];
	if (!episode->active || episode->type != type)
		goto unmatched;
	episode->end = bpf_ktime_get_ns();
	episode->freed = freed;
	account(running, episode);
	if (!running->at[0].active)
		leave(running, tid);
	return 0;
unmatched:
	COUNT_TYPE(type, unmatched);
	return 0;
}

/* kswapd says that it begins, also where it has not slept since it last did. */
static __always_inline int begin_background(__s32 node, __s32 order)
{
	struct pr_running *running = running_of(bpf_get_current_pid_tgid());
	struct pr_episode *episode;

	if (running && running->at[0].active && !kswapd_end_known)
		account(running, &running->at[0]);
	episode = begin(PR_KSWAPD, order, 0);
	if (episode)
		episode->nodes = 1ULL << (node < 63 ? node & 63 : 63);
	return 0;
}

/* It goes to sleep, up to 100 ms after its work was done. */
static __always_inline int end_background(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct pr_running *running = running_of(tid);

	if (!running || !running->at[0].active)
		return 0;
	account(running, &running->at[0]);
	leave(running, tid);
	return 0;
}

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

/* `run`: NULL if the hook was not told it. */
static __noinline int on_list(const struct list *list, struct scan_control *run)
{
	struct pr_running *running = running_of(bpf_get_current_pid_tgid());
	struct pr_episode *episode = NULL;
	__u32 type = PR_OTHER;

	if (running) {
		bool nested = running->at[1].active;

		episode = nested ? &running->at[1] : &running->at[0];
		if (!run && !nested && !episode->strange)
			run = current_run();
	}
	if (episode && episode->active) {
		type = episode->type;
		add_list_to_episode(episode, list);
		if (run)
			read_run(episode, run);
	}
	if (type < PR_TYPES)
		add_list_to_pages(type, list);
	return 0;
}
