/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A task and what hangs from it: its memory, its group, its cgroups. Only the fields that are read;
 * CO-RE finds where they lie on the running kernel, so order and completeness do not matter.
 * `___name` is a flavour: the same type as other kernels have it.
 */
#pragma once

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;

/* Since 4.5 in this order on every kernel. */
enum mm_counter {
	MM_FILEPAGES,
	MM_ANONPAGES,
	MM_SWAPENTS,
	MM_SHMEMPAGES,
	NR_MM_COUNTERS,
};

struct percpu_counter {
	__s64 count;
	__s32 *counters; /* per CPU */
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long counter;
} atomic_long_t;

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
};

/* Since 6.2 (f1a7941243c1 "mm: convert mm's rss stats into percpu_counter"). */
struct mm_struct {
	unsigned long total_vm;
	unsigned long hiwater_vm;
	unsigned long hiwater_rss;
	unsigned long locked_vm;
	unsigned long data_vm;
	unsigned long stack_vm;
	atomic_long_t pgtables_bytes;
	atomic_long_t hugetlb_usage; /* only with CONFIG_HUGETLB_PAGE */
	struct percpu_counter rss_stat[NR_MM_COUNTERS];
	struct file *exe_file;
};

/* Before 6.2: one atomic a counter, and what each thread has not yet added (task_rss_stat). */
struct mm_rss_stat {
	atomic_long_t count[NR_MM_COUNTERS];
};

struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
};

struct task_rss_stat {
	int count[NR_MM_COUNTERS];
};

struct list_head {
	struct list_head *next; /* the head itself if the list is empty */
	struct list_head *prev;
};

struct signal_struct {
	struct list_head thread_head; /* of the threads' thread_node */
	/* what threads that have exited left behind; live threads keep their own */
	unsigned long nvcsw;
	unsigned long nivcsw;
	unsigned long min_flt;
	unsigned long maj_flt;
	atomic_t live; /* threads that have not exited */
	struct mm_struct *oom_mm; /* set once the OOM killer chose the process */
};

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct kernfs_node {
	__u64 id; /* what user space sees as the inode of the cgroup's folder */
};

struct cgroup_root;

struct cgroup {
	int level; /* 0 is the root of its hierarchy */
	struct cgroup_root *root; /* the hierarchy */
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent; /* NULL at the root */
};

/* `memory_cgrp_id` differs by configuration: ask by bpf_core_enum_value(). */
enum cgroup_subsys_id {
	memory_cgrp_id,
};

struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* by enum cgroup_subsys_id: see task_css() */
	struct cgroup *dfl_cgrp;	       /* in the v2 hierarchy */
};

struct mem_cgroup;

struct task_struct {
	unsigned int flags;
	int prio; /* below 100: real time */
	struct mem_cgroup *active_memcg; /* charged in place of the task's own, if set */
	int pid;
	int tgid;
	char comm[16];
	void *stack;
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct list_head tasks;	      /* of a leader: in the ring of all processes */
	struct list_head thread_node; /* in the list of its process's threads */
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	const struct cred *real_cred;
	__u64 self_exec_id; /* grows with each program that the thread executes */
	struct css_set *cgroups;
	__u64 start_boottime;
	unsigned long nvcsw;
	unsigned long nivcsw;
	unsigned long min_flt;
	unsigned long maj_flt;
};

struct task_struct___before_6_2 {
	struct task_rss_stat rss_stat;
};

struct bpf_map {
	__u32 id;
};

struct bpf_array {
	struct bpf_map map;
	void *pptrs[0]; /* of a per-CPU array: the per-CPU address of each element */
};

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* include/linux/sched.h, unchanged since 5.10 and not in BTF. */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000

/* The state of one controller for this task, for instance of memory_cgrp_id; NULL if unreadable. */
static __always_inline struct cgroup_subsys_state *task_css(struct task_struct *task, __u64 subsys)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css = NULL;

	bpf_probe_read_kernel(&css, sizeof(css), (void *)&set->subsys + subsys * sizeof(css));
	return css;
}
