/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Slab caches and the way from an object to its cache. Only the fields that are read; CO-RE finds
 * them on the running kernel.
 */
#pragma once

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kmem_cache {
	unsigned int size; /* of an object with what the allocator adds: `objsize` of slabinfo */
	const char *name;
};

/* A page of a slab is a struct of its own since 5.17 (d122019bf061 "mm: Split slab into its own
 * type"), in the place of its first struct page. */
struct slab {
	struct kmem_cache *slab_cache;
};

struct page {
	unsigned long compound_head; /* of a tail page: its first page, and 1 */
};

struct page___slab {
	struct kmem_cache *slab_cache;
};

/* In 7.2, not yet in 6.18: the same, or a mask that leads from the page's address to the first's. */
struct page___info {
	unsigned long compound_info;
};

/* What classic tracepoints write. */
struct trace_event_raw_kmem_alloc { /* until 6.0; kmem_alloc_node begins alike */
	unsigned long call_site;
	const void *ptr;
	__u64 bytes_alloc;
};

struct trace_event_raw_kmem_alloc_node {
	unsigned long call_site;
	const void *ptr;
	__u64 bytes_alloc;
};

struct trace_event_raw_kmalloc { /* since 6.1 (11e9734bcb6a) */
	unsigned long call_site;
	const void *ptr;
	__u64 bytes_alloc;
};

struct trace_event_raw_kmem_cache_alloc {
	unsigned long call_site;
	const void *ptr;
	__u64 bytes_alloc;
};

/* kfree and kmem_cache_free of 5.10 share one of another name: their first two fields are alike. */
struct trace_event_raw_kmem_free {
	const void *ptr;
};

struct trace_event_raw_kfree {
	const void *ptr;
};

struct trace_event_raw_kmem_cache_free {
	const void *ptr;
};

struct trace_event_raw_mm_page_alloc {
	unsigned long pfn;
	unsigned int order;
	int migratetype;
};

struct trace_event_raw_mm_page_free {
	unsigned long pfn;
	unsigned int order;
};

#pragma clang attribute pop
