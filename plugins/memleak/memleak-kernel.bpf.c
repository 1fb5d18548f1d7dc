// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The kernel's own allocations: what was allocated and not freed, by stack, of those slab caches, pages
 * and per-CPU memory that user space asks for.
 *
 * Nothing is attached at load. Each allocator has its programs, on raw tracepoints or on classic ones.
 * Here a pointer is a key to be hashed, which BTF-typed programs may not do with theirs. What no
 * tracepoint tells (objects that are allocated or freed in bulk) is seen at functions, where the kernel
 * lets us.
 */
#include <linux/ptrace.h>
#include "common.bpf.h"
#include "kernel/caches.h"
#include "kernel/live.h"
#include "kernel/pages.h"
#include "kernel/slab.h"
#include "kernel/task.h"
#include "walk.h"

LICENSE;

static __always_inline int on_object(void *ctx, enum kernel_kind kind, __u32 number, __u64 object,
				     __u64 bytes, __u64 call_site)
{
	struct origin origin = { .kind = kind, .number = number, .call_site = call_site };

	return record(ctx, &origin, key_of(object, KEY_SLAB), bytes);
}

/* Of objects whose tracepoint tells the size alone. */
static __always_inline int on_sized(void *ctx, enum kernel_kind kind, __u64 call_site, __u64 object,
				    __u64 bytes)
{
	__u32 origin;

	KERNEL_COUNT(allocations);
	origin = object ? origin_by_size(object, bytes, kind) : 0;
	return origin ? on_object(ctx, kind, origin, object, bytes, call_site) : 0;
}

/* Of objects whose tracepoint tells the cache. */
static __always_inline int on_cached(void *ctx, __u64 call_site, __u64 object, __u64 cache)
{
	unsigned int size = 0;
	__u32 origin;

	KERNEL_COUNT(allocations);
	origin = object ? origin_of(cache) : 0;
	if (!origin)
		return 0;
	bpf_core_read(&size, sizeof(size), &((struct kmem_cache *)cache)->size);
	return on_object(ctx, KERNEL_CACHE, origin, object, size, call_site);
}

/* Counted by first_sees() and is_second_alone(), or by who calls it. */
static __always_inline int on_object_free(__u64 object)
{
	freed(key_of(object, KEY_SLAB));
	return 0;
}

static __always_inline int on_percpu_alloc(void *ctx, __u64 call_site, __u64 size, __u64 address)
{
	struct origin origin = { .kind = KERNEL_PERCPU, .call_site = call_site };

	KERNEL_COUNT(allocations);
	KERNEL_COUNT(percpu_hits);
	if (!address)
		return 0;
	return record(ctx, &origin, key_of(address, KEY_PERCPU), size * possible_cpus);
}

