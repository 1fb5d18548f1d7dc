// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* Who executes a file, by both ways of reading: what bpf/who.bpf.h is tested with. */
#include "common.bpf.h"
#include "who.bpf.h"

LICENSE;

RING(typed, struct who, 1 << 18);
RING(numbers, struct who, 1 << 18);

static __always_inline int record(void *ring, struct task_struct *task, enum pointers pointers)
{
	struct who *who = bpf_ringbuf_reserve(ring, sizeof(*who), 0);

	if (!who) {
		COUNT(ring_drops);
		return 0;
	}
	read_who(who, task, pointers);
	bpf_ringbuf_submit(who, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec_typed, struct task_struct *task)
{
	return record(&typed, task, TYPED);
}

SEC("raw_tp/sched_process_exec")
int on_exec_numbers(struct bpf_raw_tracepoint_args *ctx)
{
	return record(&numbers, (void *)ctx->args[0], NUMBERS);
}
