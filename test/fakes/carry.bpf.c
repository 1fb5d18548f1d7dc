/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Counts so that every step carries into the high half of a word: what reads of live memory are proved with. */
#include "order.bpf.h"

#define STEP ((1ULL << 32) + 1)
#define STEPS ((1ULL << 21) - 1)
#define PER_SYSCALL 256

/* Only the one thread of `tgid` writes; `behind` after `ahead`. */
struct carry_counter {
	__u64 carries; /* begins anew when it passes 2^53 */
	__u64 ahead;
	__u64 behind;
	__u64 tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct carry_counter);
} counters SEC(".maps");

SEC("raw_tp/sys_enter")
int carry(void *ctx)
{
	__u32 zero = 0;
	struct carry_counter *counter = bpf_map_lookup_elem(&counters, &zero);

	if (!counter || counter->tgid != bpf_get_current_pid_tgid() >> 32)
		return 0;
	for (int i = 0; i < PER_SYSCALL; i++) {
		__u64 steps = counter->ahead + 1;

		counter->carries = (steps % STEPS) * STEP;
		counter->ahead = steps;
		smp_wmb();
		counter->behind = steps;
		smp_wmb();
	}
	return 0;
}

LICENSE;