/* Both programs of a free; see first_sees(). */
#define FREE(way, section, name, point)                                                 \
	SEC(section)                                                                    \
	int BPF_PROG(way##_##name, __u64 site, __u64 object)                            \
	{                                                                               \
		first_sees(point, object);                                              \
		return on_object_free(object);                                          \
	}                                                                               \
	SEC(section)                                                                    \
	int BPF_PROG(way##_##name##_again, __u64 site, __u64 object)                    \
	{                                                                               \
		return is_second_alone(point, object) ? on_object_free(object) : 0;     \
	}

/* Arguments of tracepoints, each a u64. */
#define SLAB(way, section)                                                              \
	SEC(section "kmalloc")                                                          \
	int BPF_PROG(way##_kmalloc, __u64 site, __u64 object, __u64 asked, __u64 bytes) \
	{                                                                               \
		return on_sized(ctx, KERNEL_KMALLOC, site, object, bytes);              \
	}                                                                               \
	SEC(section "kmalloc_node")                                                     \
	int BPF_PROG(way##_kmalloc_node, __u64 site, __u64 object, __u64 asked,         \
		     __u64 bytes)                                                       \
	{                                                                               \
		return on_sized(ctx, KERNEL_KMALLOC, site, object, bytes);              \
	}                                                                               \
	SEC(section "kmalloc")                                                          \
	int BPF_PROG(way##_kmalloc_of, __u64 site, __u64 object, __u64 cache,           \
		     __u64 asked, __u64 bytes)                                          \
	{                                                                               \
		return on_sized(ctx, KERNEL_KMALLOC, site, object, bytes);              \
	}                                                                               \
	SEC(section "kmalloc_node")                                                     \
	int BPF_PROG(way##_kmalloc_node_of, __u64 site, __u64 object, __u64 cache,      \
		     __u64 asked, __u64 bytes)                                          \
	{                                                                               \
		return on_sized(ctx, KERNEL_KMALLOC, site, object, bytes);              \
	}                                                                               \
	SEC(section "kmem_cache_alloc")                                                 \
	int BPF_PROG(way##_cache_alloc, __u64 site, __u64 object, __u64 cache)          \
	{                                                                               \
		return on_cached(ctx, site, object, cache);                             \
	}                                                                               \
	SEC(section "kmem_cache_alloc_node")                                            \
	int BPF_PROG(way##_cache_alloc_node, __u64 site, __u64 object, __u64 cache)     \
	{                                                                               \
		return on_cached(ctx, site, object, cache);                             \
	}                                                                               \
	SEC(section "kmem_cache_alloc")                                                 \
	int BPF_PROG(way##_cache_alloc_sized, __u64 site, __u64 object, __u64 asked,    \
		     __u64 bytes)                                                       \
	{                                                                               \
		return on_sized(ctx, KERNEL_CACHE, site, object, bytes);                \
	}                                                                               \
	SEC(section "kmem_cache_alloc_node")                                            \
	int BPF_PROG(way##_cache_alloc_node_sized, __u64 site, __u64 object,            \
		     __u64 asked, __u64 bytes)                                          \
	{                                                                               \
		return on_sized(ctx, KERNEL_CACHE, site, object, bytes);                \
	}                                                                               \
	FREE(way, section "kfree", kfree, FREE_KFREE)                                   \
	FREE(way, section "kmem_cache_free", cache_free, FREE_CACHE)

#define PAGES(way, section)                                                             \
	SEC(section "mm_page_alloc")                                                    \
	int BPF_PROG(way##_page_alloc, __u64 page, unsigned int order, __u64 gfp,       \
		     int migratetype)                                                   \
	{                                                                               \
		return on_page_alloc(ctx, page, order, migratetype);                    \
	}                                                                               \
	SEC(section "mm_page_free")                                                     \
	int BPF_PROG(way##_page_free, __u64 page, unsigned int order)                   \
	{                                                                               \
		first_sees(FREE_PAGE, page);                                            \
		return on_page_free(page, order);                                       \
	}                                                                               \
	SEC(section "mm_page_free")                                                     \
	int BPF_PROG(way##_page_free_again, __u64 page, unsigned int order)             \
	{                                                                               \
		return is_second_alone(FREE_PAGE, page) ? on_page_free(page, order) : 0; \
	}

#define PERCPU(way, section)                                                            \
	SEC(section "percpu_alloc_percpu")                                              \
	int BPF_PROG(way##_percpu_alloc, __u64 site, bool reserved, bool atomic,        \
		     __u64 size, __u64 align, __u64 base, int offset, __u64 address)    \
	{                                                                               \
		return on_percpu_alloc(ctx, site, size, address);                       \
	}                                                                               \
	SEC(section "percpu_alloc_percpu")                                              \
	int BPF_PROG(way##_percpu_alloc_siteless, bool reserved, bool atomic,           \
		     __u64 size, __u64 align, __u64 base, int offset, __u64 address)    \
	{                                                                               \
		return on_percpu_alloc(ctx, 0, size, address);                          \
	}                                                                               \
	SEC(section "percpu_free_percpu")                                               \
	int BPF_PROG(way##_percpu_free, __u64 base, int offset, __u64 address)          \
	{                                                                               \
		KERNEL_COUNT(frees);                                                    \
		KERNEL_COUNT(percpu_hits);                                              \
		freed(key_of(address, KEY_PERCPU));                                     \
		return 0;                                                               \
	}

SLAB(raw, "raw_tp/")
PAGES(raw, "raw_tp/")
PERCPU(raw, "raw_tp/")

/* Classic tracepoints tell sizes, never the cache. `type`: struct trace_event_raw_…. */
#define CLASSIC_ALLOC(name, event, type, kind)                                          \
	SEC("tp/kmem/" #event)                                                          \
	int tp_##name(struct trace_event_raw_##type *ctx)                               \
	{                                                                               \
		return on_sized(ctx, kind, ctx->call_site, (__u64)ctx->ptr,             \
				ctx->bytes_alloc);                                      \
	}

CLASSIC_ALLOC(kmalloc, kmalloc, kmalloc, KERNEL_KMALLOC)
CLASSIC_ALLOC(cache_alloc, kmem_cache_alloc, kmem_cache_alloc, KERNEL_CACHE)
CLASSIC_ALLOC(kmalloc_before, kmalloc, kmem_alloc, KERNEL_KMALLOC)
CLASSIC_ALLOC(cache_alloc_before, kmem_cache_alloc, kmem_alloc, KERNEL_CACHE)
CLASSIC_ALLOC(kmalloc_node, kmalloc_node, kmem_alloc_node, KERNEL_KMALLOC)
CLASSIC_ALLOC(cache_alloc_node, kmem_cache_alloc_node, kmem_alloc_node, KERNEL_CACHE)

#define CLASSIC_FREE(name, event, type)                                                 \
	SEC("tp/kmem/" #event)                                                          \
	int tp_##name(struct trace_event_raw_##type *ctx)                               \
	{                                                                               \
		KERNEL_COUNT(frees);                                                    \
		return on_object_free((__u64)ctx->ptr);                                 \
	}

CLASSIC_FREE(kfree, kfree, kfree)
CLASSIC_FREE(cache_free, kmem_cache_free, kmem_cache_free)
CLASSIC_FREE(kfree_before, kfree, kmem_free)
CLASSIC_FREE(cache_free_before, kmem_cache_free, kmem_free)

/* They tell the page's number: as good as its address, with the same distances. */
SEC("tp/kmem/mm_page_alloc")
int tp_page_alloc(struct trace_event_raw_mm_page_alloc *ctx)
{
	/* of a failure 0 or -1, by kernel */
	__u64 page = ctx->pfn && ctx->pfn + 1 ? ctx->pfn * bpf_core_type_size(struct page) : 0;

	return on_page_alloc(ctx, page, ctx->order, ctx->migratetype);
}

SEC("tp/kmem/mm_page_free")
int tp_page_free(struct trace_event_raw_mm_page_free *ctx)
{
	KERNEL_COUNT(frees);
	return on_page_free(ctx->pfn * bpf_core_type_size(struct page), ctx->order);
}

/* Of one call in bulk; the kernel's own callers stay below. */
#define BULK 512

/* The object that the pointer at `where` leads to. */
__attribute__((noinline)) int free_at(__u64 where)
{
	__u64 object;

	KERNEL_COUNT(frees);
	if (!bpf_probe_read_kernel(&object, sizeof(object), (void *)where))
		on_object_free(object);
	return 0;
}

/* kfree_rcu() and the network free in bulk, which no tracepoint tells. */
SEC("fentry/kmem_cache_free_bulk")
int BPF_PROG(bulk_free, void *cache, __u64 count, __u64 objects)
{
	for (__u32 i = 0; i < BULK; i++) {
		if (i >= count)
			break;
		free_at(objects + i * sizeof(void *));
	}
	return 0;
}

static __always_inline int on_sheaf(__u64 object, bool done)
{
	if (!done)
		return 0;
	KERNEL_COUNT(frees);
	return on_object_free(object);
}

/* Where slabs have sheaves (6.18) kfree_rcu() puts the object into one, and no other program sees it. */
SEC("fexit/__kfree_rcu_sheaf")
int BPF_PROG(sheaf_free, void *cache, __u64 object, bool done)
{
	return on_sheaf(object, done);
}

SEC("fexit/__kfree_rcu_sheaf")
int BPF_PROG(sheaf_free_flags, void *cache, __u64 object, unsigned int flags, bool done)
{
	return on_sheaf(object, done);
}

/* Of a pass over `live`: one entry. User space has emptied `ages`. */
static __always_inline void see_live(__u64 key, const struct kernel_live *entry, __u64 now)
{
	__u32 slot = entry->slot, index;
	struct kernel_ages *of = bpf_map_lookup_elem(&ages, &slot);
	struct kernel_stack *stack = bpf_map_lookup_elem(&stacks, &slot);

	if (!of || !stack)
		return;
	if (stack->retired) {
		forget(key, false);
		return;
	}
	index = log2_of(now > entry->time ? (now - entry->time) / 1000000 : 0);
	if (index >= KERNEL_AGES)
		return;
	of->allocations[index] += entry->weight;
	of->bytes[index] += entry->bytes;
	if (!of->oldest || entry->time < of->oldest)
		of->oldest = entry->time;
}

static long on_live(struct bpf_map *map, const void *at, void *value, void *context)
{
	struct kernel_live entry;

	if (!may_visit())
		return 1;
	entry = *(struct kernel_live *)value;
	see_live(*(const __u64 *)at, &entry, bpf_ktime_get_ns());
	return 0;
}

SEC("raw_tp")
int each_live(void *ctx)
{
	return bpf_for_each_map_elem(&live, on_live, NULL, 0);
}

SEC("iter/bpf_map_elem")
int iterate_live(struct bpf_iter__bpf_map_elem *ctx)
{
	struct kernel_live *value = ctx->value, entry;
	__u64 *at = ctx->key; /* once: a second load is another, unchecked pointer */

	if (!value || !at)
		return 0;
	entry = *value;
	see_live(*at, &entry, bpf_ktime_get_ns());
	mark_visit(ctx);
	return 0;
}
