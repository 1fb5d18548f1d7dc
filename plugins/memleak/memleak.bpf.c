// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Allocations of processes: every allocator's functions are probed as they begin and return, by one
 * program of a session link, by two of a link for many places, or by perf events, which before 5.15
 * cannot say which function it was: for them there is a program a shape.
 */
#include <linux/errno.h>
#include <linux/ptrace.h>
#include "common.bpf.h"
#include "user/calls.h"
#include "user/happenings.h"
#include "user/memleak.h"
#include "user/own-stack.h"
#include "user/passes.h"
#include "user/registers.h"

LICENSE;

/* `cookie`: an enum ml_shape, constant or not. */
static __always_inline enum answer enter(struct pt_regs *ctx, __u64 cookie)
{
	__u64 first = PT_REGS_PARM1(ctx), second = PT_REGS_PARM2(ctx), third = PT_REGS_PARM3(ctx);
	struct request request = {
		.shape = cookie & ML_SHAPE,
		.leaf = cookie & ML_LEAF,
		.exits = cookie & ML_EXITS,
	};
	struct ml_thread *thread = thread_of_group(cookie >> ML_GROUP_BIT);

	if (!thread)
		return SKIP_RETURN;
	thread->counts.hits++;
	switch (request.shape) {
	case ML_FREE:
		return on_free(thread, first);
	case ML_MUNMAP:
		return on_unmap(thread, first, second);
	case ML_NEW:
		on_new(ctx, thread);
		return SKIP_RETURN;
	case ML_MALLOC:
	case ML_SBRK:
		request.size = first;
		break;
	case ML_CALLOC:
		request.size = product(first, second);
		break;
	case ML_REALLOC:
		request.old = first;
		request.size = second;
		break;
	case ML_REALLOCARRAY:
		request.old = first;
		request.size = product(second, third);
		break;
	case ML_ALIGNED_ALLOC:
	case ML_MMAP:
		request.size = second;
		break;
	case ML_POSIX_MEMALIGN:
		request.out = first;
		request.size = third;
		break;
	case ML_MREMAP:
		request.old = first;
		request.size = third;
		break;
	default:
		return SKIP_RETURN;
	}
	return on_call(ctx, thread, &request);
}

/* What a session runs as a function returns is where it returns to, and not where it began. */
SEC("uprobe")
int session(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	if (PT_REGS_IP(ctx) != bpf_get_func_ip(ctx))
		return on_return(ctx);
	return enter(ctx, bpf_get_attach_cookie(ctx));
}

/* The kernel removes the probe of a program that returns 1 (until 6.13). */
SEC("uprobe")
int multi_entry(struct pt_regs *ctx)
{
	OWN_STACK_BY(nowhere_else, ctx);
	enter(ctx, bpf_get_attach_cookie(ctx) & ~(__u64)ML_LEAF);
	return 0;
}

SEC("uretprobe")
int any_return(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	return on_return(ctx);
}

SEC("uprobe")
int at_exit(struct pt_regs *ctx)
{
	OWN_STACK_BY(nowhere_else, ctx);
	return on_ret(ctx);
}

#define ENTRY(name, shape)                  \
	SEC("uprobe")                       \
	int entry_##name(struct pt_regs *ctx) \
	{                                   \
		OWN_STACK(ctx);             \
		enter(ctx, shape);          \
		return 0;                   \
	}

ENTRY(malloc, ML_MALLOC)
ENTRY(calloc, ML_CALLOC)
ENTRY(realloc, ML_REALLOC)
ENTRY(reallocarray, ML_REALLOCARRAY)
ENTRY(aligned_alloc, ML_ALIGNED_ALLOC)
ENTRY(posix_memalign, ML_POSIX_MEMALIGN)
ENTRY(free, ML_FREE)
ENTRY(new, ML_NEW)
ENTRY(mmap, ML_MMAP)
ENTRY(munmap, ML_MUNMAP)
ENTRY(mremap, ML_MREMAP)
ENTRY(sbrk, ML_SBRK)

/* Of functions that may leave by an exception. */
ENTRY(exits_malloc, ML_MALLOC | ML_EXITS)
ENTRY(exits_calloc, ML_CALLOC | ML_EXITS)
ENTRY(exits_realloc, ML_REALLOC | ML_EXITS)
ENTRY(exits_reallocarray, ML_REALLOCARRAY | ML_EXITS)
ENTRY(exits_aligned_alloc, ML_ALIGNED_ALLOC | ML_EXITS)
ENTRY(exits_posix_memalign, ML_POSIX_MEMALIGN | ML_EXITS)

HAPPENINGS(btf, "tp_btf/", TYPED)
HAPPENINGS(raw, "raw_tp/", NUMBERS)

SEC("iter/task")
int registers(struct bpf_iter__task *ctx)
{
	return tell_registers(ctx, true);
}

SEC("iter/task")
int registers_on_stack(struct bpf_iter__task *ctx)
{
	return tell_registers(ctx, false);
}
