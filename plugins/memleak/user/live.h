/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Allocations that were not freed yet, and the sums of their stacks.
 *
 * One is removed before the allocator may hand its address out again: as free begins, not as it ends.
 */
#pragma once

#include "common.bpf.h"
#include "memleak.h"
#include "sampling.h"
#include "targets.h"
#include "slots.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct ml_key);
	__type(value, struct ml_live);
} live SEC(".maps");

#define SLOT_OF(where) ((__u32)(where) & ((1U << ML_SLOT_BITS) - 1))

static __always_inline void count_allocated(const struct ml_live *allocation)
{
	__u32 number = SLOT_OF(allocation->where);
	struct ml_slot *slot = bpf_map_lookup_elem(&slots, &number);

	if (!slot)
		return;
	ADD(slot->allocated_bytes, estimate(allocation));
	ADD(slot->allocated, allocation->weight);
	if (allocation->weight != ML_ONE)
		ADD(slot->allocated_variance, variance(allocation));
}

static __always_inline void count_freed(const struct ml_live *allocation)
{
	__u32 number = SLOT_OF(allocation->where);
	struct ml_slot *slot = bpf_map_lookup_elem(&slots, &number);

	if (!slot)
		return;
	ADD(slot->freed_bytes, estimate(allocation));
	ADD(slot->freed, allocation->weight);
	if (allocation->weight != ML_ONE)
		ADD(slot->freed_variance, variance(allocation));
}

/* Takes it from the live ones; false if it is not among them, or another thread was faster. */
static __always_inline bool take(const struct ml_key *key, struct ml_live *to)
{
	struct ml_live *found = bpf_map_lookup_elem(&live, key);

	if (!found)
		return false;
	*to = *found;
	return !bpf_map_delete_elem(&live, key);
}

/* The address was handed out before, and we did not see that it was freed. */
static __noinline int replace(struct ml_key *key, struct ml_live *allocation)
{
	struct ml_live before;

	if (take(key, &before)) {
		count_freed(&before);
		COUNT_TARGET(key->target, missed_frees, 1);
	}
	return bpf_map_update_elem(&live, key, allocation, BPF_NOEXIST);
}

/* False if there is no room. */
static __always_inline bool put(struct ml_key *key, struct ml_live *allocation)
{
	long error = bpf_map_update_elem(&live, key, allocation, BPF_NOEXIST);

	if (error == -EEXIST)
		error = replace(key, allocation);
	if (!error)
		return true;
	COUNT(map_full);
	COUNT_TARGET(key->target, missed_allocations, 1);
	COUNT_TARGET(key->target, missed_bytes, estimate(allocation));
	return false;
}
