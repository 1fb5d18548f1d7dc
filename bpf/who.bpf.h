/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Who does what a hook sees: enough to name the process and its cgroup after it is gone.
 */
#pragma once

#include "kernel/task.h"
#include "read.bpf.h"

#define COMM_SIZE 16
#define EXECUTABLE_SIZE 64

struct who {
	__u64 start_time; /* of the process, CLOCK_BOOTTIME, ns */
	__u64 cgroup;	  /* kernfs id, 0 if unknown */
	__u32 cgroup_v1;  /* 1: `cgroup` is in the memory controller's own hierarchy */
	__u32 pid;	  /* of the process */
	__u32 tid;
	__u32 kernel_thread; /* 1: it has no memory of its own */
	char comm[COMM_SIZE]; /* of the thread */
	/* base name of the file that it runs; empty for kernel threads */
	char executable[EXECUTABLE_SIZE];
};

/* What /proc/PID/cgroup calls the task's cgroup: the v2 one, or where that is only the root, as on
 * a host with v1 controllers, the memory controller's. `*v1` says which. */
static __always_inline __u64 cgroup_of(struct task_struct *task, __u32 *v1,
				       enum pointers pointers)
{
	struct cgroup *cgroup;

	*v1 = 0;
	if (!bpf_core_field_exists(task->cgroups)) /* without CONFIG_CGROUPS */
		return 0;
	cgroup = READ(pointers, task, cgroups, dfl_cgrp);
	if (READ(pointers, cgroup, level) == 0 &&
	    bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
		const __u64 memory = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
		struct cgroup_subsys_state *css = pointers == TYPED ?
							  task->cgroups->subsys[memory] :
							  task_css(task, memory);
		struct cgroup *controlled = READ(pointers, css, cgroup);

		if (controlled && controlled != cgroup) {
			*v1 = 1;
			return READ(pointers, controlled, kn, id);
		}
	}
	return READ(pointers, cgroup, kn, id);
}

/* Both names, whole: no rest of another process's longer one behind the NUL. Aligned to 8, or
 * clearing takes an instruction a byte. */
static __always_inline void read_names(char *comm, char *executable, struct task_struct *task,
				       enum pointers pointers)
{
	const unsigned char *name;

	__builtin_memset(__builtin_assume_aligned(comm, 8), 0, COMM_SIZE);
	__builtin_memset(__builtin_assume_aligned(executable, 8), 0, EXECUTABLE_SIZE);
	bpf_probe_read_kernel_str(comm, COMM_SIZE, &task->comm);
	name = READ(pointers, task, mm, exe_file, f_path.dentry, d_name.name);
	bpf_probe_read_kernel_str(executable, EXECUTABLE_SIZE, name);
}

static __always_inline void read_who(struct who *to, struct task_struct *task,
				     enum pointers pointers)
{
	struct task_struct *leader = READ(pointers, task, group_leader);

	to->start_time = READ(pointers, leader, start_boottime);
	to->cgroup = cgroup_of(task, &to->cgroup_v1, pointers);
	to->pid = READ(pointers, task, tgid);
	to->tid = READ(pointers, task, pid);
	to->kernel_thread = !!(READ(pointers, task, flags) & PF_KTHREAD);
	read_names(to->comm, to->executable, task, pointers);
}
