/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Calls of allocators: what is asked for is known as they begin, the address as they return.
 *
 * Allocators call each other, and only the outermost call counts. Which one that is the stack pointer
 * tells: calls within it have theirs below it, and one at or above it says that it is gone, however it
 * ended (longjmp, a return that the kernel left out).
 */
#pragma once

#include "common.bpf.h"
#include "live.h"
#include "memleak.h"
#include "sampling.h"
#include "slots.h"
#include "starts.h"
#include "targets.h"

const volatile __u64 page_size = 4096;

/* More calls within one than any allocator makes: the outer one is gone. */
#define MAX_NESTED 32

/* What a call asks for. */
struct request {
	__u64 size;
	__u64 old; /* address that it gives back; 0: none */
	__u64 out; /* where it writes the address; 0: it returns it */
	__u32 shape;
	bool leaf; /* calls no other function that is probed */
	bool exits; /* is seen to end at a `ret`: an exception through a return probe ends the process */
};

/* What the link shall do as the call returns; only sessions listen. */
enum answer {
	SEE_RETURN = 0,
	SKIP_RETURN = 1,
};

static __always_inline __u64 product(__u64 a, __u64 b)
{
	__u64 low, high;

	if (!((a | b) >> 32))
		return a * b;
	if (a >> 32 && b >> 32)
		return ~0ULL;
	/* one of them has no high half */
	low = (__u64)(__u32)a * (__u32)b;
	high = (a >> 32) * b + (b >> 32) * a + (low >> 32);
	return high >> 32 ? ~0ULL : high << 32 | (__u32)low;
}

static __always_inline __u64 whole_pages(__u64 bytes)
{
	return (bytes + page_size - 1) & ~(page_size - 1);
}

/* The old address may be another thread's before this call returns: it is taken from the live ones
 * now, and put back if the call fails. */
static __always_inline void take_old(struct ml_thread *thread, __u64 address)
{
	struct ml_key key = { .address = address, .target = thread->target };

	/* A function that went on as another one has taken it already. */
	if (thread->has_old && thread->old_address == address)
		return;
	if (thread->has_old)
		count_freed(&thread->old);
	thread->has_old = address && take(&key, &thread->old);
	thread->old_address = address;
}

/* Whether the call that is under way has ended by an exception: what it would return to is written over. */
static __always_inline bool has_left(const struct ml_thread *thread)
{
	__u64 caller;

	if (!thread->exits)
		return false;
	return bpf_probe_read_user(&caller, sizeof(caller), (void *)thread->sp) ||
	       caller != thread->caller;
}

static __always_inline enum answer on_call(void *ctx, struct ml_thread *thread,
					    const struct request *request)
{
	__u64 sp = PT_REGS_SP((struct pt_regs *)ctx);
	bool sampled;

	if (thread->sp) {
		if (sp < thread->sp && thread->nested < MAX_NESTED && !has_left(thread)) {
			thread->nested++;
			return SKIP_RETURN;
		}
		if (sp != thread->sp)
			COUNT_TARGET(thread->target, interrupted, 1);
	}
	sampled = is_sampled(thread, request->size);
	if (request->old || thread->has_old)
		take_old(thread, request->old);
	if (!sampled && request->leaf && !thread->has_old) {
		thread->sp = 0;
		return SKIP_RETURN;
	}
	thread->sp = sp;
	thread->nested = 0;
	thread->sampled = sampled;
	thread->shape = request->shape;
	thread->size = request->size;
	thread->out = request->out;
	thread->exits = request->exits;
	if (!request->exits)
		return SEE_RETURN;
	if (bpf_probe_read_user(&thread->caller, sizeof(thread->caller), (void *)sp)) {
		COUNT(read_failures);
		thread->sp = 0;
	}
	return SKIP_RETURN;
}

static __always_inline bool has_failed(const struct ml_thread *thread, __u64 result)
{
	switch (thread->shape) {
	case ML_MMAP:
	case ML_MREMAP:
	case ML_SBRK:
		return result == ~0ULL;
	case ML_POSIX_MEMALIGN:
		return (__u32)result != 0;
	default:
		return result == 0;
	}
}

static __always_inline void settle_old(struct ml_thread *thread, bool failed)
{
	struct ml_key key = { .address = thread->old_address, .target = thread->target };

	/* glibc frees what is to have no bytes, and returns NULL */
	if (failed && thread->size && put(&key, &thread->old))
		goto settled;
	count_freed(&thread->old);
settled:
	thread->has_old = 0;
}

/* Part of a mapping that stays, as a mapping of its own. */
static __noinline int keep_part(struct ml_key *key, const struct ml_live *mapping, __u64 size)
{
	struct ml_live part = *mapping;

	part.size = size;
	if (part.weight != ML_ONE)
		COUNT_TARGET(key->target, approximations, 1);
	if (put(key, &part))
		count_allocated(&part);
	return 0;
}

/*
 * Takes from the front of a range what is mapped there, and gives its bytes; 0 if no mapping is known to
 * begin or to lie there. Which one an address is within is known of the thread's last: who wants
 * memory aligned maps too much, and gives back what is before and behind. Global, so that verifiers walk it
 * once, and given numbers only (5.10).
 */
