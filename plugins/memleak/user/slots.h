/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Stacks and their slots. A stack is walked at the return of an allocator, where the caller is in the
 * registers: at its entry kernels before 6.11 miss it.
 *
 * It is hashed as it is walked, and walked a second time to be kept when it is new: nothing needs to
 * hold it in between, for the thread stands still.
 */
#pragma once

#include "common.bpf.h"
#include "memleak.h"
#include "order.bpf.h"
#include "starts.h"
#include "targets.h"
#include "unwind.h"

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

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/* Frames that one call walks. */
#define FRAMES_AT_ONCE 16
/* The walk keeps no frames. */
#define NO_SLOT (~0U)

/*
 * Goes on with the thread's walk, and keeps the frames in `slot`; 0 if there are no more. Global, so that
 * verifiers walk it once and not for each of ML_FRAMES frames of each stack; and so the walk is in the
 * thread, for global functions of 5.10 are given numbers only.
 */
__noinline int walk_some(__u32 slot, __u32 turn)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ml_thread *thread = bpf_map_lookup_elem(&threads, &id);
	struct ml_stack *to = bpf_map_lookup_elem(&stacks, &slot);
	struct ml_range code = {};
	struct ml_target *target;
	__u32 number, depth, end = ML_LIMIT;
	struct place at;
	__u64 hash;

	if (!thread)
		return 0;
	number = thread->target;
	target = bpf_map_lookup_elem(&targets, &number);
	if (!target)
		return 0;
	at = (struct place){ thread->walk.address, thread->walk.pointer, thread->walk.sp };
	hash = thread->walk.hash;
	depth = thread->walk.depth;
	for (__u32 i = 0; i < FRAMES_AT_ONCE; i++) {
		bool is_code = find_code(target, number, at.address, &code);

		if (!is_code && (i || turn)) {
			end = ML_END;
			break;
		}
		hash = mix(hash, at.address);
		barrier_var(to); /* or the compiler adds to it before it is known not to be NULL */
		if (to && depth < ML_FRAMES)
			to->frames[depth] = at.address;
		depth++;
		if (depth >= max_depth)
			break;
		end = step(&at, is_code && code.rows ? row_of(&code, at.address) : ML_UNKNOWN);
		if (end != ML_LIMIT)
			break;
	}
	thread->walk.address = at.address;
	thread->walk.pointer = at.pointer;
	thread->walk.sp = at.sp;
	thread->walk.hash = hash;
	thread->walk.depth = depth;
	thread->walk.end = end;
	return end == ML_LIMIT && depth < max_depth;
}

/* Words above the first frame in which its caller is looked for. */
#define WORDS_SEARCHED 24

/* Whether the instruction before `address` is a call, as compilers make them. */
static __always_inline bool is_behind_call(__u64 address)
{
	__u64 code; /* eight bytes */

	if (bpf_probe_read_user(&code, sizeof(code), (void *)(address - sizeof(code))))
		return false;
	/* call relative, and by ff /2 of two, three, six and seven bytes */
#define IS(at, mask, wanted) is_below(((code >> (8 * (at))) & (mask)) ^ (wanted), 1)
	return IS(3, 0xff, 0xe8) | IS(6, 0x38ff, 0x10ff) | IS(5, 0x38ff, 0x10ff) |
	       IS(2, 0x38ff, 0x10ff) | IS(1, 0x38ff, 0x10ff);
#undef IS
}

/*
 * The caller of code that nobody knows: of a library that was loaded a moment ago, or is gone again
 * before anybody looks. It has no frame pointers, as is seen by then: the next word of the stack that
 * is behind a call in code that is known is taken for where it returns to. Global as walk_some is.
 */
__noinline int find_caller(__u32 number, __u64 address, __u64 pointer, __u64 from, __u32 depth)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ml_thread *thread = bpf_map_lookup_elem(&threads, &id);
	__u64 sp, word;

	if (!thread || thread->walk.depth != depth + 1 || thread->walk.end != ML_END)
		return 0;
	if (range_of(number, address) < NO_RANGE)
		return 0;
	sp = from;
	for (__u32 i = 0; i < WORDS_SEARCHED; i++, sp += sizeof(word)) {
		if (bpf_probe_read_user(&word, sizeof(word), (void *)sp))
			return 0;
		if (range_of(number, word) >= NO_RANGE || !is_behind_call(word))
			continue;
		thread->walk.address = word;
		thread->walk.pointer = pointer;
		thread->walk.sp = sp + sizeof(word);
		return 1;
	}
	return 0;
}

/* Its hash, never 0. `to`: the stack of the slot, if it has one. */
static __always_inline __u64 walk(struct ml_thread *thread, const struct start *start, __u32 slot,
				  struct ml_stack *to)
{
	struct ml_walk *walk = &thread->walk;
	__u32 depth = 0;
	__u64 hash = 0;

	for (__u32 i = 0; i < MAX_NEWS; i++) {
		if (i >= start->news)
			break;
		hash = mix(hash, start->new[i]);
		if (to)
			to->frames[i] = start->new[i];
		depth = i + 1;
	}
	walk->address = start->address;
	walk->pointer = start->pointer;
	walk->sp = start->sp;
	walk->hash = hash;
	walk->depth = depth;
	for (__u32 turn = 0; turn * FRAMES_AT_ONCE < ML_FRAMES; turn++) {
		if (walk_some(slot, turn))
			continue;
		/* the first frame may be of code that nobody knows */
		if (turn || !find_caller(thread->target, start->address, start->pointer, start->sp,
					 depth))
			break;
	}
	if (to) {
		to->depth = walk->depth;
		to->end = walk->end;
	}
	return walk->hash | 1;
}

static __noinline __u64 hash_of_stack(struct ml_thread *thread, const struct start *start)
{
	return walk(thread, start, NO_SLOT, NULL);
}

static __noinline int keep_stack(__u32 slot, struct ml_thread *thread, const struct start *start)
{
	struct ml_stack *stack = bpf_map_lookup_elem(&stacks, &slot);

	if (!stack)
		return 0;
	stack->hash = walk(thread, start, slot, stack);
	stack->first = bpf_ktime_get_ns();
	return 0;
}

/* A slot for a stack that has none; the target's own if there is no more room. */
static __noinline __u32 new_slot(struct ml_thread *thread, struct ml_site *site,
				 const struct start *start)
{
	struct ml_slot *slot;
	__u32 number, *known;

	if (bpf_map_pop_elem(&spare, &number))
		goto full;
	slot = bpf_map_lookup_elem(&slots, &number);
	if (!slot)
		goto full;
	keep_stack(number, thread, start);
	slot->target = site->target;
	smp_wmb();
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

	site.hash = hash_of_stack(thread, &start);
	if (last && last->hash == site.hash && last->target == site.target)
		return thread->slot;
	known = bpf_map_lookup_elem(&sites, &site);
	thread->slot = known ? *known : new_slot(thread, &site, &start);
	return thread->slot;
}
