/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Folds: failures that have stack, order, flags, migrate type and cgroup in common are counted in
 * one slot, which both sides see. However many there are, none is lost: what finds no slot is
 * counted by order and migrate type.
 *
 * A slot is taken from the queue `free_slots`, filled, and published by its key in `slots`. User
 * space drops the key of a slot that has long been idle, and gives the slot back later. Its count is
 * never reset, so that what a late writer adds is not lost.
 */
#pragma once

#include "order.bpf.h"
#include "request.h"

#define SPARE (PAF_ORDERS * PAF_TYPES) /* slots for what finds none */
#define LEVELS 3		       /* of interrupts that fail inside of each other */

/* Whether stacks can be walked: the part `stacks`. */
const volatile bool walks_stacks = false;
/* Frames that are walked and kept. */
const volatile __u32 stack_depth = PAF_FRAMES;
/* Stacks walked a second and CPU; beyond it failures are told apart without. */
const volatile __u32 stack_rate = 10000;
/* Failures of different processes are different folds. */
const volatile bool by_process = false;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SPARE + 1024);
	__type(key, __u32);
	__type(value, struct paf_fold);
} folds SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct paf_key);
	__type(value, __u32);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1024);
	__type(value, __u32);
} free_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct paf_totals);
} totals SEC(".maps");

/* Too large for the stack; one for each level. */
struct room {
	struct paf_key key;
	__u64 stack[PAF_FRAMES];
	__u32 frames;
	__u32 padding;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LEVELS);
	__type(key, __u32);
	__type(value, struct room);
} rooms SEC(".maps");

/* What this CPU is at. */
struct cpu_state {
	__u64 second; /* in which `walks` were done */
	__u32 walks;
	__u32 level; /* failures that are being recorded, one interrupting the other */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

static __always_inline bool may_walk(struct cpu_state *cpu, __u64 now)
{
	__u64 second = now / 1000000000;

	if (cpu->second != second) {
		cpu->second = second;
		cpu->walks = 0;
	}
	if (cpu->walks >= stack_rate)
		return false;
	cpu->walks++;
	return true;
}

/* FNV-1a, a frame at a time. */
static __always_inline __u64 hash_of(const __u64 *stack, __u32 frames)
{
	__u64 hash = 0xcbf29ce484222325;

	for (__u32 i = 0; i < PAF_FRAMES; i++) {
		if (i >= frames)
			break;
		hash = (hash ^ stack[i]) * 0x100000001b3;
		hash ^= hash >> 29;
	}
	return hash | 1; /* 0 is: not walked */
}

static __always_inline void walk_stack(struct room *room, void *ctx)
{
	__u32 size = stack_depth * sizeof(__u64);
	long bytes;

	if (size > sizeof(room->stack))
		size = sizeof(room->stack);
	bytes = bpf_get_stack(ctx, room->stack, size, 0);
	room->frames = bytes > 0 ? bytes / sizeof(__u64) : 0;
	room->key.stack = room->frames ? hash_of(room->stack, room->frames) : 0;
}

/* A process as long as it runs one program: whoever filters by name means that. A pid is used again,
 * and a container's first process begins as its runtime. */
static __always_inline __u64 process_of(struct task_struct *task)
{
	__u64 started = BPF_CORE_READ(task, group_leader, start_boottime);
	__u64 mark = (started ^ BPF_CORE_READ(task, self_exec_id)) * 0x9e3779b97f4a7c15;

	return (__u64)BPF_CORE_READ(task, tgid) << 32 | mark >> 32;
}

static __always_inline void fill_room(struct room *room, const struct request *request,
				      struct task_struct *task, struct cpu_state *cpu, __u64 now,
				      void *ctx)
{
	__u32 v1;

	room->key.gfp = request->gfp;
	room->key.order = request->order;
	room->key.migrate_type = request->migrate_type;
	room->key.cgroup = cgroup_of(task, &v1, NUMBERS);
	room->key.process = by_process ? process_of(task) : 0;
	room->key.padding = 0;
	room->key.stack = 0;
	room->frames = 0;
	if (walks_stacks && may_walk(cpu, now))
		walk_stack(room, ctx);
}

/* A slot of its own for the key; -1: there is none left. Another CPU may have been faster. */
static __always_inline __s64 new_slot(struct room *room, struct task_struct *task, __u64 now)
{
	struct paf_fold *fold;
	__u32 slot, *known;

	if (bpf_map_pop_elem(&free_slots, &slot))
		return -1;
	fold = bpf_map_lookup_elem(&folds, &slot);
	if (!fold)
		return -1;
	fold->generation++; /* odd: being filled; user space reads it again when it is even */
	smp_wmb();
	fold->first = now;
	fold->detail_at = 0;
	fold->key = room->key;
	fold->frames = room->frames;
	bpf_probe_read_kernel(fold->stack, sizeof(fold->stack), room->stack);
	read_who(&fold->who, task, NUMBERS);
	smp_wmb();
	fold->generation++;
	if (!bpf_map_update_elem(&slots, &room->key, &slot, BPF_NOEXIST))
		return slot;
	bpf_map_push_elem(&free_slots, &slot, 0);
	known = bpf_map_lookup_elem(&slots, &room->key);
	return known ? *known : -1;
}

/* By order and migrate type, and nothing else. */
static __always_inline __u32 spare_slot(const struct request *request)
{
	__u32 order = request->order, type = request->migrate_type;

	if (order >= PAF_ORDERS)
		order = PAF_ORDERS - 1;
	if (type >= PAF_TYPES)
		type = PAF_TYPES - 1;
	return order * PAF_TYPES + type;
}

static __always_inline __u32 slot_of(struct room *room, const struct request *request,
				     struct task_struct *task, __u64 now)
{
	__u32 *known = bpf_map_lookup_elem(&slots, &room->key);
	__s64 slot = known ? *known : new_slot(room, task, now);

	if (slot >= 0)
		return slot;
	COUNT(map_full);
	return spare_slot(request);
}

/* Adds one failure to the fold of that slot. */
static __always_inline void count_in(struct paf_fold *fold, __u32 slot, struct task_struct *task,
				     __u64 now)
{
	if (slot < SPARE) {
		if (!fold->first)
			fold->first = now;
	} else if (fold->who.pid != (__u32)BPF_CORE_READ(task, tgid)) {
		__sync_fetch_and_add(&fold->others, 1);
	}
	fold->last = now;
	__sync_fetch_and_add(&fold->count, 1);
}
