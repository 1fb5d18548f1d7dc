/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What pr hands to user space. Times are CLOCK_MONOTONIC, ns; pages are the kernel's. */
#pragma once

#include "buckets.h"
#include "who.bpf.h"

/* Who reclaims, and why. */
enum pr_type {
	PR_DIRECT,     /* an allocation that found too few free pages */
	PR_MEMCG,      /* a charge that found its cgroup's limit; memory.high, memory.reclaim */
	PR_SOFT_LIMIT, /* of cgroup v1, always inside a run of PR_DIRECT or PR_KSWAPD */
	PR_NODE,       /* an allocation that would rather reclaim its node than use another */
	PR_KSWAPD,     /* the node's own thread, in the background */
	PR_OTHER,      /* no run that is followed: madvise, DAMON, CMA, or begun before us */
	PR_TYPES,
};

/* Pages on the lists that were looked at, by what kept them or became of them. */
struct pr_states {
	__u64 dirty;
	__u64 unqueued_dirty;
	__u64 congested;
	__u64 writeback;
	__u64 immediate;
	__u64 pageout;
	__u64 activated;
	__u64 referenced;
	__u64 unmap_failed;
	__u64 lazyfree_failed;
	__u64 demoted;
};

/* Of one type on one node; map `pages`, at node * PR_TYPES + type. */
struct pr_pages {
	__u64 lists;
	__u64 scanned;
	__u64 reclaimed;
	__u64 known; /* a bit a member of pr_states, in their order */
	struct pr_states states;
};

/* A type of episode; map `types`. */
struct pr_counts {
	__u64 begun;
	__u64 ended;	    /* of those, with the end seen */
	__u64 unmatched;    /* ends without a begin */
	__u64 abandoned;    /* begins without an end */
	__u64 untracked;    /* begins that found `threads` full */
	__u64 unseen;	    /* freed pages, but no hook saw a list */
	__u64 sampled_out;  /* long enough for a span, but not drawn */
	__u64 rate_limited; /* drawn, but there were too many */
	__u64 ring_full;
};

/* What episodes add up to. */
struct pr_figures {
	__u64 episodes;
	__u64 ns;
	__u64 max_ns;
	__u64 requested;
	__u64 scanned;
	__u64 reclaimed;
};

struct pr_cgroup_key {
	__u64 cgroup;
	__u32 cgroup_v1;
	__u32 type;
};

/* What `used` of a slot says. */
enum pr_use {
	PR_FREE,
	PR_USED,
	PR_FORGOTTEN, /* user space has dropped its key, and will empty it */
};

/* The first PR_TYPES slots of each table are for what found it full, by type. */
struct pr_cgroup {
	struct pr_cgroup_key key;
	__u32 used;
	__u32 pid; /* of one that was in it */
	__u64 instant; /* episodes whose end is not known to be later than their begin */
	struct pr_figures figures;
	__u64 buckets[PR_BUCKETS];
};

struct pr_request_key {
	__u32 type;
	__u32 order;
	__u32 gfp;
};

struct pr_request {
	struct pr_request_key key;
	__u32 used;
	struct pr_figures figures;
};

struct pr_process_key {
	__u64 start_time;
	__u32 pid;
	__u32 type;
};

struct pr_process {
	struct pr_process_key key;
	__u32 used;
	__u32 order; /* of its longest episode */
	__u32 gfp;
	__u32 padding;
	__u64 executions; /* of its thread, when `who` was */
	struct pr_figures figures;
	struct who who; /* anew when it executes another program or enters another cgroup */
};

/* One run of reclaim, as it goes on; and, ended, what is sent of it. */
struct pr_episode {
	__u32 type;
	__u32 active;
	__u32 order;
	__u32 gfp;
	__u32 strange; /* 1: what the task points to is not this run */
	__u32 padding;
	__s32 priority; /* the lowest that was seen; -1: none was */
	__u32 target_level; /* depth of the target in its hierarchy */
	__u64 target;	    /* kernfs id of the cgroup whose memory it was about; 0: all memory */
	__u64 begin;
	__u64 end; /* as long as it goes on: when it was last seen to work */
	__u64 requested; /* 0: unknown */
	__u64 lists;
	__u64 taken; /* off a list of the multi-gen LRU, not yet told as scanned */
	__u64 scanned;
	__u64 reclaimed; /* from the lists */
	__u64 freed;	 /* all, slab included, as the kernel says at the end */
	__u64 nodes;	 /* a bit a node; those from 63 on share the last */
	__u64 throttled_ns;
	__u64 known;
	struct pr_states states;
};

/* What a thread is in; maps `kept` and `threads`, by thread id. */
struct pr_running {
	struct pr_episode at[2]; /* [1]: of PR_SOFT_LIMIT */
	struct who who;		 /* set as an episode ends, its names only where they are told */
	__u64 run[2]; /* address of the scan_control of each; 0: unknown, or not to be kept */
	__u32 is_kept; /* it lies in `kept` */
	/* Where its last episode was added to: see tables.h. */
	__u32 cgroup_slot;
	__u32 request_slot;
	__u32 process_slot;
	/* `who` holds while these are the same. */
	__u64 started;	  /* the thread, CLOCK_BOOTTIME, ns */
	__u64 executions;
	__u64 css_set; /* address of its cgroups */
};

struct pr_span {
	struct who who;
	struct pr_episode episode;
};

/* By reason; map `throttles`. The last is for reasons that this program does not know. */
enum pr_throttle {
	PR_THROTTLE_WRITEBACK,
	PR_THROTTLE_ISOLATED,
	PR_THROTTLE_NOPROGRESS,
	PR_THROTTLE_CONGESTED,
	PR_THROTTLE_UNKNOWN,
	PR_THROTTLES,
};

struct pr_throttled {
	__u64 count;
	__u64 ns;
};

/* Of one node; map `wakeups`. */
struct pr_wakeups {
	__u64 count;
};
