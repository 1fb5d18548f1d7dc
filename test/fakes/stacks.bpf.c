// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* The kernel stack of one task that sleeps, as addresses. */
#include "common.bpf.h"
#include "kernel/task.h"

LICENSE;

#define MAX_FRAMES 64

const volatile __s32 wanted = 0;

__u64 frames[MAX_FRAMES];

SEC("iter/task")
int read_stack(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	long bytes;

	if (!task || task->pid != wanted)
		return 0;
	bytes = bpf_get_task_stack(task, frames, sizeof(frames), 0);
	if (bytes > 0)
		bpf_seq_write(ctx->meta->seq, frames, sizeof(frames));
	return 0;
}
