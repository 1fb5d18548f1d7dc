/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The four counters of resident and swapped pages, exact.
 *
 * Since 6.2 a counter is a sum and one small part a CPU that has not been added to it yet: 32 pages
 * and more each, so that the sum alone is visibly wrong. The parts are found by each CPU's offset.
 */
#pragma once

#include "kernel/task.h"
#include "read.bpf.h"

#define MAX_CPUS 1024
#define MAX_MAP_HEAD 1024 /* bytes; pptrs lies at 320 on 6.18 */

/* The highest possible CPU number and one. */
const volatile __u32 cpu_count = 0;

struct cpu {
	__u64 possible; /* set by user space: CPU numbers may have holes */
	__u64 offset;	/* per-CPU address + offset = this CPU's address */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, __u32);
	__type(value, struct cpu);
} cpus SEC(".maps");

/* Only where kallsyms has data symbols (KALLSYMS_ALL) and shows them (kptr_restrict, CAP_SYSLOG). */
extern const void __per_cpu_offset __ksym __weak;

/* A place of known per-CPU address, and room to read a map's head into. */
struct probe {
	__u64 head[MAX_MAP_HEAD / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe);
} probe SEC(".maps");

/* The per-CPU address of `probe`'s only element, as the allocator returned it; 0 if unreadable. */
static __always_inline __u64 probe_address(void)
{
	const __u32 at = bpf_core_field_offset(struct bpf_array, pptrs);
	void *map = &probe;
	struct probe *room;
	__u32 zero = 0;

	room = bpf_map_lookup_elem(&probe, &zero);
	if (!room || at + 8 > sizeof(room->head))
		return 0;
	/* from the start: the verifier allows no arithmetic on a map's pointer */
	if (bpf_probe_read_kernel(room->head, at + 8, map))
		return 0;
	return room->head[at / 8];
}

/* Fills `cpus`. Called once a pass: a CPU's offset never changes, but this costs nothing. */
static __always_inline void find_cpu_offsets(void)
{
	__u64 base = 0;

	if (!&__per_cpu_offset)
		base = probe_address();
	for (__u32 i = 0; i < MAX_CPUS; i++) {
		__u32 index = i, zero = 0;
		struct cpu *cpu;

		if (i >= cpu_count)
			break;
		cpu = bpf_map_lookup_elem(&cpus, &index);
		if (!cpu || !cpu->possible)
			continue;
		if (&__per_cpu_offset) {
			bpf_probe_read_kernel(&cpu->offset, sizeof(cpu->offset),
					      &__per_cpu_offset + i * sizeof(long));
		} else if (base && bpf_core_enum_value_exists(enum bpf_func_id,
							      BPF_FUNC_map_lookup_percpu_elem)) {
			void *mine = bpf_map_lookup_percpu_elem(&probe, &zero, i);
			__u64 address = 0;

			/* a copy is a number; the verifier subtracts nothing from a pointer */
			bpf_probe_read_kernel(&address, sizeof(address), &mine);
			cpu->offset = address - base;
		}
	}
}

static __always_inline void add_cpu_parts(__s64 *counters, struct mm_struct *mm,
					  enum pointers pointers)
{
	const __s32 *parts[NR_MM_COUNTERS];
	__s32 part[NR_MM_COUNTERS];
	bool adjacent;

	parts[0] = READ(pointers, mm, rss_stat[0].counters);
	parts[1] = READ(pointers, mm, rss_stat[1].counters);
	parts[2] = READ(pointers, mm, rss_stat[2].counters);
	parts[3] = READ(pointers, mm, rss_stat[3].counters);
	/* 6.6 (14ef95be6f55) allocates the four together: one read a CPU instead of four */
	adjacent = parts[1] == parts[0] + 1 && parts[2] == parts[0] + 2 && parts[3] == parts[0] + 3;

	for (__u32 i = 0; i < MAX_CPUS; i++) {
		__u32 index = i;
		struct cpu *cpu;
		long failed = 0;

		if (i >= cpu_count)
			break;
		cpu = bpf_map_lookup_elem(&cpus, &index);
		if (!cpu || !cpu->possible)
			continue;
		if (!cpu->offset) {
			COUNT(read_failures);
			continue;
		}
		if (adjacent) {
			failed = bpf_probe_read_kernel(part, sizeof(part), (void *)parts[0] + cpu->offset);
		} else {
			for (int c = 0; c < NR_MM_COUNTERS; c++)
				failed |= bpf_probe_read_kernel(&part[c], sizeof(part[c]),
								(void *)parts[c] + cpu->offset);
		}
		if (failed) {
			COUNT(read_failures);
			continue;
		}
		for (int c = 0; c < NR_MM_COUNTERS; c++)
			counters[c] += part[c];
	}
}

static __always_inline bool counters_are_per_cpu(void)
{
	return !bpf_core_field_exists(((struct mm_struct___before_6_2 *)0)->rss_stat.count);
}

/* The process's counters; before 6.2 without what each thread still holds (read_unfolded). */
static __always_inline void read_resident(__s64 *counters, struct mm_struct *mm,
					  enum pointers pointers)
{
	if (!counters_are_per_cpu()) {
		struct mm_struct___before_6_2 *old = (void *)mm;

		/* those kernels' verifiers load from no array of a typedef */
		bpf_core_read(counters, sizeof(__s64) * NR_MM_COUNTERS, &old->rss_stat.count);
		return;
	}
	counters[0] = READ(pointers, mm, rss_stat[0].count);
	counters[1] = READ(pointers, mm, rss_stat[1].count);
	counters[2] = READ(pointers, mm, rss_stat[2].count);
	counters[3] = READ(pointers, mm, rss_stat[3].count);
	/* without SMP a counter is only its sum */
	if (bpf_core_field_exists(struct percpu_counter, counters))
		add_cpu_parts(counters, mm, pointers);
}

/* What this thread has not yet added to its process's counters: nothing since 6.2. */
static __always_inline void read_unfolded(__s32 *unfolded, struct task_struct *task)
{
	struct task_struct___before_6_2 *old = (void *)task;

	/* absent as well without SPLIT_RSS_COUNTING (few page table locks, or no MMU) */
	if (bpf_core_field_exists(old->rss_stat.count))
		bpf_core_read(unfolded, sizeof(__s32) * NR_MM_COUNTERS, &old->rss_stat.count);
	else
		__builtin_memset(unfolded, 0, sizeof(__s32) * NR_MM_COUNTERS);
}
