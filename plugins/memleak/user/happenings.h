/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Processes that are followed run another program, fork, exit.
 */
#pragma once

#include "common.bpf.h"
#include "kernel/task.h"
#include "memleak.h"
#include "read.bpf.h"
#include "targets.h"

RING(happenings, struct ml_happening, 1 << 18);

static __always_inline void say(__u32 kind, struct task_struct *task, struct task_struct *child,
				enum pointers pointers)
{
	struct ml_happening *happening =
		bpf_ringbuf_reserve(&happenings, sizeof(*happening), 0);

	if (!happening) {
		COUNT(ring_drops);
		return;
	}
	happening->time = bpf_ktime_get_ns();
	happening->start_time = READ(pointers, task, group_leader, start_boottime);
	happening->child_start_time = child ? READ(pointers, child, start_boottime) : 0;
	happening->kind = kind;
	happening->pid = READ(pointers, task, tgid);
	happening->child = child ? READ(pointers, child, tgid) : 0;
	happening->unused = 0;
	bpf_ringbuf_submit(happening, BPF_RB_NO_WAKEUP);
}

/* What was recorded is of a program that is no more, and its code is elsewhere: the process is not
 * followed until user space says so again. The thread that is left may have had another number. */
static __always_inline int on_exec(struct task_struct *task, __u32 old_tid, enum pointers pointers)
{
	__u32 pid = READ(pointers, task, tgid);

	if (!bpf_map_lookup_elem(&followed, &pid))
		return 0;
	bpf_map_delete_elem(&followed, &pid);
	drop_thread((__u64)pid << 32 | pid);
	drop_thread((__u64)pid << 32 | old_tid);
	say(ML_EXEC, task, NULL, pointers);
	return 0;
}

static __always_inline int on_exit(struct task_struct *task, enum pointers pointers)
{
	__u32 pid = READ(pointers, task, tgid);

	drop_thread((__u64)pid << 32 | (__u32)READ(pointers, task, pid));
	if (READ(pointers, task, signal, live.counter) || !bpf_map_lookup_elem(&followed, &pid))
		return 0;
	bpf_map_delete_elem(&followed, &pid);
	say(ML_EXIT, task, NULL, pointers);
	return 0;
}

static __always_inline int on_fork(struct task_struct *parent, struct task_struct *child,
				   enum pointers pointers)
{
	__u32 pid = READ(pointers, parent, tgid);

	if (pid == (__u32)READ(pointers, child, tgid) || !bpf_map_lookup_elem(&followed, &pid))
		return 0;
	say(ML_FORK, parent, child, pointers);
	return 0;
}

#define HAPPENINGS(way, section, pointers)                                               \
	SEC(section "sched_process_exec")                                                \
	int BPF_PROG(way##_exec, struct task_struct *task, int old_tid)                  \
	{                                                                                \
		return on_exec(task, old_tid, pointers);                                 \
	}                                                                                \
	SEC(section "sched_process_exit")                                                \
	int BPF_PROG(way##_exit, struct task_struct *task)                               \
	{                                                                                \
		return on_exit(task, pointers);                                          \
	}                                                                                \
	SEC(section "sched_process_fork")                                                \
	int BPF_PROG(way##_fork, struct task_struct *parent, struct task_struct *child)  \
	{                                                                                \
		return on_fork(parent, child, pointers);                                 \
	}
