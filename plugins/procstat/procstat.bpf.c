// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Memory of every process, exact to the page.
 *
 * A pass of a task iterator writes one record a process and one a thread. What it writes as memory
 * depends on the strategy: what it reads there and then (`collect`), or what a scheduler hook read
 * when the process was last switched out, and its counters therefore stood still (`collect_*`). Where
 * task iterators are refused, `collect_list` walks the kernel's list of tasks (walk.h).
 */
#include <linux/ptrace.h>
#include "common.bpf.h"
#include "kernel/task.h"
#include "procstat.h"
#include "readers.h"
#include "walk.h"

LICENSE;

/* How old a process's recorded memory must be before a switch renews it. */
const volatile __u64 refresh_ns = 1000000000;

struct recorded {
	__u64 start_time; /* of the process: tells a reused pid */
	__u64 read_at;
	__u64 missed; /* it was switched out since, too soon to be read again */
	struct procstat_memory memory;
};

/* Recorded memory by pid. Entries are made by the iterator and dropped when the process exits: the
 * hooks only renew them, so that nothing is allocated while a run queue is locked. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct recorded);
} by_pid SEC(".maps");

/* The same in the leader's task storage: no capacity, and gone with the task. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct recorded);
} by_task SEC(".maps");

/* Records are too large for the stack. [0] is the iterators', [1] the hooks', which may interrupt. */
struct scratch {
	struct procstat_process process;
	struct procstat_thread thread;
	struct recorded recorded;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

static __always_inline struct scratch *scratch_of(__u32 index)
{
	return bpf_map_lookup_elem(&scratch, &index);
}

enum source { READ_NOW, BY_PID, BY_TASK };

/* What a hook last recorded of the process, made here on first sight; NULL: nothing can be kept. */
static __always_inline struct recorded *recorded_of(struct task_struct *leader, __u32 pid,
						    struct recorded *first, enum source source)
{
	struct recorded *known;

	if (source == BY_TASK) {
		known = bpf_task_storage_get(&by_task, leader, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!known) {
			COUNT(map_full);
			return NULL;
		}
	} else {
		known = bpf_map_lookup_elem(&by_pid, &pid);
	}
	first->start_time = leader->start_boottime;
	/* what grew in the same second in which it fell asleep would never be seen: read it here */
	if (known && known->read_at && known->start_time == first->start_time &&
	    !(known->missed && bpf_ktime_get_ns() - known->read_at >= refresh_ns))
		return known;
	if (!read_task_memory(&first->memory, leader, TYPED))
		return NULL;
	add_unfolded(&first->memory, leader);
	first->read_at = bpf_ktime_get_ns();
	first->missed = 0;
	if (source == BY_TASK)
		*known = *first;
	else if (bpf_map_update_elem(&by_pid, &pid, first, BPF_ANY))
		COUNT(map_full);
	return first;
}

static __always_inline bool read_leader_memory(struct procstat_memory *to, struct task_struct *leader,
					       __u32 pid, struct recorded *first, enum source source)
{
	struct recorded *recorded;

	if (source == READ_NOW) {
		if (!read_task_memory(to, leader, TYPED))
			return false;
		add_unfolded(to, leader);
		return true;
	}
	if (leader->signal->live.counter <= 0)
		return false;
	recorded = recorded_of(leader, pid, first, source);
	if (!recorded)
		return false;
	*to = recorded->memory;
	return true;
}

static __always_inline int visit(struct bpf_iter__task *ctx, enum source source)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task; /* once: a second load is another, unchecked pointer */
	struct procstat_process *process;
	struct procstat_thread *thread;
	struct scratch *room;
	__u32 pid;

	if (!task || task->flags & PF_KTHREAD)
		return 0;
	room = scratch_of(0);
	if (!room)
		return 0;
	pid = task->tgid;
	if (pid == (__u32)task->pid) {
		process = &room->process;
		read_process(process, task, TYPED);
		process->has_memory =
			read_leader_memory(&process->memory, task, pid, &room->recorded, source);
		bpf_seq_write(seq, process, sizeof(*process));
		return 0;
	}
	thread = &room->thread;
	read_thread(thread, task, TYPED);
	if (source != READ_NOW)
		__builtin_memset(thread->unfolded, 0, sizeof(thread->unfolded));
	thread->has_memory = !task->group_leader->mm &&
			     read_task_memory(&thread->memory, task, TYPED);
	if (thread->has_memory)
		bpf_seq_write(seq, thread, sizeof(*thread));
	else
		bpf_seq_write(seq, thread, __builtin_offsetof(struct procstat_thread, memory));
	return 0;
}

SEC("iter/task")
int collect(struct bpf_iter__task *ctx)
{
	if (ctx->meta->seq_num == 0)
		find_cpu_offsets();
	return visit(ctx, READ_NOW);
}

SEC("iter/task")
int collect_by_pid(struct bpf_iter__task *ctx)
{
	if (ctx->meta->seq_num == 0)
		find_cpu_offsets();
	return visit(ctx, BY_PID);
}

SEC("iter/task")
int collect_by_task(struct bpf_iter__task *ctx)
{
	if (ctx->meta->seq_num == 0)
		find_cpu_offsets();
	return visit(ctx, BY_TASK);
}

/* Before 6.2 the pages that other threads of the process have not yet added are not in it. */
static __always_inline int renew(struct recorded *recorded, struct task_struct *prev,
				 enum pointers pointers)
{
	__u64 now = bpf_ktime_get_ns();
	struct scratch *room;

	if (now - recorded->read_at < refresh_ns) {
		if (!recorded->missed)
			recorded->missed = 1;
		return 0;
	}
	room = scratch_of(1);
	if (!room || !read_task_memory(&room->recorded.memory, prev, pointers))
		return 0;
	add_unfolded(&room->recorded.memory, prev);
	recorded->missed = 0;
	recorded->read_at = now;
	recorded->memory = room->recorded.memory;
	return 0;
}

static __always_inline int renew_by_pid(struct task_struct *prev, enum pointers pointers)
{
	struct recorded *recorded;
	__u32 pid;

	if (READ(pointers, prev, flags) & (PF_KTHREAD | PF_EXITING))
		return 0;
	pid = READ(pointers, prev, tgid);
	recorded = bpf_map_lookup_elem(&by_pid, &pid);
	return recorded ? renew(recorded, prev, pointers) : 0;
}

/* `prev` was just switched out: its counters cannot move until it runs again. */
SEC("kprobe/finish_task_switch")
int BPF_KPROBE(on_finish_task_switch, struct task_struct *prev)
{
	return renew_by_pid(prev, NUMBERS);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch_by_pid, bool preempt, struct task_struct *prev)
{
	return renew_by_pid(prev, TYPED);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch_by_task, bool preempt, struct task_struct *prev)
{
	struct recorded *recorded;

	if (prev->flags & (PF_KTHREAD | PF_EXITING))
		return 0;
	recorded = bpf_task_storage_get(&by_task, prev->group_leader, NULL, 0);
	return recorded ? renew(recorded, prev, TYPED) : 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 pid = task->tgid;

	if (task->signal->live.counter == 0)
		bpf_map_delete_elem(&by_pid, &pid);
	return 0;
}

/* Run on demand. Returns the number of records in `walked`. */
SEC("raw_tp")
int collect_list(void *ctx)
{
	find_cpu_offsets();
	return walk_tasks();
}

/* Run on each CPU, once. Returns 1 if its offset was found. */
SEC("raw_tp")
int find_cpu_offset(void *ctx)
{
	return find_own_offset();
}
