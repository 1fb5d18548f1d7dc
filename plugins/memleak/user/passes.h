/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Passes over all live allocations and all threads, when user space asks: ages, sums, and leave for
 * what belonged to targets that were forgotten. Nothing of it costs an allocation anything.
 */
#pragma once

#include "common.bpf.h"
#include "live.h"
#include "memleak.h"
#include "targets.h"

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct ml_ages);
} ages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ml_pass);
} pass SEC(".maps");

static __always_inline bool is_followed(__u32 number)
{
	struct ml_target *target = bpf_map_lookup_elem(&targets, &number);

	return target && target->state == ML_FOLLOWED;
}

/* The largest power of two in `value`. */
static __always_inline __u32 log2_of(__u64 value)
{
	__u32 log = 0;

#define STEP(by)                   \
	if (value >> by) {         \
		value >>= by;      \
		log += by;         \
	}
	STEP(32) STEP(16) STEP(8) STEP(4) STEP(2) STEP(1)
#undef STEP
	return log;
}

static __always_inline void add_age(const struct ml_live *allocation, __u64 now)
{
	__u64 born = allocation->where >> ML_SLOT_BITS << 20;
	__u64 age = now > born ? now - born : 0;
	__u32 number = SLOT_OF(allocation->where), log = log2_of(age / 1000000);
	struct ml_ages *to = bpf_map_lookup_elem(&ages, &number);

	if (!to)
		return;
	if (to->oldest < age)
		to->oldest = age;
	if (log >= ML_AGES)
		log = ML_AGES - 1;
	to->allocations[log] += allocation->weight;
	to->bytes[log] += estimate(allocation);
}

SEC("iter/bpf_map_elem")
int visit_live(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct ml_key *at = ctx->key;
	const struct ml_live *value = ctx->value;
	__u32 zero = 0;
	struct ml_pass *said = bpf_map_lookup_elem(&pass, &zero);
	struct ml_live allocation;
	struct ml_key key;

	if (!at || !value || !said)
		return 0;
	key = *at;
	allocation = *value;
	if (!is_followed(key.target)) {
		bpf_map_delete_elem(&live, &key);
		said->removed++;
		return 0;
	}
	said->kept++;
	if (said->now)
		add_age(&allocation, said->now);
	return 0;
}

SEC("iter/bpf_map_elem")
int visit_threads(struct bpf_iter__bpf_map_elem *ctx)
{
	const __u64 *at = ctx->key;
	const struct ml_thread *thread = ctx->value;
	struct ml_target *target;
	__u32 number;
	__u64 id;

	if (!at || !thread)
		return 0;
	number = thread->target;
	target = bpf_map_lookup_elem(&targets, &number);
	if (!target)
		return 0;
	if (target->state == ML_FOLLOWED) {
		add_counts(&target->present, &thread->counts);
	} else {
		id = *at;
		bpf_map_delete_elem(&threads, &id);
	}
	return 0;
}

/* The slot of the target's for the stack of another target's slot. */
static __always_inline __u32 slot_of_heir(__u32 heir, __u32 number)
{
	struct ml_slot *slot = bpf_map_lookup_elem(&slots, &number), *own;
	struct ml_site site = { .target = heir };
	struct ml_stack *from, *to;
	__u32 *known, fresh;

	if (!slot || !slot->hash)
		return heir;
	site.hash = slot->hash;
	known = bpf_map_lookup_elem(&sites, &site);
	if (known)
		return *known;
	from = bpf_map_lookup_elem(&stacks, &number);
	if (!from || bpf_map_pop_elem(&spare, &fresh))
		return heir;
	to = bpf_map_lookup_elem(&stacks, &fresh);
	own = bpf_map_lookup_elem(&slots, &fresh);
	if (!to || !own || bpf_probe_read_kernel(to, sizeof(*to), from))
		return heir;
	own->target = heir;
	own->hash = site.hash;
	if (!bpf_map_update_elem(&sites, &site, &fresh, BPF_NOEXIST))
		return fresh;
	own->hash = 0;
	bpf_map_push_elem(&spare, &fresh, BPF_ANY);
	known = bpf_map_lookup_elem(&sites, &site);
	return known ? *known : heir;
}

/* A child begins with what its parent has. */
SEC("iter/bpf_map_elem")
int inherit(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct ml_key *at = ctx->key;
	const struct ml_live *value = ctx->value;
	__u32 zero = 0, slot;
	struct ml_pass *said = bpf_map_lookup_elem(&pass, &zero);
	struct ml_live allocation;
	struct ml_key key;

	if (!at || !value || !said || at->target != said->from)
		return 0;
	key = *at;
	key.target = said->to;
	allocation = *value;
	slot = slot_of_heir(said->to, SLOT_OF(allocation.where));
	allocation.where = (allocation.where >> ML_SLOT_BITS << ML_SLOT_BITS) | slot;
	if (bpf_map_update_elem(&live, &key, &allocation, BPF_NOEXIST))
		said->missed++;
	else
		count_allocated(&allocation);
	return 0;
}
