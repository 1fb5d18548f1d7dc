/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What every BPF object of mem-watcher starts from: the helpers, the counters that the agent
 * reports about the object itself, and the ring declaration. Kernel types are in kernel/.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define LICENSE char _license[] SEC("license") = "Dual BSD/GPL"

/* What the object lost or could not read, by CPU. The agent reads it from the map `stats` of every
 * object by these names and reports it as its own telemetry; a plugin only counts. */
struct mw_stats {
	__u64 ring_drops;
	__u64 map_full;
	__u64 read_failures;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mw_stats);
} stats SEC(".maps");

#define COUNT(field)                                                        \
	({                                                                  \
		__u32 _zero = 0;                                            \
		struct mw_stats *_stats = bpf_map_lookup_elem(&stats, &_zero); \
		if (_stats)                                                 \
			_stats->field++;                                    \
	})

/*
 * RING(events, struct my_event, bytes): a ring buffer, and a per-CPU scratch record typed with its
 * event. The scratch keeps the struct in BTF and pairs ring and type by name (`events_record`); a
 * ring that named its value type would be refused by libbpf with EINVAL.
 */
#define RING(name, event, bytes)                             \
	struct {                                             \
		__uint(type, BPF_MAP_TYPE_RINGBUF);          \
		__uint(max_entries, bytes);                  \
	} name SEC(".maps");                                 \
	struct {                                             \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);     \
		__uint(max_entries, 1);                      \
		__type(key, __u32);                          \
		__type(value, event);                        \
	} name##_record SEC(".maps")
