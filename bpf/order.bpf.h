/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The order in which user space sees the stores of a program to live memory. A program that publishes a
 * slot fills it, calls smp_wmb() and stores the flag, hash or sequence number that user space reads
 * first.
 */
#pragma once

#include "common.bpf.h"

#ifdef __TARGET_ARCH_arm64

/* Always empty. Nothing but its lock is used. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} order_lock SEC(".maps");

/*
 * The helper takes the queue's spin lock and releases it. A release followed by an acquisition orders
 * the stores before the release before those after the acquisition: tools/memory-model,
 * "po-unlock-lock-po". (A fetching atomic does it in one instruction, but the arm64 JIT refuses that
 * before 5.18, 1902472b4fa9 "bpf, arm64: Support more atomic operations", and the verifier before
 * 5.12, also in dead code.)
 */
static __always_inline void smp_wmb(void)
{
	__u32 unused;

	barrier();
	bpf_map_peek_elem(&order_lock, &unused);
	bpf_map_peek_elem(&order_lock, &unused);
	barrier();
}

#else

/* x86 keeps the order of stores: only the compiler must keep it as well. */
#define smp_wmb() barrier()

#endif
