/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* One program of each kind that the BPF host can attach or run; what core/bpf is tested with. */
#include "common.bpf.h"

#define COUNTERS 64

struct kit_slot {
	__u64 count;
	__s64 signed_wide;
	__u32 narrow;
	__s32 signed_narrow;
	char name[16];
};

struct kit_key {
	__u32 group;
	__u32 index;
};

struct kit_task {
	__u32 tgid;
	__u32 pid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, struct kit_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__type(key, struct kit_key);
	__type(value, struct kit_slot);
} table SEC(".maps");

/* Types in BTF for the rows that the iterator writes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kit_task);
} task_type SEC(".maps");

const volatile __u32 factor = 1;
const volatile __s64 offset = 0;
const volatile bool negate = false;
__u64 hits = 0;

/* Shared with user space; which of them comes first in .bss is the compiler's business. */
volatile __u64 before[4];
volatile __u64 wide;
volatile __u16 narrow;
volatile __s32 initialized = -3;

static __always_inline int hit(void)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

SEC("raw_tp/sys_enter")
int compute(struct bpf_raw_tracepoint_args *ctx)
{
	__s64 result = ctx->args[0] * factor + offset;

	hit();
	return negate ? -result : result;
}

/* The variable of that number: what user space has written is what programs read. */
SEC("raw_tp/sys_enter")
int read_global(struct bpf_raw_tracepoint_args *ctx)
{
	switch (ctx->args[0]) {
	case 0:
		return before[0] | before[1] | before[2] | before[3];
	case 1:
		return wide >> 32;
	case 2:
		return narrow;
	default:
		return initialized;
	}
}

SEC("raw_tp/sys_enter")
int which_cpu(void *ctx)
{
	return bpf_get_smp_processor_id();
}

SEC("raw_tp/sys_enter")
int fill(struct bpf_raw_tracepoint_args *ctx)
{
	for (__u32 i = 0; i < COUNTERS; i++) {
		__u32 key = i;
		struct kit_slot *slot = bpf_map_lookup_elem(&slots, &key);

		if (!slot)
			continue;
		slot->count = ((__u64)i << 32) + i;
		slot->signed_wide = -(__s64)i - 1;
		slot->narrow = 0xffffffff - i;
		slot->signed_narrow = -(__s32)i;
		slot->name[0] = 'a' + i % 26;
	}
	COUNT(map_full);
	return 0;
}

struct task_struct {
	__u32 pid;
	__u32 tgid;
	char comm[16];
} __attribute__((preserve_access_index));

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct kit_task row = {};

	if (!task)
		return 0;
	row.tgid = task->tgid;
	row.pid = task->pid;
	bpf_probe_read_kernel_str(row.comm, sizeof(row.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

SEC("tp_btf/sched_switch")
int traced(void *ctx) { return hit(); }

SEC("raw_tp/sched_switch")
int raw(void *ctx) { return hit(); }

SEC("tp/sched/sched_switch")
int classic(void *ctx) { return hit(); }

SEC("fentry/vfs_read")
int entered(void *ctx) { return hit(); }

SEC("fexit/vfs_read")
int left(void *ctx) { return hit(); }

SEC("kprobe/vfs_read")
int probed(void *ctx) { return hit(); }

SEC("kretprobe/vfs_read")
int returned(void *ctx) { return hit(); }

SEC("uprobe")
int user_entered(void *ctx) { return hit(); }

SEC("uretprobe")
int user_returned(void *ctx) { return hit(); }

/* Reads through a pointer that may be NULL: the verifier must refuse it. */
SEC("raw_tp/sys_enter")
int refused(void *ctx)
{
	struct kit_key key = {};
	struct kit_slot *slot = bpf_map_lookup_elem(&table, &key);

	return slot->narrow;
}

SEC("tp_btf/no_such_tracepoint")
int absent(void *ctx) { return 0; }

LICENSE;
