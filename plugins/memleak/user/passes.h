/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Passes over all live allocations and all threads, when user space asks: ages, sums, and leave for
 * what belonged to targets that were forgotten. Nothing of it costs an allocation anything.
 */
#pragma once

#include "choose.bpf.h"
#include "common.bpf.h"
#include "live.h"
#include "memleak.h"
#include "targets.h"
#include "../walk.h"

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
	barrier_var(log); /* the verifier does not see the bound, and the compiler does */
	log &= ML_AGES - 1;
	to->allocations[log] += allocation->weight;
	to->bytes[log] += estimate(allocation);
}

/* One live allocation. `key` and `allocation` are copies: the entry may be gone after it. */
static __always_inline void see_live(struct ml_pass *said, struct ml_key *key,
				     struct ml_live *allocation)
{
	if (!is_followed(key->target)) {
		if (!bpf_map_delete_elem(&live, key))
			said->removed++;
		return;
	}
	said->kept++;
	if (said->now)
		add_age(allocation, said->now);
}

/* One thread. */
static __always_inline void see_thread(__u64 id, const struct ml_thread *thread)
{
	__u32 number = thread->target;
	struct ml_target *target = bpf_map_lookup_elem(&targets, &number);

	if (!target)
		return;
	if (target->state == ML_FOLLOWED)
		add_counts(&target->present, &thread->counts);
	else
		bpf_map_delete_elem(&threads, &id);
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
	if (!to || !own || bpf_probe_read_kernel(to, sizeof(*to), from)) {
		bpf_map_push_elem(&spare, &fresh, BPF_ANY);
		return heir;
	}
	own->target = heir;
	own->hash = site.hash;
	if (!bpf_map_update_elem(&sites, &site, &fresh, BPF_NOEXIST))
		return fresh;
	own->hash = 0;
	bpf_map_push_elem(&spare, &fresh, BPF_ANY);
	known = bpf_map_lookup_elem(&sites, &site);
	return known ? *known : heir;
}

/* One live allocation of a parent: its child begins with the same. A walk may come by an allocation
 * twice; the child has it once. */
static __always_inline void see_heritage(struct ml_pass *said, struct ml_key *key,
					 struct ml_live *allocation)
{
	__u32 slot;
	int error;

	key->target = said->to;
	slot = slot_of_heir(said->to, SLOT_OF(allocation->where));
	allocation->where = (allocation->where >> ML_SLOT_BITS << ML_SLOT_BITS) | slot;
	error = bpf_map_update_elem(&live, key, allocation, BPF_NOEXIST);
	if (!error)
		count_allocated(allocation);
	else if (error != -EEXIST)
		said->missed++;
}

static __always_inline struct ml_pass *current_pass(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pass, &zero);
}

static long on_live(struct bpf_map *map, const void *at, void *value, void *context)
{
	struct ml_pass *said = current_pass();
	struct ml_live allocation;
	struct ml_key key;

	if (!said || !may_visit())
		return 1;
	key = *(const struct ml_key *)at;
	allocation = *(struct ml_live *)value;
	see_live(said, &key, &allocation);
	return 0;
}

static long on_thread(struct bpf_map *map, const void *at, void *value, void *context)
{
	if (!may_visit())
		return 1;
	see_thread(*(const __u64 *)at, value);
	return 0;
}

static long on_heritage(struct bpf_map *map, const void *at, void *value, void *context)
{
	struct ml_pass *said = current_pass();
	struct ml_live allocation;
	struct ml_key key;

	if (!said || !may_visit())
		return 1;
	key = *(const struct ml_key *)at;
	allocation = *(struct ml_live *)value;
	if (key.target == said->from)
		see_heritage(said, &key, &allocation);
	return 0;
}

#define RUN_OVER(name, map, callback)                              \
	SEC("raw_tp")                                              \
	int name(void *ctx)                                        \
	{                                                          \
		return bpf_for_each_map_elem(&map, callback, NULL, 0); \
	}

RUN_OVER(each_live, live, on_live)
RUN_OVER(each_thread, threads, on_thread)
RUN_OVER(each_heritage, live, on_heritage)

SEC("iter/bpf_map_elem")
int iterate_live(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct ml_key *at = ctx->key;
	const struct ml_live *value = ctx->value;
	struct ml_pass *said = current_pass();
	struct ml_live allocation;
	struct ml_key key;

	if (!at || !value || !said)
		return 0;
	key = *at;
	allocation = *value;
	see_live(said, &key, &allocation);
	mark_visit(ctx);
	return 0;
}

SEC("iter/bpf_map_elem")
int iterate_threads(struct bpf_iter__bpf_map_elem *ctx)
{
	const __u64 *at = ctx->key;
	const struct ml_thread *thread = ctx->value;

	if (!at || !thread)
		return 0;
	see_thread(*at, thread);
	mark_visit(ctx);
	return 0;
}

SEC("iter/bpf_map_elem")
int iterate_heritage(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct ml_key *at = ctx->key;
	const struct ml_live *value = ctx->value;
	struct ml_pass *said = current_pass();
	struct ml_live allocation;
	struct ml_key key;

	if (!at || !value || !said)
		return 0;
	key = *at;
	allocation = *value;
	if (key.target == said->from)
		see_heritage(said, &key, &allocation);
	mark_visit(ctx);
	return 0;
}
