/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* A strategy, and parts that a kernel refuses in every way there is: for core/kernel's live test. */
#include "common.bpf.h"

/* No kernel has such a type: stands for one that only newer kernels have. */
struct {
	__uint(type, 9999);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} impossible SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} own SEC(".maps");

const volatile __u32 with_own = 0;

static __always_inline int touch(void *map)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(map, &key);

	if (value)
		*value = 1;
	return 0;
}

SEC("raw_tp/sys_enter")
int strategy(void *ctx) { return 40 + with_own; }

SEC("raw_tp/sched_switch")
int with_own_map(void *ctx) { return touch(&own); }

SEC("raw_tp/sched_switch")
int with_impossible_map(void *ctx) { return touch(&impossible); }

/* Reads through a pointer that may be NULL: the verifier must refuse it. */
SEC("raw_tp/sched_switch")
int unverifiable(void *ctx)
{
	__u32 key = bpf_get_prandom_u32(); /* of one CPU the verifier knows the number */

	return *(__u64 *)bpf_map_lookup_elem(&own, &key);
}

SEC("tp_btf/no_such_tracepoint")
int unloadable(void *ctx) { return 0; }

SEC("raw_tp/no_such_tracepoint")
int unattachable(void *ctx) { return 0; }

LICENSE;
