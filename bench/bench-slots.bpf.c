/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Slots like those that plugins keep, with known sums. */
#include "common.bpf.h"

struct slot {
	__u64 total;
	__u64 freed;
	__u64 stack;
	__u64 size;
	__u64 oldest;
	__u64 newest;
	__u32 count;
	__u32 pid;
	__u32 cpu;
	__u32 flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

/* Slots from args[0] on: member n of slot i becomes i + n. */
SEC("raw_tp/sys_enter")
int fill(struct bpf_raw_tracepoint_args *ctx)
{
	for (__u32 i = 0; i < 500; i++) {
		__u32 key = ctx->args[0] + i;
		struct slot *slot = bpf_map_lookup_elem(&slots, &key);

		if (!slot)
			return 0;
		slot->total = key;
		slot->freed = key + 1;
		slot->stack = key + 2;
		slot->size = key + 3;
		slot->oldest = key + 4;
		slot->newest = key + 5;
		slot->count = key + 6;
		slot->pid = key + 7;
		slot->cpu = key + 8;
		slot->flags = key + 9;
	}
	return 0;
}

LICENSE;
