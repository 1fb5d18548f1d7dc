/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Processes that are followed, and their threads.
 */
#pragma once

#include "common.bpf.h"
#include "kernel/task.h"
#include "memleak.h"
#include "read.bpf.h"

#define ADD(to, amount) __sync_fetch_and_add(&(to), amount)

/* From process to target. User space adds; who has exited or runs another program is removed here. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} followed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct ml_target);
} targets SEC(".maps");

/* By bpf_get_current_pid_tgid(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct ml_thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ML_LINES);
	__type(key, __u32);
	__type(value, struct ml_strangers);
} strangers SEC(".maps");

/* Never written: what a new thread is copied from. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ml_thread);
} blank SEC(".maps");

#define COUNT_TARGET(number, field, amount)                                        \
	({                                                                         \
		__u32 _number = number;                                            \
		struct ml_target *_target = bpf_map_lookup_elem(&targets, &_number); \
		if (_target)                                                       \
			ADD(_target->field, amount);                               \
	})

/* /proc tells the start of a process in ticks of 10 ms. */
#define TICK_NS 10000000ULL

static __always_inline bool is_process(const struct ml_target *target)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 start_time = BPF_CORE_READ(task, group_leader, start_boottime);

	return start_time / TICK_NS == target->start_time / TICK_NS;
}

/* The first call of a thread. NULL if its process is not followed, or there is no room. */
static __noinline struct ml_thread *new_thread(__u64 id)
{
	__u32 pid = id >> 32, zero = 0, *number = bpf_map_lookup_elem(&followed, &pid);
	struct ml_target *target = number ? bpf_map_lookup_elem(&targets, number) : NULL;
	struct ml_thread *thread = bpf_map_lookup_elem(&blank, &zero);

	if (!target || !thread || !is_process(target))
		return NULL;
	bpf_map_update_elem(&threads, &id, thread, BPF_NOEXIST);
	thread = bpf_map_lookup_elem(&threads, &id);
	if (!thread) {
		COUNT(map_full);
		ADD(target->missed_allocations, 1);
		return NULL;
	}
	thread->target = *number;
	return thread;
}

static __always_inline struct ml_thread *current_thread(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ml_thread *thread = bpf_map_lookup_elem(&threads, &id);

	return thread ? thread : new_thread(id);
}

static __always_inline void count_stranger(void)
{
	__u32 number = bpf_get_current_pid_tgid() & (ML_LINES - 1);
	struct ml_strangers *line = bpf_map_lookup_elem(&strangers, &number);

	if (line)
		line->hits++;
}

/*
 * The thread, if a link of that group is to see it. While a process goes over from links of its own to
 * shared ones, or back, it has both, and is seen by both: of one hit the kernel asks one link before the
 * other, and what neither saw would be lost. What both see counts once: of a call the stack pointer tells, and
 * what is freed is gone.
 */
static __always_inline struct ml_thread *thread_of_group(__u32 group)
{
	struct ml_thread *thread = current_thread();
	struct ml_target *target;
	__u32 number;

	if (thread) {
		number = thread->target;
		target = bpf_map_lookup_elem(&targets, &number);
		if (target && (target->group == group || target->also == group))
			return thread;
	}
	/* Who is no target pays for the link, and so does a target of another group. */
	if (group)
		count_stranger();
	return NULL;
}

static __always_inline void add_counts(struct ml_counts *to, const struct ml_counts *counts)
{
	ADD(to->hits, counts->hits);
	ADD(to->recorded, counts->recorded);
	ADD(to->unknown_frees, counts->unknown_frees);
}

/* A thread that will not come again: what it counted is its target's. */
static __always_inline void drop_thread(__u64 id)
{
	struct ml_thread *thread = bpf_map_lookup_elem(&threads, &id);
	struct ml_target *target;
	struct ml_counts counts;
	__u32 number;

	if (!thread)
		return;
	counts = thread->counts;
	number = thread->target;
	if (bpf_map_delete_elem(&threads, &id))
		return;
	target = bpf_map_lookup_elem(&targets, &number);
	if (target)
		add_counts(&target->gone, &counts);
}
