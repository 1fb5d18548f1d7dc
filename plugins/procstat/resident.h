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
	__u64 possible; /* to be read: set by user space, for CPU numbers may have holes */
	__u64 offset;	/* per-CPU address + offset = this CPU's address */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, __u32);
	__type(value, struct cpu);
} cpus SEC(".maps");

/* Each CPU's offset is found by bpf_map_lookup_percpu_elem: the part `cpu-parts`. */
const volatile bool offsets_by_helper = false;

/*
 * Address of the kernel's __per_cpu_offset; 0 where kallsyms has no data symbols (KALLSYMS_ALL) or
 * does not show them (kptr_restrict, CAP_SYSLOG). Not a __ksym: libbpf would read all of kallsyms.
 */
const volatile __u64 per_cpu_offset = 0;

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

	if (!offsets_by_helper && !per_cpu_offset)
		return;
	if (offsets_by_helper)
		base = probe_address();
	for (__u32 i = 0; i < MAX_CPUS; i++) {
		__u32 index = i, zero = 0;
		struct cpu *cpu;

		if (i >= cpu_count)
			break;
		cpu = bpf_map_lookup_elem(&cpus, &index);
		if (!cpu || !cpu->possible)
			continue;
		if (!offsets_by_helper) {
			bpf_probe_read_kernel(&cpu->offset, sizeof(cpu->offset),
					      (void *)(per_cpu_offset + i * sizeof(long)));
		} else if (base) {
			void *mine = bpf_map_lookup_percpu_elem(&probe, &zero, i);
			__u64 address = 0;

			/* a copy is a number; the verifier subtracts nothing from a pointer */
			bpf_probe_read_kernel(&address, sizeof(address), &mine);
			cpu->offset = address - base;
		}
	}
}

/* The offset of the CPU that runs this: an ordinary look-up gives it its own element. */
static __always_inline int find_own_offset(void)
{
	__u32 id = bpf_get_smp_processor_id(), zero = 0;
	struct cpu *cpu = bpf_map_lookup_elem(&cpus, &id);
	void *mine = bpf_map_lookup_elem(&probe, &zero);
	__u64 base, address = 0;

	if (!cpu || !mine)
		return 0;
	/* before the head is read into it; a copy is a number */
	bpf_probe_read_kernel(&address, sizeof(address), &mine);
	base = probe_address();
	if (!base)
		return 0;
	cpu->offset = address - base;
	cpu->possible = 1;
	return 1;
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
