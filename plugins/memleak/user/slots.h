/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Stacks and their slots. A stack is walked along the frame pointers at the return of an allocator,
 * where the caller is in the registers: at its entry kernels before 6.11 miss it. The walk ends where
 * the next address is no code of the process: without frame pointers the register holds anything, and
 * what is no frame would make a new stack of each call.
 *
 * It is hashed as it is walked, and walked a second time to be kept when it is new: nothing needs to
 * hold it in between, for the thread stands still.
 */
#pragma once

#include "common.bpf.h"
#include "memleak.h"
#include "starts.h"
#include "targets.h"

/* Frames of a stack, at most ML_FRAMES. */
const volatile __u32 max_depth = 64;

/* The first slots, one a target, are for what finds no other. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct ml_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct ml_stack);
} stacks SEC(".maps");

/* Slots of nobody: user space fills it, and puts back what it has emptied. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1024);
	__type(value, __u32);
} spare SEC(".maps");

/* Removed by user space before the slot is given back. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct ml_site);
	__type(value, __u32);
} sites SEC(".maps");

/* Farther up than any frame is large, bytes. */
#define MAX_STRIDE (64 << 20)
#define NO_RANGE (2 * ML_RANGES)

/* The range of the target's code that holds `address`, of both sets; NO_RANGE if there is none.
 * Global, so that verifiers walk it once. */
__noinline __u32 range_of(__u32 number, __u64 address)
{
	struct ml_target *target = bpf_map_lookup_elem(&targets, &number);
	__u32 which, at = 0;

	if (!target)
		return NO_RANGE;
	which = target->which & 1;
	/* the last that begins no later; those behind the last one begin at the end of all addresses */
#define STEP(by)                                                                    \
	if (target->code[which][(at + by) & (ML_RANGES - 1)].start <= address)      \
		at += by;
	STEP(32) STEP(16) STEP(8) STEP(4) STEP(2) STEP(1)
#undef STEP
	at &= ML_RANGES - 1;
	if (address < target->code[which][at].start || address >= target->code[which][at].end)
		return NO_RANGE;
	return which * ML_RANGES + at;
}

struct frame {
	__u64 pointer; /* of the caller */
	__u64 address; /* in the caller, where this one returns to */
};

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/* Its hash, never 0. */
static __always_inline __u64 walk(__u32 number, const struct start *start, struct ml_stack *to)
{
	struct ml_target *target = bpf_map_lookup_elem(&targets, &number);
	struct ml_range near = {};
	__u64 hash = 0, address = start->address, pointer = start->pointer, sp = start->sp;
	__u32 end = ML_LIMIT, depth = 0;

	if (!target)
		return 1;
	for (__u32 i = 0; i < MAX_NEWS; i++) {
		if (i >= start->news)
			break;
		hash = mix(hash, start->new[i]);
		if (to)
			to->frames[i] = start->new[i];
		depth = i + 1;
	}
	for (__u32 i = 0; i < ML_FRAMES; i++) {
		struct frame frame;

		hash = mix(hash, address);
		if (to && depth < ML_FRAMES)
			to->frames[depth] = address;
		depth++;
		if (depth >= max_depth)
			break;
		end = ML_END;
		if (pointer < sp || pointer - sp > MAX_STRIDE || pointer % sizeof(long))
			break;
		if (bpf_probe_read_user(&frame, sizeof(frame), (void *)pointer)) {
			end = ML_UNREADABLE;
			break;
		}
		if (frame.address < near.start || frame.address >= near.end) {
			__u32 range = range_of(number, frame.address);

			if (range >= NO_RANGE)
				break;
			/* The verifier forgets the bound; the compiler has to. */
			asm volatile("" : "+r"(range));
			near = target->code[range / ML_RANGES & 1][range % ML_RANGES];
		}
		end = ML_LIMIT;
		sp = pointer + sizeof(frame);
		pointer = frame.pointer;
		address = frame.address;
	}
	if (to) {
		to->depth = depth;
		to->end = end;
	}
	return hash | 1;
}

static __noinline __u64 hash_of_stack(__u32 number, const struct start *start)
{
	return walk(number, start, NULL);
}

static __noinline int keep_stack(__u32 slot, __u32 number, const struct start *start)
{
	struct ml_stack *stack = bpf_map_lookup_elem(&stacks, &slot);

	if (!stack)
		return 0;
	stack->hash = walk(number, start, stack);
	stack->first = bpf_ktime_get_ns();
	return 0;
}

/* A slot for a stack that has none; the target's own if there is no more room. */
static __noinline __u32 new_slot(struct ml_site *site, const struct start *start)
{
	struct ml_slot *slot;
	__u32 number, *known;

	if (bpf_map_pop_elem(&spare, &number))
		goto full;
	slot = bpf_map_lookup_elem(&slots, &number);
	if (!slot)
		goto full;
	keep_stack(number, site->target, start);
	slot->target = site->target;
	slot->hash = site->hash;
	if (!bpf_map_update_elem(&sites, site, &number, BPF_NOEXIST))
		return number;
	slot->hash = 0;
	bpf_map_push_elem(&spare, &number, BPF_ANY);
	known = bpf_map_lookup_elem(&sites, site);
	if (known) /* another thread was faster */
		return *known;
full:
	COUNT(map_full);
	COUNT_TARGET(site->target, without_slot, 1);
	return site->target;
}

/* The slot of the stack that the thread's call returns to. */
static __always_inline __u32 slot_of_stack(struct ml_thread *thread, struct pt_regs *regs)
{
	struct start start = start_of(thread, regs);
	struct ml_site site = { .target = thread->target };
	struct ml_slot *last = bpf_map_lookup_elem(&slots, &thread->slot);
	__u32 *known;

	site.hash = hash_of_stack(site.target, &start);
	if (last && last->hash == site.hash && last->target == site.target)
		return thread->slot;
	known = bpf_map_lookup_elem(&sites, &site);
	thread->slot = known ? *known : new_slot(&site, &start);
	return thread->slot;
}