__noinline __u64 unmap_front(__u64 address, __u64 length)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ml_thread *thread = bpf_map_lookup_elem(&threads, &id);
	struct ml_key key = { .address = address };
	struct ml_live mapping;
	__u64 before = 0, size, end;

	if (!thread)
		return 0;
	key.target = thread->target;
	if (!take(&key, &mapping)) {
		before = address - thread->mapped;
		key.address = thread->mapped;
		if (!before || before >= thread->mapped_size || !take(&key, &mapping))
			return 0;
	}
	size = whole_pages(mapping.size);
	end = before + length;
	if (before >= size) {
		/* it is smaller by now */
		put(&key, &mapping);
		return 0;
	}
	count_freed(&mapping);
	if (before) {
		keep_part(&key, &mapping, before);
		thread->mapped_size = before;
	}
	if (end < size) {
		key.address += end;
		keep_part(&key, &mapping, size - end);
		if (!before) {
			thread->mapped = key.address;
			thread->mapped_size = size - end;
		}
	}
	return size - before;
}

/* Mappings that one call ends or covers, at most. */
#define MAX_MAPPINGS 8

/* False if part of the range was of no mapping that is known. */
static __always_inline bool unmap(__u64 address, __u64 length)
{
	for (__u32 i = 0; i < MAX_MAPPINGS; i++) {
		__u64 taken = unmap_front(address, length);

		if (!taken)
			return false;
		if (taken >= length)
			return true;
		address += taken;
		length -= taken;
	}
	return false;
}

static __always_inline enum answer on_unmap(struct ml_thread *thread, __u64 address, __u64 length)
{
	if (!unmap(address, whole_pages(length)))
		thread->counts.unknown_frees++;
	return SKIP_RETURN;
}

/* What a new mapping lies upon is gone (MAP_FIXED). */
static __always_inline void uncover(struct ml_thread *thread, __u64 address)
{
	__u64 length = whole_pages(thread->size);

	unmap(address, length);
	thread->mapped = address;
	thread->mapped_size = length;
}

static __always_inline void record(void *ctx, struct ml_thread *thread, __u64 address)
{
	struct pt_regs *regs = ctx;
	struct ml_key key = { .address = address, .target = thread->target };
	struct ml_live allocation = {
		.size = thread->size,
		.weight = weight_of(thread->size, thread->interval),
	};

	allocation.where = slot_of_stack(thread, regs) |
			   (bpf_ktime_get_ns() >> 20 << ML_SLOT_BITS);
	if (!put(&key, &allocation))
		return;
	count_allocated(&allocation);
	thread->counts.recorded++;
}

/* What sbrk takes back ends where it returns. */
static __always_inline int shrink_heap(struct ml_thread *thread, __u64 end, bool failed)
{
	struct ml_key key = { .address = end + thread->size, .target = thread->target };
	struct ml_live part;

	if (failed)
		return 0;
	if (!take(&key, &part)) {
		COUNT_TARGET(thread->target, approximations, 1);
		return 0;
	}
	count_freed(&part);
	return 0;
}

static __always_inline int end_call(void *ctx, struct ml_thread *thread)
{
	__u64 result = PT_REGS_RC((struct pt_regs *)ctx);
	bool failed;

	thread->sp = 0;
	failed = has_failed(thread, result);
	if (thread->has_old)
		settle_old(thread, failed);
	if (thread->shape == ML_SBRK && (__s64)thread->size < 0)
		return shrink_heap(thread, result, failed);
	if (failed || !thread->sampled || (thread->shape == ML_SBRK && !thread->size))
		return 0;
	if (thread->out && bpf_probe_read_user(&result, sizeof(result), (void *)thread->out)) {
		COUNT(read_failures);
		COUNT_TARGET(thread->target, missed_allocations, 1);
		COUNT_TARGET(thread->target, missed_bytes, thread->size);
		return 0;
	}
	if (thread->shape == ML_MMAP)
		uncover(thread, result);
	record(ctx, thread, result);
	return 0;
}

static __always_inline int on_return(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ml_thread *thread = bpf_map_lookup_elem(&threads, &id);

	if (!thread)
		return 0;
	thread->counts.hits++;
	/* Of a call within the outermost one, or of one that was not seen to begin. */
	if (!thread->sp || thread->exits || PT_REGS_SP((struct pt_regs *)ctx) <= thread->sp)
		return 0;
	return end_call(ctx, thread);
}

/* At a `ret` that the outermost call may come to; others come by as well, with another stack. */
static __always_inline int on_ret(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ml_thread *thread = bpf_map_lookup_elem(&threads, &id);

	if (!thread)
		return 0;
	thread->counts.hits++;
	if (!thread->sp || !thread->exits || PT_REGS_SP((struct pt_regs *)ctx) != thread->sp)
		return 0;
	return end_call(ctx, thread);
}

static __always_inline enum answer on_free(struct ml_thread *thread, __u64 address)
{
	struct ml_key key = { .address = address, .target = thread->target };
	struct ml_live freed;

	if (!address)
		return SKIP_RETURN;
	if (take(&key, &freed))
		count_freed(&freed);
	else
		thread->counts.unknown_frees++;
	return SKIP_RETURN;
}
