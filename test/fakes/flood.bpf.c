/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Fills a ring buffer in bulk: what its reader is proved and measured with. */
#include "common.bpf.h"

#define PRODUCERS 4
#define PER_RUN 1024
#define PER_SYSCALL 64

/* Followed by 0 to 31 bytes of `sequence`, so that records start and wrap at every place. */
struct flood_record {
	__u64 sequence;
	__u32 producer;
	__u32 length;
	__u64 fill[4];
};

/* The size of a real event; for figures. */
struct stream_record {
	__u64 words[8];
};

/* One producer's own account; nobody else writes it, so that plain additions are exact. */
struct flood_account {
	__u64 produced;
	__u64 dropped;
	__u64 discarded;
	__u64 tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PRODUCERS);
	__type(key, __u32);
	__type(value, struct flood_account);
} accounts SEC(".maps");

RING(records, struct flood_record, 1 << 20);
RING(stream, struct stream_record, 1 << 20);

static __always_inline void produce(struct flood_account *account, __u32 producer)
{
	struct flood_record record = { .producer = producer };
	__u64 sequence = account->produced++;
	__u32 length = 16 + (sequence & 31);

	record.sequence = sequence;
	record.length = length;
	for (int i = 0; i < 4; i++)
		record.fill[i] = sequence;
	/* Some records are reserved and thrown away: the reader must step over them. */
	if ((sequence & 63) == 63) {
		struct flood_record *unwanted = bpf_ringbuf_reserve(&records, sizeof(record), 0);

		if (unwanted) {
			account->discarded++;
			bpf_ringbuf_discard(unwanted, BPF_RB_NO_WAKEUP);
			return;
		}
	} else if (bpf_ringbuf_output(&records, &record, length, BPF_RB_NO_WAKEUP) == 0) {
		return;
	}
	account->dropped++;
	COUNT(ring_drops);
}

SEC("raw_tp/sys_enter")
int flood(void *ctx)
{
	__u32 producer = 0;
	struct flood_account *account = bpf_map_lookup_elem(&accounts, &producer);

	if (!account)
		return 0;
	for (int i = 0; i < PER_RUN; i++)
		produce(account, producer);
	return 0;
}

SEC("raw_tp/sys_enter")
int flood_by_syscall(void *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	for (__u32 producer = 1; producer < PRODUCERS; producer++) {
		__u32 key = producer;
		struct flood_account *account = bpf_map_lookup_elem(&accounts, &key);

		if (!account || account->tgid != tgid)
			continue;
		for (int i = 0; i < PER_SYSCALL; i++)
			produce(account, producer);
		return 0;
	}
	return 0;
}

SEC("raw_tp/sys_enter")
int fill_stream(void *ctx)
{
	for (__u64 i = 0; i < PER_RUN; i++) {
		struct stream_record *record = bpf_ringbuf_reserve(&stream, sizeof(*record), 0);

		if (!record)
			return 0;
		for (int word = 0; word < 8; word++)
			record->words[word] = i + word;
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	}
	return 0;
}

LICENSE;
