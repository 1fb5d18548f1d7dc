/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * An episode that has ended: added to its cgroup, its request and its process, and sent.
 */
#pragma once

#include "buckets.h"
#include "lists.h"
#include "order.bpf.h"
#include "spans.h"
#include "tables.h"
#include "threads.h"
#include "who.bpf.h"

/* Whether somebody asks what was asked for (memwatcher.reclaim.requests). */
const volatile __u32 requests_wanted = 1;

static __always_inline void add_to_cgroup(const struct pr_episode *episode,
					  struct pr_running *running, __u64 ns)
{
	const struct who *who = &running->who;
	struct pr_cgroup_key key = { .type = episode->type };
	struct pr_cgroup *slot;
	__u32 bucket;
	bool fresh;

	if (episode->type != PR_KSWAPD) {
		key.cgroup = who->cgroup;
		key.cgroup_v1 = who->cgroup_v1;
	}
	slot = SLOT(cgroups, &key, __u64, episode->type, &fresh, &running->cgroup_slot);
	if (!slot)
		return;
	if (fresh) {
		slot->key = key;
		smp_wmb();
		slot->used = PR_USED;
	}
	slot->pid = who->pid;
	add_figures(&slot->figures, episode, ns);
	if (ns == 0) {
		ADD(slot->instant, 1);
		return;
	}
	bucket = bucket_of(ns);
	barrier_var(bucket); /* the verifier does not see the bound, and the compiler does */
	if (bucket < PR_BUCKETS)
		ADD(slot->buckets[bucket], 1);
}

static __always_inline void add_to_request(const struct pr_episode *episode,
					   struct pr_running *running, __u64 ns)
{
	struct pr_request_key key = {
		.type = episode->type,
		.order = episode->order,
		.gfp = episode->gfp,
	};
	struct pr_request *slot;
	bool fresh;

	slot = SLOT(requests, &key, __u32, episode->type, &fresh, &running->request_slot);
	if (!slot)
		return;
	if (fresh) {
		slot->key = key;
		smp_wmb();
		slot->used = PR_USED;
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
					   struct pr_running *running, __u64 ns)
{
	struct who *who = &running->who;
	struct pr_process_key key = {
		.start_time = who->start_time,
		.pid = who->pid,
		.type = episode->type,
	};
	struct pr_process *slot;
	bool fresh;

	slot = SLOT(processes, &key, __u64, episode->type, &fresh, &running->process_slot);
	if (!slot)
		return;
	if (fresh)
		slot->key = key;
	if (fresh || has_become(slot, running)) {
		bpf_get_current_comm(who->comm, sizeof(who->comm));
		slot->who = *who;
		slot->executions = running->executions;
	}
	if (ns >= slot->figures.max_ns) {
		slot->order = episode->order;
		slot->gfp = episode->gfp;
	}
	add_figures(&slot->figures, episode, ns);
	if (fresh) {
		smp_wmb();
		slot->used = PR_USED;
	}
}

/* Not inlined: it is long, and seldom called. */
static __noinline int learn_who(struct who *to)
{
	read_who(to, (void *)bpf_get_current_task(), NUMBERS);
	return 0;
}

/* Who this thread is: read anew if the number is another thread's, it has executed another program or
 * entered another cgroup. Its name may change at any time, and is read where it is told. */
static __always_inline void know_who(struct pr_running *running, enum pointers pointers)
{
	struct task_struct *task = current_task(pointers);
	bool loads = loads_current(pointers);
	__u64 started = loads ? task->start_boottime : BPF_CORE_READ(task, start_boottime);
	__u64 executions = loads ? task->self_exec_id : BPF_CORE_READ(task, self_exec_id);
	__u64 css_set = 0;

	if (bpf_core_field_exists(task->cgroups))
		css_set = loads ? (__u64)task->cgroups : (__u64)BPF_CORE_READ(task, cgroups);
	if (running->started == started && running->executions == executions &&
	    running->css_set == css_set)
		return;
	learn_who(&running->who);
	running->started = started;
	running->executions = executions;
	running->css_set = css_set;
}

static __noinline int add_episode(struct pr_running *running, struct pr_episode *episode,
				  struct scan_control *run)
{
	__u64 ns = episode->end - episode->begin;

	COUNT_TYPE(episode->type, ended);
	if (episode->freed && !episode->lists)
		COUNT_TYPE(episode->type, unseen);
	add_to_cgroup(episode, running, ns);
	if (requests_wanted)
		add_to_request(episode, running, ns);
	add_to_process(episode, running, ns);
	if (sends_spans && ns >= span_threshold_ns)
		send_span(episode, &running->who, run);
	episode->active = 0;
	return 0;
}

/* An episode whose run is not over, or else is not kept. */
static __always_inline void account(struct pr_running *running, bool nested,
				    enum pointers pointers)
{
	know_who(running, pointers);
	add_episode(running, &running->at[nested], (void *)running->run[nested]);
}
