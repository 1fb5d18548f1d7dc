/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * From the kernel's structs to our records: a process's memory, activity, cgroup and names. What
 * takes no `pointers` is for iterators only.
 */
#pragma once

#include "kernel/task.h"
#include "procstat.h"
#include "read.bpf.h"
#include "resident.h"
#include "who.bpf.h"

static __always_inline void read_memory(struct procstat_memory *to, struct mm_struct *mm,
					enum pointers pointers)
{
	to->total_vm = READ(pointers, mm, total_vm);
	to->hiwater_vm = READ(pointers, mm, hiwater_vm);
	to->hiwater_rss = READ(pointers, mm, hiwater_rss);
	to->locked_vm = READ(pointers, mm, locked_vm);
	to->data_vm = READ(pointers, mm, data_vm);
	to->stack_vm = READ(pointers, mm, stack_vm);
	to->page_table_bytes = READ(pointers, mm, pgtables_bytes.counter);
	to->hugetlb = bpf_core_field_exists(mm->hugetlb_usage) ?
			      READ(pointers, mm, hugetlb_usage.counter) :
			      0;
	read_resident(to->counters, mm, pointers);
}

static __always_inline void read_activity(struct procstat_activity *to, struct task_struct *task,
					  enum pointers pointers)
{
	to->voluntary_switches = READ(pointers, task, nvcsw);
	to->involuntary_switches = READ(pointers, task, nivcsw);
	to->minor_faults = READ(pointers, task, min_flt);
	to->major_faults = READ(pointers, task, maj_flt);
}

static __always_inline void read_process(struct procstat_process *to, struct task_struct *task,
					 enum pointers pointers)
{
	struct signal_struct *signal = READ(pointers, task, signal);

	to->kind = PROCSTAT_PROCESS;
	to->pid = READ(pointers, task, tgid);
	to->ppid = READ(pointers, task, real_parent, tgid);
	to->uid = READ(pointers, task, real_cred, uid.val);
	to->start_time = READ(pointers, task, start_boottime);
	to->cgroup = cgroup_of(task, &to->cgroup_v1, pointers);
	read_activity(&to->activity, task, pointers);
	to->activity.voluntary_switches += READ(pointers, signal, nvcsw);
	to->activity.involuntary_switches += READ(pointers, signal, nivcsw);
	to->activity.minor_faults += READ(pointers, signal, min_flt);
	to->activity.major_faults += READ(pointers, signal, maj_flt);
	read_names(to->comm, to->executable, task, pointers);
}

/* A thread that is not its process's leader, but for `memory`. */
static __always_inline void read_thread(struct procstat_thread *to, struct task_struct *task,
					enum pointers pointers)
{
	to->kind = PROCSTAT_THREAD;
	to->pid = READ(pointers, task, tgid);
	read_activity(&to->activity, task, pointers);
	read_unfolded(to->unfolded, task);
}

/* Memory of `task`'s process, if it still has it: an exiting one may have given its mm away between
 * finding and reading, and what was read then is somebody else's. */
static __always_inline bool read_task_memory(struct procstat_memory *to, struct task_struct *task,
					     enum pointers pointers)
{
	struct mm_struct *mm = READ(pointers, task, mm);

	if (!mm)
		return false;
	read_memory(to, mm, pointers);
	barrier(); /* else the compiler knows the answer */
	return READ(pointers, task, mm) == mm;
}

static __always_inline void add_unfolded(struct procstat_memory *to, struct task_struct *task)
{
	__s32 unfolded[NR_MM_COUNTERS];

	read_unfolded(unfolded, task);
	for (int c = 0; c < NR_MM_COUNTERS; c++)
		to->counters[c] += unfolded[c];
}
