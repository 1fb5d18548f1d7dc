/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What the programs on the kernel's own allocations and user space share. */
#pragma once

#define KERNEL_FRAMES 48  /* of a stack that are kept */
#define KERNEL_NAME_SIZE 48
#define KERNEL_AGES 40	  /* [i]: of age [2^i, 2^(i+1)) ms */
#define KERNEL_FREES 3	  /* tracepoints of frees that have a second program */
#define KERNEL_LEVELS 4	  /* task, soft interrupt, interrupt, NMI */

enum kernel_kind {
	KERNEL_CACHE,	/* kmem_cache_alloc */
	KERNEL_KMALLOC, /* kmalloc; the same addresses as those of caches */
	KERNEL_PAGES,
	KERNEL_PERCPU,
};

/* A stack of one origin, and what was allocated and freed of it. Bytes. */
struct kernel_stack {
	__u64 hash;
	__u64 first_seen; /* CLOCK_MONOTONIC, ns */
	__u64 allocated_bytes;
	__u64 allocated_count;
	__u64 freed_bytes;
	__u64 freed_count;
	__u64 unseen_frees; /* part of freed_count: the address was given out again */
	__u32 kind;
	__u32 origin; /* user space's number of the cache; the order of pages */
	__u32 depth;  /* frames */
	__u16 cut;    /* 1: there were more frames; 2: the stack could not be walked */
	__u16 retired; /* no longer followed: the next pass forgets what it has outstanding */
	__u64 frames[KERNEL_FRAMES];
};

/* An outstanding allocation. */
struct kernel_live {
	__u64 time; /* CLOCK_MONOTONIC, ns */
	__u64 bytes;
	__u32 slot;   /* of its stack */
	__u32 weight; /* 1; of the parts of a block that was split only one has it, the others 0 */
};

/* Outstanding allocations of one stack by age. */
struct kernel_ages {
	__u64 oldest; /* time of the oldest, CLOCK_MONOTONIC, ns */
	__u64 allocations[KERNEL_AGES];
	__u64 bytes[KERNEL_AGES];
};

/* What user space tells the programs while they run. */
struct kernel_orders {
	__u32 generation; /* of what is known of caches; any change makes the programs look again */
	__u32 pad;
};

/* By CPU: what programs were run for, and what they could not do. */
struct kernel_counts {
	__u64 allocations; /* that programs saw, whether they were asked for or not */
	__u64 recorded;
	__u64 frees; /* that programs saw */
	__u64 matched; /* of those: of what was recorded */
	__u64 live_full;
	__u64 stacks_full;
	__u64 busy_allocations; /* a table was locked by what the interrupt interrupted */
	__u64 busy_frees;
	__u64 nested;	    /* too many interrupts in one another */
	__u64 unseen_frees; /* noticed because the address was given out again */
	__u64 split_frees;  /* parts of blocks that could not be told from the rest */
	__u64 unwalked;	    /* recorded without a stack */
	__u64 rescued;	    /* frees that the first program was left out of, and the second saw */
	/* parts of the counts above, the rest is of slabs: what was seen, and of it recorded */
	__u64 page_hits;
	__u64 page_recorded;
	__u64 percpu_hits;
	__u64 percpu_recorded;
	/* what the first programs last saw freed, each; no count */
	__u64 freeing[KERNEL_FREES];
};
