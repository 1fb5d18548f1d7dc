/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the programs on the kernel's own allocations hold. All of it is allocated at load: a table
 * that allocated as it grew would call what is traced.
 */
#pragma once

#include "choose.bpf.h"
#include "common.bpf.h"
#include "memleak-kernel.h"

/* Set before load, with the sizes of the tables. */
const volatile __u32 page_shift = 12;
const volatile __u32 possible_cpus = 1;
/* Cells of `present` less one: a power of two less one. */
const volatile __u32 present_mask = 0xffff;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kernel_orders);
} orders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kernel_counts);
} counts SEC(".maps");

/* Outstanding allocations by address; see key_of(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, __u64);
	__type(value, struct kernel_live);
} live SEC(".maps");

/*
 * How many entries of `live` fall into each cell; see cell_of(). Nearly all frees are of what nobody follows: an
 * empty cell says so without a look into the hash table.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} present SEC(".maps");

/* By slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct kernel_stack);
} stacks SEC(".maps");

/* By slot; what the last pass over `live` found. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct kernel_ages);
} ages SEC(".maps");

struct stack_key {
	__u64 hash; /* of the frames; 64 bits of them all, so that no two share a slot */
	__u32 kind;
	__u32 origin;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct stack_key);
	__type(value, __u32);
} slots SEC(".maps");

/* Slots that are nobody's: filled by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4096);
	__uint(value_size, sizeof(__u32));
} free_slots SEC(".maps");

static __always_inline struct kernel_counts *counts_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

static __always_inline struct kernel_orders *orders_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&orders, &zero);
}

#define KERNEL_COUNT(field)                                     \
	({                                                      \
		struct kernel_counts *_counts = counts_here();  \
		if (_counts)                                    \
			_counts->field++;                       \
	})
