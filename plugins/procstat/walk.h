/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The same records as an iterator's, where iterators over tasks are refused: a program that is run on
 * demand walks the kernel's list of processes, and of each the list of its threads. It runs under
 * rcu_read_lock (bpf_prog_test_run_raw_tp), which both lists need; a task that leaves meanwhile still
 * leads on. Nothing that it reads has a type, so that every field is copied by a helper.
 *
 * Global functions, so that the verifier walks each once and not once a turn of a loop.
 */
#pragma once

#include "procstat.h"
#include "readers.h"

/* Turns of the loops, one in the other: processes, and threads of a process. */
#define WALK_CHUNK 256
#define WALK_CHUNKS 256

union procstat_record {
	struct procstat_process process;
	struct procstat_thread thread;
};

/* User space sets max_entries, and reads as many as the walk returned. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, union procstat_record);
} walked SEC(".maps");

/* Records so far. */
static __u32 walked_count;

#define TASK_OF(node, member) ((void *)(node) - bpf_core_field_offset(struct task_struct, member))

static __always_inline union procstat_record *next_record(void)
{
	__u32 index = walked_count;
	union procstat_record *to = bpf_map_lookup_elem(&walked, &index);

	if (to)
		walked_count = index + 1;
	else
		COUNT(map_full);
	return to;
}

__noinline int walk_leader(__u64 address)
{
	struct task_struct *task = (void *)address;
	union procstat_record *to = next_record();

	if (!to)
		return 0;
	read_process(&to->process, task, NUMBERS);
	to->process.has_memory = read_task_memory(&to->process.memory, task, NUMBERS);
	if (to->process.has_memory)
		add_unfolded(&to->process.memory, task);
	return 1;
}

__noinline int walk_thread(__u64 address, __u64 leader)
{
	struct task_struct *task = (void *)address;
	union procstat_record *to = next_record();

	if (!to)
		return 0;
	read_thread(&to->thread, task, NUMBERS);
	to->thread.has_memory = !BPF_CORE_READ((struct task_struct *)leader, mm) &&
				read_task_memory(&to->thread.memory, task, NUMBERS);
	return 1;
}

/* Some threads from the list's entry `node` on, up to its `head`; returns the entry to go on from. */
__noinline __u64 walk_some_threads(__u64 node, __u64 head, __u64 leader)
{
	for (int i = 0; i < WALK_CHUNK && node && node != head; i++) {
		__u64 task = (__u64)TASK_OF(node, thread_node);

		if (task != leader)
			walk_thread(task, leader);
		node = (__u64)BPF_CORE_READ((struct list_head *)node, next);
	}
	return node;
}

__noinline int walk_process(__u64 leader)
{
	struct task_struct *task = (void *)leader;
	__u64 head, node;

	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return 0;
	walk_leader(leader);
	head = (__u64)BPF_CORE_READ(task, signal) + bpf_core_field_offset(struct signal_struct, thread_head);
	node = (__u64)BPF_CORE_READ(task, signal, thread_head.next);
	for (int i = 0; i < WALK_CHUNKS && node && node != head; i++)
		node = walk_some_threads(node, head, leader);
	return 1;
}

/* Some processes from the list's entry `node` on, up to `end`; returns the entry to go on from. */
__noinline __u64 walk_some_processes(__u64 node, __u64 end)
{
	for (int i = 0; i < WALK_CHUNK && node && node != end; i++) {
		walk_process((__u64)TASK_OF(node, tasks));
		node = (__u64)BPF_CORE_READ((struct list_head *)node, next);
	}
	return node;
}

/* From this process around the ring to this process: it is the one that cannot leave meanwhile. The
 * list's head is the idle task, a kernel thread. */
static __always_inline int walk_tasks(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 own = (__u64)BPF_CORE_READ(task, group_leader);
	__u64 end = own + bpf_core_field_offset(struct task_struct, tasks);
	__u64 node = (__u64)BPF_CORE_READ((struct list_head *)end, next);

	walked_count = 0;
	walk_process(own);
	for (int i = 0; i < WALK_CHUNKS && node && node != end; i++)
		node = walk_some_processes(node, end);
	if (node != end)
		COUNT(map_full);
	return walked_count;
}
