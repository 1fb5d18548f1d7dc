/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What paf hands to user space: folds, which count every failure, and on demand the zones of all
 * nodes, in memory that both sides see; details of the first failure of a window, and attempts, by
 * rings. Memory is in pages
 * of the kernel, times are CLOCK_MONOTONIC in ns.
 */
#pragma once

#include "who.bpf.h"
#include "zones.bpf.h"

#define PAF_FRAMES 48  /* of a stack */
#define PAF_OTHERS 8   /* further nodes that are summarised; a power of two */
#define PAF_ORDERS 16  /* of the folds for what finds no fold of its own */
#define PAF_TYPES 8

/* Failures that are told apart. A part that the strategy does not know is 0. */
struct paf_key {
	__u64 stack;  /* hash of the frames; 0: not walked */
	__u64 cgroup; /* kernfs id, 0 if unknown */
	__u64 process; /* pid, and a mark of what it runs; 0 unless folded by process */
	__u32 gfp;    /* as the allocator used them last */
	__u32 order;
	__u32 migrate_type;
	__u32 padding;
};

/* All failures of one key. The first PAF_ORDERS * PAF_TYPES are for failures that found no room:
 * by order and migrate type, and nothing else is known of them. */
struct paf_fold {
	__u64 count; /* only grows, also when the slot is given to another key */
	__u64 others; /* part of `count`: of other processes than `who` */
	__u64 first;
	__u64 last;
	__u64 detail_at; /* when the last detail was taken */
	struct paf_key key;
	struct who who; /* of the first failure */
	__u32 generation; /* grows by 2 when the slot is given to another key; odd meanwhile */
	__u32 frames;
	__u64 stack[PAF_FRAMES]; /* return addresses, innermost first */
};

/* Which parts of a detail are known. */
enum paf_known {
	PAF_REQUESTED = 1,    /* `requested` */
	PAF_REQUEST_NODE = 2, /* `node` is what the request preferred; else it is the CPU's */
	PAF_ALLOC_FLAGS = 4,
	PAF_KSWAPD = 8,
	PAF_MEMCG = 16,
	PAF_MEMCG_V1 = 32, /* its cgroups are in the memory controller's own hierarchy */
	PAF_ENDED = 64,	   /* `failed`, of an attempt */
};

enum paf_counter {
	PAF_MEMORY = 1, /* memory, all of it */
	PAF_MEMSW = 2,  /* memory and swap, v1 */
	PAF_KMEM = 3,   /* kernel memory, v1 */
};

/* The page counter with the least room, of the charged cgroup and those above it. */
struct paf_memcg {
	__u64 cgroup; /* whose counter it is, kernfs id */
	__u64 charged; /* the cgroup that the request charges, kernfs id */
	__u64 usage;
	__u64 limit;
	__u32 counter; /* enum paf_counter */
	__u32 depth;   /* levels above `charged` */
};

/* What reclaim could take of a zone. */
struct paf_reclaimable {
	__s64 file;
	__s64 anon;
};

/* Of a node's zones that the request may use, the one with most free above its watermark. */
struct paf_other {
	__u32 node;
	__u32 zone; /* index */
	__s64 free;
	__s64 needed; /* min with boost, and what is kept from this request */
	__s32 largest; /* order of its largest free block, -1 if none */
	__u32 padding;
};

struct paf_detail {
	__u64 time;
	__u32 slot; /* of the fold */
	__u32 generation;
	__u32 known; /* enum paf_known */
	__u32 gfp;
	__u32 requested;
	__u32 order;
	__u32 migrate_type;
	__u32 node;
	__u32 highest_zone; /* index of the highest zone that the request may use */
	__u32 alloc_flags;  /* ALLOC_* of the last attempt */
	__u32 task_flags;   /* PF_* */
	__s32 priority;	    /* of the task; below 100: real time */
	__u32 oom_victim;
	__u32 kswapd_failures; /* runs of the node's kswapd in a row that reclaimed nothing */
	__u32 zone_count;
	__u32 other_count;
	struct who who;
	struct paf_memcg memcg;
	struct paf_other others[PAF_OTHERS];
	struct paf_reclaimable reclaimable[MAX_ZONES]; /* by place in `zones` */
	struct zone_detail zones[MAX_ZONES];	       /* those with pages, lowest first */
};

struct paf_attempt {
	__u64 time;
	__u32 gfp;
	__u32 order;
	__u32 migrate_type;
	__u32 node;
	__u32 known; /* enum paf_known */
	__u32 failed; /* 1: there was no page */
	struct who who;
	struct zone_state zone; /* the preferred one */
};

struct paf_totals {
	__u64 failures; /* the sum of all counts of folds */
};

/* A node's zones, by index; without pages `present` is 0. */
struct paf_node {
	__u64 read_at; /* the last survey that saw it; 0: none */
	struct zone_state zones[MAX_ZONES];
};
