/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What reclaim found on its lists of pages, and the run that looked at them.
 */
#pragma once

#include "kernel/vmscan.h"
#include "pr.h"
#include "read.bpf.h"

#define STATE_BIT(field) (1ULL << (__builtin_offsetof(struct pr_states, field) / sizeof(__u64)))

/* A field that a kernel dropped leaves its bit unset: unknown is not 0. */
#define READ_STATE(to, known, field, pointers, stat, member)              \
	({                                                                \
		if (bpf_core_field_exists((stat)->member)) {              \
			(to)->field = READ(pointers, stat, member);       \
			*(known) |= STATE_BIT(field);                     \
		}                                                         \
	})

static __always_inline void read_states(struct pr_states *to, __u64 *known,
					struct reclaim_stat *stat, enum pointers pointers)
{
	*known = 0;
	READ_STATE(to, known, dirty, pointers, stat, nr_dirty);
	READ_STATE(to, known, unqueued_dirty, pointers, stat, nr_unqueued_dirty);
	READ_STATE(to, known, congested, pointers, stat, nr_congested);
	READ_STATE(to, known, writeback, pointers, stat, nr_writeback);
	READ_STATE(to, known, immediate, pointers, stat, nr_immediate);
	READ_STATE(to, known, pageout, pointers, stat, nr_pageout);
	READ_STATE(to, known, referenced, pointers, stat, nr_ref_keep);
	READ_STATE(to, known, unmap_failed, pointers, stat, nr_unmap_fail);
	READ_STATE(to, known, lazyfree_failed, pointers, stat, nr_lazyfree_fail);
	READ_STATE(to, known, demoted, pointers, stat, nr_demoted);
	to->activated = READ(pointers, stat, nr_activate[0]) + READ(pointers, stat, nr_activate[1]);
	*known |= STATE_BIT(activated);
}

/* The classic tracepoint writes fewer of them. */
static __always_inline void
read_traced_states(struct pr_states *to, __u64 *known,
		   struct trace_event_raw_mm_vmscan_lru_shrink_inactive *ctx)
{
	*known = STATE_BIT(dirty) | STATE_BIT(writeback) | STATE_BIT(congested) |
		 STATE_BIT(immediate) | STATE_BIT(activated) | STATE_BIT(referenced) |
		 STATE_BIT(unmap_failed);
	to->dirty = ctx->nr_dirty;
	to->writeback = ctx->nr_writeback;
	to->congested = ctx->nr_congested;
	to->immediate = ctx->nr_immediate;
	to->activated = ctx->nr_activate0;
	to->activated += ctx->nr_activate1;
	to->referenced = ctx->nr_ref_keep;
	to->unmap_failed = ctx->nr_unmap_fail;
}

/*
 * The run that this thread is in, if it is in one: a task in reclaim points to the reclaim_state of
 * its scan_control, and there is no other kind. It needs no hook in the functions that are handed
 * the scan_control, and so works where none is allowed. Inside of PR_SOFT_LIMIT it is the outer run.
 */
static __always_inline struct scan_control *current_run(enum pointers pointers)
{
	struct task_struct___reclaim *task = (void *)current_task(pointers);
	void *state;

	if (!bpf_core_field_exists(task->reclaim_state) ||
	    !bpf_core_field_exists(struct scan_control, reclaim_state))
		return NULL;
	state = loads_current(pointers) ? task->reclaim_state : BPF_CORE_READ(task, reclaim_state);
	return state ? state - bpf_core_field_offset(struct scan_control, reclaim_state) : NULL;
}

/* Whether that is the run which a tracepoint has just told of. */
static __always_inline bool is_run(struct scan_control *run, __s32 order, __u32 gfp)
{
	return BPF_CORE_READ(run, order) == order && BPF_CORE_READ(run, gfp_mask) == gfp;
}

/* What the run is after. Background reclaim has a new aim every round: the largest counts. */
static __always_inline void read_requested(struct pr_episode *to, struct scan_control *run)
{
	__u64 requested = BPF_CORE_READ(run, nr_to_reclaim);

	if (requested > to->requested)
		to->requested = requested;
}

/* How desperate it is now. It may begin anew, so the lowest is looked for list by list. */
static __always_inline void read_priority(struct pr_episode *to, struct scan_control *run)
{
	__s32 priority = BPF_CORE_READ(run, priority);

	if (priority < 0)
		priority = 0; /* it has been through them all */
	if (to->priority < 0 || priority < to->priority)
		to->priority = priority;
}

/* Whose limit it is about, as long as it is not over. */
static __always_inline void read_target(struct pr_episode *to, struct scan_control *run)
{
	struct mem_cgroup *target;
	struct cgroup *cgroup;

	if (!bpf_core_field_exists(run->target_mem_cgroup))
		return;
	target = BPF_CORE_READ(run, target_mem_cgroup);
	if (!target)
		return;
	cgroup = BPF_CORE_READ(target, css.cgroup);
	to->target = BPF_CORE_READ(cgroup, kn, id);
	to->target_level = BPF_CORE_READ(cgroup, level);
}
