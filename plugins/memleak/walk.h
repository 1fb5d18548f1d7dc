/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Walks over all elements of a map: by bpf_for_each_map_elem (since 5.13) from a program that user space
 * runs, or by an iterator. docs/decisions/0088-three-ways-to-walk-a-map.md has the reasons.
 */
#pragma once

#include "common.bpf.h"
#include "kernel/task.h"

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
} __attribute__((preserve_access_index));

/* One byte for each element: the kernel ends a read(2) whose buffer is full, so the reader's buffer
 * bounds how many elements one read visits. */
static __always_inline void mark_visit(struct bpf_iter__bpf_map_elem *ctx)
{
	__u8 mark = 0;

	bpf_seq_write(ctx->meta->seq, &mark, sizeof(mark));
}

/* A run of a program keeps its CPU from its beginning to its end. So it visits `limit` elements at most. */
struct walk_bound {
	__u64 limit; /* by user space */
	__u64 visited; /* more than `limit`: the run ended before it had seen all */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk_bound);
} walk_bounds SEC(".maps");

static __always_inline bool may_visit(void)
{
	__u32 zero = 0;
	struct walk_bound *bound = bpf_map_lookup_elem(&walk_bounds, &zero);

	return bound && bound->visited++ < bound->limit;
}
