/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Since 6.13 the stack of a kprobe's program is one a CPU if it has 64 bytes or more ("bpf: Find
 * eligible subprogs for private stack support"). That rests on programs that are not preempted by
 * themselves, and programs on uprobes, which are of the same type, are: another task's run writes
 * over what the first has on its stack. Programs with a tail call keep to the kernel's stack.
 *
 * The tail call is never come to: the verifier takes it away, after it has been seen.
 */
#pragma once

#include "common.bpf.h"

const volatile __u32 never = 0;

#define NOWHERE(name)                             \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY); \
		__uint(max_entries, 1);           \
		__uint(key_size, sizeof(__u32));  \
		__uint(value_size, sizeof(__u32)); \
	} name SEC(".maps")

NOWHERE(nowhere);
/* Of programs that are attached in another way than the rest: a map is of one way alone. */
NOWHERE(nowhere_else);

#define OWN_STACK_BY(map, ctx) \
	if (never)             \
	bpf_tail_call(ctx, &map, 0)
#define OWN_STACK(ctx) OWN_STACK_BY(nowhere, ctx)
