/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What procstat hands to user space: the bytes of one pass are these records, one after the other,
 * in the order of thread ids. Memory is in pages of the kernel unless it says otherwise. */
#pragma once

#include "who.bpf.h"

enum procstat_kind {
	PROCSTAT_PROCESS = 1, /* struct procstat_process: a group's leader */
	PROCSTAT_THREAD = 2,  /* struct procstat_thread: any other thread */
};

struct procstat_memory {
	__u64 total_vm;
	__u64 hiwater_vm;
	__u64 hiwater_rss;
	__u64 locked_vm;
	__u64 data_vm;
	__u64 stack_vm;
	__u64 page_table_bytes;
	__u64 hugetlb;
	/* by enum mm_counter; may be below 0 for a moment while CPUs move pages between each other */
	__s64 counters[4];
};

/* Of one thread; a process's are the sum over its threads and the threads that have exited. */
struct procstat_activity {
	__u64 voluntary_switches;
	__u64 involuntary_switches;
	__u64 minor_faults;
	__u64 major_faults;
};

struct procstat_process {
	__u32 kind;
	__u32 pid;
	__u32 ppid;
	__u32 uid;
	__u32 has_memory; /* 0: the leader has exited; a thread's record may have the process's */
	__u32 cgroup_v1;  /* 1: `cgroup` is in the memory controller's own hierarchy */
	__u64 cgroup;	  /* kernfs id, 0 if unknown */
	__u64 start_time; /* CLOCK_BOOTTIME, ns */
	struct procstat_memory memory;
	struct procstat_activity activity; /* of the leader and of exited threads */
	char comm[COMM_SIZE];
	char executable[EXECUTABLE_SIZE];
};

struct procstat_thread {
	__u32 kind;
	__u32 pid; /* of the process */
	struct procstat_activity activity;
	/* before 6.2: pages that this thread has not yet added to its process's counters */
	__s32 unfolded[4];
	/* 1: the leader has exited; `memory` stands for the process */
	__u32 has_memory;
	__u32 padding;
	struct procstat_memory memory;
};
