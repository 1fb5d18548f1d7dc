/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What crosses between the probes of allocators and user space.
 *
 * A process that is followed has a number, its target; never the same number for two until all that
 * was recorded of the first is gone. An allocation is known by target and address, and refers to a
 * slot: the figures of one stack of one target.
 */
#pragma once

#include <linux/types.h>

#define ML_RANGES 512 /* of code, a target: a power of two */
#define ML_FRAMES 127 /* of a stack, at most */
#define ML_ROWS_BITS 19
#define ML_ROWS (1 << ML_ROWS_BITS) /* of unwinding: a shard; the largest value that an array may have */
#define ML_AGES 32 /* log2 of ms */
#define ML_SLOT_BITS 24
#define ML_ONE (1ULL << 16) /* a count of one */

/* How a function takes its arguments and gives its memory; user-watch.ts has the same order. */
enum ml_shape {
	ML_MALLOC,
	ML_CALLOC,
	ML_REALLOC,
	ML_REALLOCARRAY,
	ML_ALIGNED_ALLOC,
	ML_POSIX_MEMALIGN,
	ML_FREE,
	ML_NEW,
	ML_MMAP,
	ML_MUNMAP,
	ML_MREMAP,
	ML_SBRK,
	ML_SHAPE = 0xff,
	/* added to a shape in a cookie: the function calls no other that is probed */
	ML_LEAF = 0x100,
	/* and: it may leave by an exception, and its result is seen at its `ret` */
	ML_EXITS = 0x200,
	/* from this bit on: of whose link it is, as in a target; 0: of a link of one process */
	ML_GROUP_BIT = 16,
};

/* Hits of links of all processes by those that nobody follows, by the thread's number: a line of a CPU's
 * cache each. Threads that share one may lose some. */
#define ML_LINES 1024 /* a power of two */
struct ml_strangers {
	__u64 hits;
	__u64 unused[7];
};

enum ml_target_state {
	ML_UNUSED,
	ML_FOLLOWED,
	ML_FORGOTTEN, /* until nothing refers to it any more */
};

/* Why a stack has no more frames. */
enum ml_depth {
	ML_END,
	ML_LIMIT,
	ML_UNREADABLE,
};

/* Code of a target, and how its frames are undone. */
struct ml_range {
	__u64 start;
	__u64 end; /* exclusive */
	__u64 bias; /* from the file's addresses to the process's */
	__u32 shard; /* of the rows */
	__u32 first; /* in it */
	__u32 rows; /* 0: nothing is known */
	__u32 unused;
};

/* How the frames of all instructions from an address on are undone, in 64 bits: the address as the
 * file has it (32), the distance of the canonical frame address from its register (16, unsigned), of
 * the place of the caller's frame pointer from that address (8, signed, 0: it is unchanged), in
 * units of 8 bytes, and enum ml_rule (8). */
struct ml_rows {
	__u64 rows[ML_ROWS];
};

enum ml_rule {
	ML_UNKNOWN, /* frame pointers are hoped for */
	ML_FROM_SP,
	ML_FROM_POINTER,
	ML_OUTERMOST,
};

/* What threads count for themselves, without atomics. */
struct ml_counts {
	__u64 hits; /* runs of our programs */
	__u64 recorded; /* allocations */
	__u64 unknown_frees; /* of what was not recorded */
};

struct ml_target {
	__u64 start_time; /* of the process, CLOCK_BOOTTIME, ns */
	__u32 pid;
	__u32 state; /* enum ml_target_state */
	__u32 which; /* of the two sets of ranges is valid; the other is being written */
	__u32 ranges[2]; /* how many there are */
	__u16 group; /* whose links it is seen by; 0: by its own */
	__u16 also; /* and by whose while it goes over to them, else the same */
	__u64 interval; /* mean bytes between samples, at most 2^30; 0: all are recorded */
	struct ml_counts gone; /* of threads that have exited */
	struct ml_counts present; /* of the others, summed up by a pass over them */
	__u64 missed_allocations; /* no room, or unreadable */
	__u64 missed_bytes;
	__u64 missed_frees; /* an address was handed out again that had not been freed */
	__u64 approximations; /* mappings cut in a way that could not be followed */
	__u64 interrupted; /* calls that never returned */
	__u64 without_slot; /* allocations counted in the slot of all that found no slot */
	struct ml_range code[2][ML_RANGES]; /* ascending */
};

