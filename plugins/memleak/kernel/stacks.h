/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The stack of who allocates, and its slot. */
#pragma once

#include "order.bpf.h"
#include "tables.h"

/* Frames that lie between the allocator's caller and the program, at most: they are left out. */
#define PRELUDE 10
#define WALKED 64 /* a power of two of at least KERNEL_FRAMES + PRELUDE */

struct room {
	__u64 frames[WALKED];
	struct kernel_stack stack;
};

/* One a level: an interrupt may allocate while what it interrupted is being recorded. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KERNEL_LEVELS);
	__type(key, __u32);
	__type(value, struct room);
} rooms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} levels SEC(".maps");

/* NULL: there is no room. Else leave_room() has to follow. */
static __always_inline struct room *enter_room(void)
{
	__u32 zero = 0;
	__u32 *level = bpf_map_lookup_elem(&levels, &zero);
	__u32 index;

	if (!level)
		return NULL;
	index = *level;
	if (index >= KERNEL_LEVELS) {
		KERNEL_COUNT(nested);
		return NULL;
	}
	*level = index + 1;
	return bpf_map_lookup_elem(&rooms, &index);
}

static __always_inline void leave_room(void)
{
	__u32 zero = 0;
	__u32 *level = bpf_map_lookup_elem(&levels, &zero);

	if (level && *level)
		(*level)--;
}

/* The index of the frame of `call_site`; 0 if it is not there. */
static __always_inline __u32 prelude_of(struct room *room, __u64 call_site, __u32 frames)
{
	__u32 at = 0;

	if (!call_site)
		return 0;
	for (__u32 i = PRELUDE - 1; i; i--) {
		__u32 is_it = is_same(room->frames[i], call_site) & is_below(i, frames);

		at += (i - at) * is_it;
	}
	return at;
}

/* Copies frames from `from` on into the stack, with zeros behind the last, and hashes them: FNV-1a, a
 * frame at a time. */
static __always_inline void keep_frames(struct room *room, __u32 from)
{
	struct kernel_stack *stack = &room->stack;
	__u32 frames = *(volatile __u32 *)&stack->depth; /* of which the verifier knows nothing */
	__u64 hash = 0xcbf29ce484222325;

	for (__u32 i = 0; i < KERNEL_FRAMES; i++) {
		__u64 frame = room->frames[(from + i) & (WALKED - 1)] * is_below(i, frames);

		stack->frames[i] = frame;
		hash = (hash ^ frame) * 0x100000001b3;
		hash ^= hash >> 29;
	}
	stack->hash = hash;
}

/*
 * Walks the stack from `call_site` on (0: from the innermost frame) into room->stack. A stack that
 * cannot be walked has the call site alone.
 */
static __always_inline void walk(void *ctx, struct room *room, __u64 call_site)
{
	struct kernel_stack *stack = &room->stack;
	long size = bpf_get_stack(ctx, room->frames, (KERNEL_FRAMES + PRELUDE) * sizeof(__u64), 0);
	__u32 frames = size > 0 ? size / sizeof(__u64) : 0;
	__u32 from = prelude_of(room, call_site, frames);

	stack->cut = frames == KERNEL_FRAMES + PRELUDE;
	stack->retired = 0;
	if (!frames) {
		stack->cut = 2;
		room->frames[0] = call_site;
		frames = !!call_site;
		KERNEL_COUNT(unwalked);
	}
	frames -= from;
	if (frames > KERNEL_FRAMES) {
		frames = KERNEL_FRAMES;
		stack->cut = 1;
	}
	stack->depth = frames;
	keep_frames(room, from);
}

/*
 * A slot for the stack in `room`, which has none yet; -1: there is none. User space takes a slot with
 * `first_seen` as used, so it is set last: after the content, and only where the key leads to the slot.
 */
static __always_inline long take_slot(struct room *room, const struct stack_key *key, __u64 now)
{
	struct kernel_stack *stack;
	__u32 slot, *theirs;

	if (bpf_map_pop_elem(&free_slots, &slot))
		return -1;
	stack = bpf_map_lookup_elem(&stacks, &slot);
	if (!stack)
		return -1;
	room->stack.first_seen = 0;
	*stack = room->stack;
	if (!bpf_map_update_elem(&slots, key, &slot, BPF_NOEXIST)) {
		smp_wmb();
		*(volatile __u64 *)&stack->first_seen = now;
		return slot;
	}
	/* another CPU was first, or the table is full */
	bpf_map_push_elem(&free_slots, &slot, 0);
	theirs = bpf_map_lookup_elem(&slots, key);
	return theirs ? (long)*theirs : -1;
}

static __always_inline long slot_of(struct room *room, __u32 kind, __u32 origin, __u64 now)
{
	struct stack_key key = { .hash = room->stack.hash, .kind = kind, .origin = origin };
	__u32 *known = bpf_map_lookup_elem(&slots, &key);

	if (known)
		return *known;
	room->stack.kind = kind;
	room->stack.origin = origin;
	return take_slot(room, &key, now);
}
