/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * An episode that has ended: added to its cgroup, its request and its process, and sent.
 */
#pragma once

#include "buckets.h"
#include "lists.h"
#include "spans.h"
#include "tables.h"
#include "threads.h"
#include "who.bpf.h"

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

/* Whether the process is not what it was when its slot was filled. Of its cgroup its first thread
 * decides: before v2 they need not all be in the same. */
static __always_inline bool has_become(const struct pr_process *slot,
				       const struct pr_running *running)
{
	const struct who *who = &running->who;

	return slot->executions != running->executions ||
	       (who->tid == who->pid && slot->who.cgroup != who->cgroup);
}

static __always_inline void add_to_process(const struct pr_episode *episode,
					   const struct pr_running *running, __u64 ns)
{
	const struct who *who = &running->who;
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
	if (fresh)
		slot->key = key;
	if (fresh || has_become(slot, running)) {
		slot->who = *who;
		slot->executions = running->executions;
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
	add_to_process(episode, running, ns);
	send_span(episode, who, ns);
	episode->active = 0;
	return 0;
}
