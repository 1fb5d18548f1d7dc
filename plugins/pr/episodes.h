/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Runs of reclaim from begin to end, by thread.
 *
 * A thread is in one at most, but for the soft limit of cgroup v1, which runs inside of direct
 * reclaim and of kswapd. Pages count for the innermost; the outer one has what is its own.
 */
#pragma once

#include "account.h"
#include "lists.h"
#include "threads.h"

/* The end of kswapd's work is known by a hook; else it is when it was last seen to work. */
const volatile __u32 kswapd_end_known = 0;

static __always_inline struct pr_running *begin(__u32 type, __s32 order, __u32 gfp)
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
	running->run[type == PR_SOFT_LIMIT] = 0;
	return running;
}

/* On behalf of somebody, who is told by the tracepoint what the run is for. */
static __always_inline int begin_for(__u32 type, __s32 order, __u32 gfp, enum pointers pointers)
{
	struct pr_running *running = begin(type, order, gfp);
	struct scan_control *run;

	if (!running || type == PR_SOFT_LIMIT)
		return 0;
	run = current_run(pointers);
	if (!run)
		return 0;
	if (!is_run(run, order, gfp)) {
		running->at[0].strange = 1;
		COUNT(read_failures);
		return 0;
	}
	read_requested(&running->at[0], run);
	running->run[0] = (__u64)run;
	return 0;
}

/* `freed`: what the run says that it freed. */
static __always_inline int end(__u32 type, __u64 freed, enum pointers pointers)
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
	account(running, type == PR_SOFT_LIMIT, pointers);
	if (!running->at[0].active)
		leave(running, tid);
	return 0;
unmatched:
	COUNT_TYPE(type, unmatched);
	return 0;
}

/* kswapd says that it begins, also where it has not slept since it last did. */
static __always_inline int begin_background(__s32 node, __s32 order, enum pointers pointers)
{
	struct pr_running *running = running_of(bpf_get_current_pid_tgid());

	if (running && running->at[0].active && !kswapd_end_known)
		account(running, false, pointers);
	running = begin(PR_KSWAPD, order, 0);
	if (running)
		running->at[0].nodes = 1ULL << (node < 63 ? node & 63 : 63);
	return 0;
}

/* It goes to sleep, up to 100 ms after its work was done. */
static __always_inline int end_background(enum pointers pointers)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct pr_running *running = running_of(tid);

	if (!running || !running->at[0].active)
		return 0;
	account(running, false, pointers);
	leave(running, tid);
	return 0;
}
