/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Memory nodes and zones, and the two ways to them: through a memory cgroup, and through what the
 * page allocator hands around. Only the fields that are read; CO-RE finds them on the running kernel.
 */
#pragma once

#include "kernel/task.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Counters of a node. The numbers differ on nearly every kernel, and some are missing: ask by
 * bpf_core_enum_value_exists() and bpf_core_enum_value(). */
enum node_stat_item {
	NR_INACTIVE_ANON,
	NR_ACTIVE_ANON,
	NR_INACTIVE_FILE,
	NR_ACTIVE_FILE,
	NR_UNEVICTABLE,
	NR_SLAB_RECLAIMABLE_B, /* named for cgroups' sake: a node counts it in pages, not bytes */
	NR_SLAB_UNRECLAIMABLE_B,
	NR_ANON_MAPPED,
	NR_FILE_MAPPED,
	NR_FILE_DIRTY,
	NR_WRITEBACK,
	NR_WRITEBACK_TEMP, /* FUSE's copies of pages under writeback; 6.12 has them, 6.18 does not */
	NR_SHMEM,
	NR_SHMEM_THPS,
	NR_FILE_THPS,
	NR_ANON_THPS,
	NR_UNSTABLE_NFS, /* until 5.8 (8d92890bd6b8), counted as NR_WRITEBACK since */
	NR_KERNEL_MISC_RECLAIMABLE,
	NR_SWAPCACHE, /* since 5.12 (b6038942480e) */
};

enum zone_stat_item {
	NR_FREE_PAGES,
	NR_ZONE_INACTIVE_ANON, /* the reclaim lists of all cgroups, by zone */
	NR_ZONE_ACTIVE_ANON,
	NR_ZONE_INACTIVE_FILE,
	NR_ZONE_ACTIVE_FILE,
	NR_FREE_CMA_PAGES, /* part of NR_FREE_PAGES */
};

enum zone_watermarks {
	WMARK_MIN,
	WMARK_LOW,
	WMARK_HIGH,
	NR_WMARK,
};

/* Lowest first; those that a configuration lacks do not count. Ask by bpf_core_enum_value(). */
enum zone_type {
	ZONE_DMA,
	ZONE_DMA32,
	ZONE_NORMAL,
	ZONE_HIGHMEM,
	ZONE_MOVABLE,
};

/* The free blocks of one size: 2^order pages. */
struct free_area {
	struct list_head free_list[1]; /* by enum migratetype, whose numbers differ */
	unsigned long nr_free;	       /* blocks in all lists */
};

struct pglist_data;

struct zone {
	unsigned long _watermark[NR_WMARK];
	unsigned long watermark_boost;
	unsigned long nr_reserved_highatomic;
	unsigned long nr_free_highatomic; /* since 6.13 (c928807f6f6b), stable trees as well */
	long lowmem_reserve[1];		  /* by zone of the request; as many as kinds of zones */
	struct pglist_data *zone_pgdat;
	atomic_long_t managed_pages;
	unsigned long present_pages;
	const char *name;
	struct free_area free_area[1]; /* by order; 11 of them but where configured otherwise */
	atomic_long_t vm_stat[1];      /* by enum zone_stat_item */
};

struct zoneref {
	struct zone *zone; /* NULL ends the list */
};

struct zonelist {
	struct zoneref _zonerefs[1];
};

struct pglist_data {
	struct zone node_zones[1]; /* as many as the configuration has kinds of zones */
	/* [0]: the zones of every node that have memory, nearest node first */
	struct zonelist node_zonelists[1];
	int node_id;
	int kswapd_failures;	  /* runs in a row that reclaimed nothing */
	atomic_long_t vm_stat[1]; /* by enum node_stat_item */
};

/* In 6.18, not yet in 6.12. */
struct pglist_data___atomic {
	atomic_t kswapd_failures;
};

struct lruvec {
	struct pglist_data *pgdat; /* set when the cgroup first has a page on the node */
};

struct lruvec_stats_percpu;

struct mem_cgroup_per_node {
	struct lruvec lruvec;
	struct lruvec_stats_percpu *lruvec_stats_percpu; /* since 5.15 (7e1c0d6f5820) */
};

/* Pages charged, and the most that may be; PAGE_COUNTER_MAX (LONG_MAX in pages) is no limit. */
struct page_counter {
	atomic_long_t usage;
	unsigned long max;
};

struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
	struct page_counter memsw; /* v1: memory and swap; on v2 its place is taken by swap alone */
	struct page_counter kmem;  /* v1: kernel memory; gone without CONFIG_MEMCG_V1 (6.11) */
	struct mem_cgroup_per_node *nodeinfo[]; /* by node, as many as nodes are possible */
};

/* What a request carries through mm/page_alloc.c. */
struct alloc_context {
	struct zoneref *preferred_zoneref;
	int migratetype;
	int highest_zoneidx; /* enum zone_type */
};

#pragma clang attribute pop
