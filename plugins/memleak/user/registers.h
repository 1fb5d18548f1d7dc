/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The registers that the threads of a process have in user space, which lie on their kernel stacks
 * while they are in the kernel. Of a thread that runs they are those of its last way in, at most a
 * tick ago.
 */
#pragma once

#include "kernel/task.h"
#include "memleak.h"

/* Of every x86-64 kernel and of arm64 with pages of 4 KiB, without KASAN. */
#define THREAD_SIZE (4 * 4096)

/* Whose registers are asked for: a thread group id. */
__u32 registers_of = 0;

/* The record of a pass: its type is in the object's BTF by it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ml_registers);
} registers_record SEC(".maps");

/* `has_helper`: bpf_task_pt_regs (5.15); else they are at the end of the stack. */
static __always_inline int tell_registers(struct bpf_iter__task *ctx, bool has_helper)
{
	struct task_struct *task = ctx->task;
	__u32 size = bpf_core_type_size(struct pt_regs), zero = 0;
	struct ml_registers *told;
	void *registers;

	if (!task || (__u32)task->tgid != registers_of)
		return 0;
	told = bpf_map_lookup_elem(&registers_record, &zero);
	if (!told)
		return 0;
	told->tid = task->pid;
	told->count = 0;
	if (has_helper)
		registers = (void *)bpf_task_pt_regs(task);
	else
		registers = task->stack + THREAD_SIZE - size;
	if (size > sizeof(told->words))
		size = sizeof(told->words);
	if (bpf_probe_read_kernel(told->words, size, registers))
		COUNT(read_failures);
	else
		told->count = size / sizeof(__u64);
	bpf_seq_write(ctx->meta->seq, told, sizeof(*told));
	return 0;
}
