/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Where the walk of a stack starts: at the caller of the allocator, or where that is operator new at
 * the caller of this. Libraries are built without frame pointers, so what lies above malloc in
 * operator new could not be found as malloc returns; it is taken down as operator new begins.
 */
#pragma once

#include "common.bpf.h"
#include "memleak.h"
#include "targets.h"

#define MAX_NEWS 2
/* Bytes of an operator new's code, and of its frame, at most. */
#define NEW_CODE 512
#define NEW_FRAME 256

/* The frame at which the frame pointers begin, and those within it. */
struct start {
	__u64 address;
	__u64 pointer; /* as the code at `address` has it, as is `sp` */
	__u64 sp;
	__u64 new[MAX_NEWS]; /* in operator new, innermost first */
	__u32 news;
};

/* Whether what returns to `address` was called by that operator new, as it was seen to begin. */
static __always_inline bool is_in(const struct ml_new *new, __u64 address, __u64 sp)
{
	return address - new->function < NEW_CODE && new->sp - sp < NEW_FRAME;
}

static __always_inline int on_new(struct pt_regs *ctx, struct ml_thread *thread)
{
	struct ml_new new = {
		.function = PT_REGS_IP(ctx),
		.pointer = PT_REGS_FP(ctx),
		.sp = PT_REGS_SP(ctx),
	};

	if (bpf_probe_read_user(&new.caller, sizeof(new.caller), (void *)new.sp)) {
		thread->news = 0;
	} else if (thread->news && is_in(&thread->new[0], new.caller, new.sp)) {
		thread->new[1] = new;
		thread->news = 2;
	} else {
		thread->new[0] = new;
		thread->news = 1;
	}
	return 0;
}

/* As the allocator returns. */
static __always_inline struct start start_of(const struct ml_thread *thread, struct pt_regs *regs)
{
	struct start start = {
		.address = PT_REGS_IP(regs),
		.pointer = PT_REGS_FP(regs),
		.sp = PT_REGS_SP(regs),
	};
	const struct ml_new *inner = thread->news > 1 ? &thread->new[1] : &thread->new[0];
	__u64 caller;

	/* It has not returned yet. */
	if (thread->exits) {
		start.address = thread->caller;
		start.sp += sizeof(long);
	}
	if (!thread->news || !is_in(inner, start.address, start.sp))
		return start;
	/* it may have ended long since, and others may lie where it did */
	if (bpf_probe_read_user(&caller, sizeof(caller), (void *)inner->sp) || caller != inner->caller)
		return start;
	start.new[0] = start.address;
	start.new[1] = inner->caller;
	start.news = thread->news;
	start.address = thread->new[0].caller;
	start.pointer = thread->new[0].pointer;
	start.sp = thread->new[0].sp + sizeof(long);
	return start;
}
