/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Outstanding allocations: what is recorded, and what is freed of it. */
#pragma once

#include "stacks.h"

#define ENOENT 2
#define EEXIST 17
#define E2BIG 7

/* Objects are aligned to 8, struct pages too, per-CPU memory to 4: the address and its kind. */
enum key_kind { KEY_SLAB, KEY_PAGE, KEY_PERCPU };

static __always_inline __u64 key_of(__u64 address, enum key_kind kind)
{
	return address | kind;
}

static __always_inline enum key_kind kind_of(__u64 key)
{
	return key & 3;
}

/* Objects of one page share a cell: they are of one cache, followed or not, and a cell that was looked
 * at just before is at hand. */
static __always_inline __u32 *cell_of(__u64 key)
{
	__u32 cell = (((key >> 12) * 0x9e3779b97f4a7c15) >> 32) & present_mask;

	return bpf_map_lookup_elem(&present, &cell);
}

static __always_inline void add_to_cell(__u64 key, __s32 count)
{
	__u32 *cell = cell_of(key);

	if (cell)
		__sync_fetch_and_add(cell, count);
}

/* Whether something may be kept under the key; mostly it is not. */
static __always_inline bool may_be_kept(__u64 key)
{
	__u32 *cell = cell_of(key);

	return cell && *(volatile __u32 *)cell;
}

/*
 * 0, or why it is not kept. The cell is counted first, so that it is never empty with an entry.
 * Errors are read as `int`: before 6.4 (d7ba4cc900bf) the upper half of what a map returns is not set.
 */
static __always_inline int keep(__u64 key, const struct kernel_live *entry)
{
	int error;

	add_to_cell(key, 1);
	error = bpf_map_update_elem(&live, &key, entry, BPF_NOEXIST);
	if (error)
		add_to_cell(key, -1);
	return error;
}

/* Whether it was there, and has been taken by nobody else. */
static __always_inline bool take(__u64 key)
{
	int error = bpf_map_delete_elem(&live, &key);

	if (!error)
		add_to_cell(key, -1);
	else if (error != -ENOENT)
		KERNEL_COUNT(busy_frees);
	return !error;
}

static __always_inline void count_freed(const struct kernel_live *entry, __u64 bytes, bool unseen)
{
	__u32 slot = entry->slot;
	struct kernel_stack *stack = bpf_map_lookup_elem(&stacks, &slot);

	if (!stack)
		return;
	__sync_fetch_and_add(&stack->freed_bytes, bytes);
	if (entry->weight)
		__sync_fetch_and_add(&stack->freed_count, 1);
	if (unseen)
		__sync_fetch_and_add(&stack->unseen_frees, 1);
}

/* Takes it whole off its stack's account. False: it was not kept, or cannot be taken. */
static __always_inline bool forget(__u64 key, bool unseen)
{
	struct kernel_live *found = bpf_map_lookup_elem(&live, &key);
	struct kernel_live entry;

	if (!found)
		return false;
	entry = *found;
	if (!take(key))
		return false;
	count_freed(&entry, entry.bytes, unseen);
	return true;
}

/* One global function for all who call it, so that it is checked once. */
__attribute__((noinline)) int release(__u64 key)
{
	if (forget(key, false))
		KERNEL_COUNT(matched);
	return 0;
}

static __always_inline void freed(__u64 key)
{
	if (may_be_kept(key))
		release(key);
}

/*
 * The kernel leaves a program out while the same one is under way on the CPU. A soft interrupt that
 * comes just then and frees many at a time, as RCU does, would have them all stay for ever: so a free
 * has two programs. The first says what it sees; the second acts where that is something else. An
 * address that both see does no harm: it is taken once.
 */
enum free_point { FREE_KFREE, FREE_CACHE, FREE_PAGE };

static __always_inline void first_sees(enum free_point point, __u64 address)
{
	struct kernel_counts *here = counts_here();

	if (!here)
		return;
	here->frees++;
	here->freeing[point] = address;
}

/* Whether the first program was left out. */
static __always_inline bool is_second_alone(enum free_point point, __u64 address)
{
	struct kernel_counts *here = counts_here();

	if (!here || here->freeing[point] == address)
		return false;
	here->frees++;
	here->rescued++;
	return true;
}

static __always_inline void count_missed(int error)
{
	if (error == -E2BIG)
		KERNEL_COUNT(live_full);
	else
		KERNEL_COUNT(busy_allocations);
}

/* Keeps one allocation of the stack in `slot`. */
__attribute__((noinline)) int keep_one(__u64 key, __u64 bytes, __u32 slot, __u64 now)
{
	struct kernel_live entry = { .time = now, .bytes = bytes, .slot = slot, .weight = 1 };
	struct kernel_stack *stack = bpf_map_lookup_elem(&stacks, &slot);
	int error;

	if (!stack)
		return 0;
	error = keep(key, &entry);
	if (error == -EEXIST) {
		/* it was freed where no program looks, or while one was under way */
		if (forget(key, true))
			KERNEL_COUNT(unseen_frees);
		error = keep(key, &entry);
	}
	if (error) {
		count_missed(error);
		return 0;
	}
	__sync_fetch_and_add(&stack->allocated_bytes, bytes);
	__sync_fetch_and_add(&stack->allocated_count, 1);
	KERNEL_COUNT(recorded);
	if (kind_of(key) == KEY_PAGE)
		KERNEL_COUNT(page_recorded);
	else if (kind_of(key) == KEY_PERCPU)
		KERNEL_COUNT(percpu_recorded);
	return 0;
}

struct origin {
	enum kernel_kind kind;
	__u32 number;	 /* of the cache; the order of pages */
	__u64 call_site; /* 0: unknown */
};

/* The slot of the stack that runs; -1: nothing is to be recorded, or cannot be. */
static __always_inline long slot_here(void *ctx, const struct origin *origin, __u64 now)
{
	struct room *room = enter_room();
	long slot;

	if (!room)
		return -1;
	walk(ctx, room, origin->call_site);
	slot = slot_of(room, origin->kind, origin->number, now);
	leave_room();
	if (slot < 0)
		KERNEL_COUNT(stacks_full);
	return slot;
}

static __always_inline int record(void *ctx, const struct origin *origin, __u64 key, __u64 bytes)
{
	__u64 now = bpf_ktime_get_ns();
	long slot = slot_here(ctx, origin, now);

	return slot < 0 ? 0 : keep_one(key, bytes, slot, now);
}
