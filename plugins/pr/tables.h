/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Tables that user space reads as memory: a hash leads from a key to a slot of a mapped array.
 *
 * Slots are handed out by a queue, which user space fills at first and puts those back that it has
 * emptied: a counter that is incremented and read at once is beyond 5.10. What finds no slot adds up
 * in one of the first PR_TYPES, which belong to nobody: in the sum nothing is lost.
 *
 * A thread remembers the slot that it was led to, and looks there first: the slot itself says whose it
 * is, and whether it is being forgotten.
 */
#pragma once

#include "common.bpf.h"
#include "pr.h"

#define TABLE(name, slot_type, key_type)                    \
	struct {                                            \
		__uint(type, BPF_MAP_TYPE_HASH);            \
		__uint(max_entries, 1024);                  \
		__type(key, key_type);                      \
		__type(value, __u32);                       \
	} name##_index SEC(".maps");                        \
	struct {                                            \
		__uint(type, BPF_MAP_TYPE_QUEUE);           \
		__uint(max_entries, 1024);                  \
		__type(value, __u32);                       \
	} name##_free SEC(".maps");                         \
	struct {                                            \
		__uint(type, BPF_MAP_TYPE_ARRAY);           \
		__uint(map_flags, BPF_F_MMAPABLE);          \
		__uint(max_entries, 1024);                  \
		__type(key, __u32);                         \
		__type(value, slot_type);                   \
	} name SEC(".maps")

TABLE(cgroups, struct pr_cgroup, struct pr_cgroup_key);
TABLE(requests, struct pr_request, struct pr_request_key);
TABLE(processes, struct pr_process, struct pr_process_key);

/* The key's slot, or its type's overflow. `*fresh`: nobody has written to it yet. */
static __always_inline __u32 slot_of(void *index, void *free, const void *key, __u32 type,
				     bool *fresh)
{
	__u32 *known = bpf_map_lookup_elem(index, key);
	__u32 slot;

	if (known)
		return *known;
	if (!bpf_map_pop_elem(free, &slot)) {
		if (!bpf_map_update_elem(index, key, &slot, BPF_NOEXIST)) {
			*fresh = true;
			return slot;
		}
		bpf_map_push_elem(free, &slot, BPF_ANY);
		/* another CPU was faster, or the index is full */
		known = bpf_map_lookup_elem(index, key);
		if (known)
			return *known;
	}
	COUNT(map_full);
	return type;
}

/* Keys are whole numbers of `unit`s, and what a slot begins with. */
#define IS_OF(slot, wanted, unit)                                                                \
	({                                                                                       \
		const unit *_has = (const void *)&(slot)->key, *_wants = (const void *)(wanted); \
		bool _same = (slot)->used == PR_USED;                                            \
		_Pragma("unroll")                                                                \
		for (__u32 _i = 0; _i < sizeof(*(wanted)) / sizeof(unit); _i++)                  \
			_same = _same && _has[_i] == _wants[_i];                                 \
		_same;                                                                           \
	})

/* `remembered`: the thread's, which may be anything. */
#define SLOT(table, wanted, unit, type, fresh, remembered)                                           \
	({                                                                                           \
		typeof(*(table).value) *_at = bpf_map_lookup_elem(&(table), remembered);             \
		*(fresh) = false;                                                                    \
		if (!_at || !IS_OF(_at, wanted, unit)) {                                             \
			*(remembered) = slot_of(&table##_index, &table##_free, wanted, type, fresh); \
			_at = bpf_map_lookup_elem(&(table), remembered);                             \
		}                                                                                    \
		_at;                                                                                 \
	})

#define ADD(to, amount) __sync_fetch_and_add(&(to), amount)

/* Whoever writes last has seen that nobody was longer; a loss needs two CPUs within a nanosecond,
 * twice. (A compare-and-swap is beyond 5.10.) */
static __always_inline void raise(__u64 *to, __u64 value)
{
	for (int tries = 0; tries < 3; tries++) {
		if (*(volatile __u64 *)to >= value)
			return;
		*(volatile __u64 *)to = value;
	}
}

static __always_inline void add_figures(struct pr_figures *to, const struct pr_episode *episode,
					__u64 ns)
{
	ADD(to->episodes, 1);
	ADD(to->ns, ns);
	ADD(to->requested, episode->requested);
	ADD(to->scanned, episode->scanned);
	ADD(to->reclaimed, episode->reclaimed);
	raise(&to->max_ns, ns);
}
