/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * From a frame to its caller's: as the compiler wrote it down for exceptions, of files whose rows
 * user space has put here, and by frame pointers of what has none. Each address must be code of the
 * process, or the walk ends: without frame pointers the register holds anything, and what is no
 * frame would make a new stack of each call.
 */
#pragma once

#include "choose.bpf.h"
#include "common.bpf.h"
#include "memleak.h"
#include "targets.h"

/* Sorted, of one file after another; user space writes them before a target has a range with them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ml_rows);
} unwind SEC(".maps");

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
	STEP(256) STEP(128) STEP(64) STEP(32) STEP(16) STEP(8) STEP(4) STEP(2) STEP(1)
#undef STEP
	at &= ML_RANGES - 1;
	if (address < target->code[which][at].start || address >= target->code[which][at].end)
		return NO_RANGE;
	return which * ML_RANGES + at;
}

/* A frame as its function goes on after a call. */
struct place {
	__u64 address;
	__u64 pointer; /* the register of frame pointers, whatever it holds */
	__u64 sp;
};

/* The range that holds the address; most often the one that held the last. */
static __always_inline bool find_code(struct ml_target *target, __u32 number, __u64 address,
				      struct ml_range *code)
{
	__u32 range;

	if (address >= code->start && address < code->end)
		return true;
	range = range_of(number, address);
	if (range >= NO_RANGE)
		return false;
	/* The verifier forgets the bound; the compiler has to. */
	barrier_var(range);
	*code = target->code[range / ML_RANGES & 1][range % ML_RANGES];
	return true;
}

/* The last row of `count` from `first` on that begins no later than `address`. Global, so that verifiers
 * walk it once. */
__noinline __u64 search_rows(__u32 shard, __u32 first, __u32 count, __u32 address)
{
	struct ml_rows *rows = bpf_map_lookup_elem(&unwind, &shard);
	__u64 at = 0, row;

	if (!rows)
		return 0;
	for (__u32 bit = ML_ROWS_BITS; bit--;) {
		if (count >> bit) { /* else it is beyond the last */
			__u64 next = at + (1ULL << bit);
			__u64 there = (__u32)rows->rows[(first + next) & (ML_ROWS - 1)];

			at += (is_below(next, count) & (is_below(address, there) ^ 1)) << bit;
		}
	}
	row = rows->rows[(first + at) & (ML_ROWS - 1)];
	return (__u32)row <= address ? row : 0;
}

/* What returns to `address` was called by the instruction before. */
static __always_inline __u64 row_of(const struct ml_range *code, __u64 address)
{
	return search_rows(code->shard, code->first, code->rows, address - 1 - code->bias);
}

/* What lies below the canonical frame address. */
struct frame {
	__u64 pointer; /* of the caller, where there are frame pointers */
	__u64 address; /* in the caller, where this one returns to */
};

/* On to the caller; an enum ml_depth, of which ML_LIMIT says that there is one. */
static __always_inline __u32 step(struct place *at, __u64 row)
{
	__u32 rule = row >> 56;
	__u64 base = rule == ML_FROM_SP ? at->sp : at->pointer;
	__u64 top = base + (rule ? (row >> 32 & 0xffff) * 8 : sizeof(struct frame));
	__s64 saved = rule ? (__s64)(row << 8) >> 56 : -2;
	struct frame frame;

	if (rule == ML_OUTERMOST)
		return ML_END;
	if (top <= at->sp || top - at->sp > MAX_STRIDE || top % sizeof(long))
		return ML_END;
	if (bpf_probe_read_user(&frame, sizeof(frame), (void *)(top - sizeof(frame))))
		return ML_UNREADABLE;
	if (saved == -2)
		at->pointer = frame.pointer;
	else if (saved && bpf_probe_read_user(&at->pointer, sizeof(at->pointer),
					      (void *)(top + saved * 8)))
		return ML_UNREADABLE;
	at->address = frame.address;
	at->sp = top;
	return ML_LIMIT;
}
