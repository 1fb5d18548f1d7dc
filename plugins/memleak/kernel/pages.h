/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Pages. A block of 2^order pages may be split and freed in parts, in any order: then what is left of
 * it is kept as the blocks that the buddy allocator would make of it, each under its own first page.
 */
#pragma once

#include "live.h"
#include "kernel/slab.h"

#define HIGHEST_ORDER 10 /* as on_page_free() has it */
/* enum migratetype: unmovable, movable, reclaimable on every kernel. Of movable pages the kernel
 * keeps account itself: they are of processes and of the page cache. */
#define MIGRATE_MOVABLE 1

/* [i]: a block of that order was ever recorded. Only those are looked for. */
static __u32 orders_seen[16];

static __always_inline void see_order(__u32 order)
{
	volatile __u32 *seen = &orders_seen[order & 15];

	if (!*seen)
		*seen = 1;
}

static __always_inline int on_page_alloc(void *ctx, __u64 page, __u32 order, int migratetype)
{
	struct origin origin = { .kind = KERNEL_PAGES, .number = order };

	KERNEL_COUNT(allocations);
	KERNEL_COUNT(page_hits);
	if (!page || migratetype == MIGRATE_MOVABLE || order > HIGHEST_ORDER)
		return 0;
	see_order(order);
	return record(ctx, &origin, key_of(page, KEY_PAGE), 1ull << ((order + page_shift) & 63));
}

/* Keeps 2^part pages at `head` as a block. Global, as is release_from(), so that the verifier walks it
 * once and not once for each turn of the loop that calls it. */
__attribute__((noinline)) int keep_part(__u64 head, __u32 part, __u64 time, __u32 slot, __u32 weight)
{
	struct kernel_live entry = {
		.time = time,
		.bytes = 1ull << ((part + page_shift) & 63),
		.slot = slot,
		.weight = weight,
	};

	see_order(part);
	if (keep(key_of(head, KEY_PAGE), &entry)) {
		count_freed(&entry, entry.bytes, false);
		KERNEL_COUNT(split_frees);
	}
	return 0;
}

/* Keeps what is left of a block of `block` pages' order once 2^order pages from `page` on are freed.
 * `size`: of a struct page. */
static __always_inline void keep_rest(__u64 page, __u32 order, __u32 block, __u64 size,
				      const struct kernel_live *entry)
{
	const __u64 parts = (1ull << (block & 63)) - (1ull << (order & 63));

	for (__u32 part = 0; part < HIGHEST_ORDER; part++) {
		__u64 span = size << part, is_part = parts >> part & 1;

		barrier_var(is_part);
		if (is_part)
			keep_part((page & ~(span - 1)) ^ span, part, entry->time, entry->slot,
				  entry->weight * is_same(part, block - 1));
	}
}

/* Frees 2^order pages out of the block that is kept at `head`. 0: there is none that has them. */
__attribute__((noinline)) int release_from(__u64 page, __u32 order, __u64 head)
{
	const __u64 size = bpf_core_type_size(struct page);
	__u64 key = key_of(head, KEY_PAGE), freed = 1ull << ((order + page_shift) & 63);
	struct kernel_live *found = bpf_map_lookup_elem(&live, &key);
	struct kernel_live entry, part;
	__u32 block;

	if (!found)
		return 0;
	entry = *found;
	block = log2_of(entry.bytes >> (page_shift & 63));
	if (page - head >= size << block)
		return 0;
	if (!take(key))
		return 1;
	KERNEL_COUNT(matched);
	if (entry.bytes <= freed) {
		count_freed(&entry, entry.bytes, false);
		return 1;
	}
	part = entry;
	part.weight = 0;
	count_freed(&part, freed, false);
	keep_rest(page, order, block, size, &entry);
	return 1;
}

/* Frees 2^order pages out of the block of 2^block pages that they would be part of; false: that is not
 * kept. `size`: of a struct page. */
static __always_inline bool release_part(__u64 page, __u32 order, __u32 block, __u64 size)
{
	__u64 head = page & ~((size << block) - 1);

	return *(volatile __u32 *)&orders_seen[block] && is_below(order, block) && head != page &&
	       may_be_kept(key_of(head, KEY_PAGE)) && release_from(page, order, head);
}

static __always_inline int on_page_free(__u64 page, __u32 order)
{
	const __u64 size = bpf_core_type_size(struct page);

	KERNEL_COUNT(page_hits);
	if (order > HIGHEST_ORDER)
		return 0;
	if (may_be_kept(key_of(page, KEY_PAGE)) && release_from(page, order, page))
		return 0;
	if (size & (size - 1))
		return 0; /* where its block begins cannot be told from the address */
	/* no loop: clang lays it out so that 5.10's verifier refuses it ("back-edge") */
#define STEP(block)                                       \
	if (release_part(page, order, block, size))       \
		return 0;
	STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10)
#undef STEP
	return 0;
}
