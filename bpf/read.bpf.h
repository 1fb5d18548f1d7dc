/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Reading the kernel's structs as the program may: a program that is given a pointer with its BTF
 * type loads through it in one instruction; a kprobe is given a number and calls a helper.
 */
#pragma once

#include "common.bpf.h"

enum pointers {
	TYPED,	/* iterators and tp_btf, and what they load from there: a fault reads as 0 */
	NUMBERS, /* kprobes */
};

/* Whether a program given types may load from the task that runs as well (since 5.11). The argument
 * must be a constant, as below. */
static __always_inline bool loads_current(enum pointers pointers)
{
	return pointers == TYPED &&
	       bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/* The task that runs: with loads_current() by plain loads, else by BPF_CORE_READ(). */
static __always_inline struct task_struct *current_task(enum pointers pointers)
{
	return loads_current(pointers) ? bpf_get_current_task_btf() :
					 (void *)bpf_get_current_task();
}

/* READ(TYPED, task, mm, total_vm) is task->mm->total_vm. The first argument must be a constant once
 * inlined: the verifier takes no program that could do both. */
#define READ(pointers, from, ...)                              \
	((pointers) == TYPED ? ___arrow(from, ##__VA_ARGS__) : \
			       BPF_CORE_READ(from, ##__VA_ARGS__))