/* An allocation. */
struct ml_key {
	__u64 address;
	__u32 target;
	__u32 unused;
};

struct ml_live {
	__u64 size; /* bytes as asked for */
	__u64 weight; /* allocations that it stands for, in ML_ONE */
	__u64 where; /* slot, and from bit ML_SLOT_BITS on the time in 2^20 ns */
};

/* What user space tells the next pass over all live allocations, and is told by it. */
struct ml_pass {
	__u64 now; /* CLOCK_MONOTONIC, ns; 0: ages are not asked for */
	__u64 kept;
	__u64 removed;
	__u64 missed; /* no room for what was to be inherited */
	__u32 from; /* of that target inherits */
	__u32 to; /* this one */
};

/* The registers of a thread: struct pt_regs as the kernel has it. */
struct ml_registers {
	__u32 tid;
	__u32 count; /* of words; 0: they could not be read */
	__u64 words[36];
};

/* A stack's key in the index of slots. */
struct ml_site {
	__u64 hash;
	__u32 target;
	__u32 unused;
};

/* Sums over all allocations of a stack since its slot was made, in one cache line. What is outstanding
 * is the difference. Read what was freed first. They wrap; differences do not mind. */
struct ml_slot {
	__u64 hash; /* 0: of nobody */
	__u64 allocated_bytes; /* estimates, with sampling */
	__u64 allocated; /* in ML_ONE */
	__u64 allocated_variance; /* of the estimate, bytes squared */
	__u64 freed_bytes;
	__u64 freed;
	__u64 freed_variance;
	__u32 target;
	__u32 unused;
};

/* Written once, when its slot is made. */
struct ml_stack {
	__u64 first; /* CLOCK_MONOTONIC, ns */
	__u32 depth; /* frames */
	__u32 end; /* enum ml_depth */
	__u64 hash;
	__u64 frames[ML_FRAMES];
};

/* Of a slot's outstanding allocations, by a pass over all. */
struct ml_ages {
	__u64 oldest; /* ns */
	__u64 allocations[ML_AGES]; /* in ML_ONE */
	__u64 bytes[ML_AGES];
};

enum ml_happening_kind {
	ML_EXEC,
	ML_EXIT,
	ML_FORK,
};

struct ml_happening {
	__u64 time; /* CLOCK_MONOTONIC, ns */
	__u64 start_time;
	__u64 child_start_time;
	__u32 kind;
	__u32 pid;
	__u32 child;
	__u32 unused;
};

/* operator new as it began. */
struct ml_new {
	__u64 function;
	__u64 caller; /* where it returns to */
	__u64 pointer; /* frame pointer of the caller */
	__u64 sp;
};

/* A walk of a thread's stack, as far as it has come. */
struct ml_walk {
	__u64 address; /* of the next frame, as its function goes on after a call */
	__u64 pointer; /* the register of frame pointers, whatever it holds */
	__u64 sp;
	__u64 hash; /* of the frames so far */
	__u32 depth; /* how many there are */
	__u32 end; /* enum ml_depth */
};

/* A thread that has called an allocator. */
struct ml_thread {
	__u64 sp; /* of the outermost call that is under way; 0: none is */
	__u64 size; /* that it asks for */
	__u64 out; /* where it will find the address; 0: in the result */
	__u64 interval; /* that `remainder` was drawn for; 0: all are recorded */
	__s64 remainder; /* bytes until the next sample */
	__u32 slot; /* of the last stack */
	__u32 target;
	__u32 shape;
	__u32 nested; /* calls within the outermost one */
	__u32 sampled; /* whether the call is to be recorded */
	__u32 has_old; /* whether `old` was taken from the live ones by this call */
	__u64 old_address;
	struct ml_live old;
	struct ml_counts counts;
	__u32 news; /* entries of `new` that hold */
	__u32 exits; /* the call is seen to end at a `ret` of its function */
	__u64 caller; /* then: where it returns to */
	__u64 mapped; /* by its last mmap, and bytes of it that are left */
	__u64 mapped_size;
	struct ml_new new[2]; /* the last; outer first, for new[] calls new */
	struct ml_walk walk;
};
