/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Which slab allocations are followed. Where the tracepoint tells the cache, by the cache; where it
 * tells only the size, by the size, and then by the cache if there is a way from the object to it.
 */
#pragma once

#include "tables.h"
#include "kernel/slab.h"

/* Addresses of the kernel's variables of these names (x86); 0: there are none that we may read. */
const volatile __u64 page_offset_base = 0;
const volatile __u64 vmemmap_base = 0;

/* The caches to follow, by name, and user space's number of each: from 1. */
struct cache_name {
	char text[KERNEL_NAME_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct cache_name);
	__type(value, __u32);
} names SEC(".maps");

/* By size_key(): user space's number of those caches that have objects of so many bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} sizes SEC(".maps");

/* What is known of a cache; 0 is not to be followed. A cache may be gone, and another in its place:
 * what was learned counts for one generation. */
struct known_cache {
	__u32 generation;
	__u32 origin;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, __u64);
	__type(value, struct known_cache);
} caches SEC(".maps");

/* Looks the cache up by its name. */
__attribute__((noinline)) int learn_cache(__u64 cache, __u32 generation)
{
	struct known_cache known = { .generation = generation };
	struct cache_name name = {};
	const char *text = NULL;
	__u32 *origin;

	bpf_core_read(&text, sizeof(text), &((struct kmem_cache *)cache)->name);
	if (bpf_probe_read_kernel_str(name.text, sizeof(name.text), text) <= 0) {
		COUNT(read_failures);
		return 0;
	}
	origin = bpf_map_lookup_elem(&names, &name);
	if (origin)
		known.origin = *origin;
	/* a full table only costs another look */
	bpf_map_update_elem(&caches, &cache, &known, BPF_ANY);
	return known.origin;
}

/* 0: it is not followed. */
static __always_inline __u32 origin_of(__u64 cache)
{
	struct known_cache *known = bpf_map_lookup_elem(&caches, &cache);
	struct kernel_orders *now = orders_now();

	if (!now)
		return 0;
	if (known && known->generation == now->generation)
		return known->origin;
	return learn_cache(cache, now->generation);
}

/* The first page of the block that `page` is part of. */
static __always_inline __u64 head_of(__u64 page)
{
	__u64 info = 0;

	if (bpf_core_field_exists(struct page, compound_head))
		bpf_core_read(&info, sizeof(info), &((struct page *)page)->compound_head);
	else
		bpf_core_read(&info, sizeof(info), &((struct page___info *)page)->compound_info);
	if (!(info & 1))
		return page;
	/* only a mask has all of its upper bits set */
	return info >> 40 == 0xffffff ? page & info : info - 1;
}

/* The cache of an object; 0: nobody knows. */
static __always_inline __u64 cache_of(__u64 object)
{
	__u64 direct = 0, pages = 0, page, cache = 0;

	if (!page_offset_base || !vmemmap_base)
		return 0;
	bpf_probe_read_kernel(&direct, sizeof(direct), (void *)page_offset_base);
	bpf_probe_read_kernel(&pages, sizeof(pages), (void *)vmemmap_base);
	if (!direct || object < direct)
		return 0;
	page = pages + ((object - direct) >> page_shift) * bpf_core_type_size(struct page);
	page = head_of(page);
	if (bpf_core_field_exists(struct slab, slab_cache))
		bpf_core_read(&cache, sizeof(cache), &((struct slab *)page)->slab_cache);
	else if (bpf_core_field_exists(struct page___slab, slab_cache))
		bpf_core_read(&cache, sizeof(cache), &((struct page___slab *)page)->slab_cache);
	return cache;
}

/* The same where only the object and its size are told. */
__attribute__((noinline)) int origin_of_object(__u64 object, __u32 of_size)
{
	__u64 cache = cache_of(object);

	return cache ? (int)origin_of(cache) : (int)of_size;
}

/* kmalloc's caches and the others are told apart. */
static __always_inline __u32 size_key(__u64 bytes, enum kernel_kind kind)
{
	return (__u32)bytes << 1 | (kind == KERNEL_KMALLOC);
}

static __always_inline __u32 origin_by_size(__u64 object, __u64 bytes, enum kernel_kind kind)
{
	__u32 size = size_key(bytes, kind);
	__u32 *of_size = bpf_map_lookup_elem(&sizes, &size);

	return of_size ? origin_of_object(object, *of_size) : 0;
}
