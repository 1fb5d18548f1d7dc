/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Threads in an episode, and where the kernel keeps what goes on with them.
 */
#pragma once

#include "common.bpf.h"
#include "pr.h"
#include "tables.h"

/* Threads that have been in an episode: most come again at once, and to make and to delete an element
 * each time would cost more than all else. User space drops those of threads that are gone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct pr_running);
} kept SEC(".maps");

/* Those that find it full, for as long as their episode lasts. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct pr_running);
} threads SEC(".maps");

/* Never written: what a new element of either is copied from. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pr_running);
} blank SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PR_TYPES);
	__type(key, __u32);
	__type(value, struct pr_counts);
} types SEC(".maps");

#define COUNT_TYPE(of, field)                                                     \
	({                                                                        \
		__u32 _type = of;                                                 \
		struct pr_counts *_counts = bpf_map_lookup_elem(&types, &_type);  \
		if (_counts)                                                      \
			ADD(_counts->field, 1);                                   \
	})

static __always_inline struct pr_running *running_of(__u32 tid)
{
	struct pr_running *found = bpf_map_lookup_elem(&kept, &tid);

	return found ? found : bpf_map_lookup_elem(&threads, &tid);
}

/* The thread's, made here if it has none; NULL if there is no room. */
static __always_inline struct pr_running *make_running(__u32 tid)
{
	struct pr_running *found = running_of(tid), *empty;
	__u32 zero = 0;

	if (found)
		return found;
	empty = bpf_map_lookup_elem(&blank, &zero);
	if (!empty)
		return NULL;
	if (!bpf_map_update_elem(&kept, &tid, empty, BPF_ANY)) {
		found = bpf_map_lookup_elem(&kept, &tid);
		if (found)
			found->is_kept = 1;
		return found;
	}
	if (bpf_map_update_elem(&threads, &tid, empty, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&threads, &tid);
}

/* The thread is in no episode any more. */
static __always_inline void leave(struct pr_running *running, __u32 tid)
{
	if (!running->is_kept)
		bpf_map_delete_elem(&threads, &tid);
}
