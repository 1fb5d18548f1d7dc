/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A program that runs when user space asks for it, and returns a number. There are three ways, for a
 * kernel or its policy may refuse any of them: a raw tracepoint's program that is never attached and
 * run by BPF_PROG_TEST_RUN; a syscall program (since 5.14), run the same way; and an iterator over
 * tasks that acts on the first one and writes the number. core/bpf/on-demand.ts runs any of them.
 */
#pragma once

#include "common.bpf.h"
#include "kernel/task.h"

/* `act`: int act(struct task_struct *task), a task that is alive: the one that asks, but of the
 * iterator, which need not call a helper for it, the first. */
#define ON_DEMAND(name, act)                                                    \
	SEC("raw_tp")                                                           \
	int name(void *ctx)                                                     \
	{                                                                       \
		return act((void *)bpf_get_current_task());                     \
	}                                                                       \
	SEC("syscall")                                                          \
	int name##_syscall(void *ctx)                                           \
	{                                                                       \
		return act((void *)bpf_get_current_task());                     \
	}                                                                       \
	SEC("iter/task")                                                        \
	int name##_iterator(struct bpf_iter__task *ctx)                         \
	{                                                                       \
		struct task_struct *task = ctx->task;                           \
		int result;                                                     \
                                                                                \
		if (!task || ctx->meta->seq_num)                                \
			return 0;                                               \
		result = act(task);                                             \
		bpf_seq_write(ctx->meta->seq, &result, sizeof(result));         \
		return 0;                                                       \
	}
