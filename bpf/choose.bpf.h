/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Choices without a branch. The verifier follows both ways of a branch, and in a loop both ways of
 * every turn; of arithmetic there is one way. barrier_var() keeps the compiler from making it a branch
 * again. A choice is a factor, 1 or 0, and no mask: of `x s>>= 63; x &= constant` the verifier of
 * 6.18.44 follows both ways as well.
 */
#pragma once

#include "common.bpf.h"

/* 1 if a < b, else 0; both below 2^63. */
static __always_inline __u64 is_below(__u64 a, __u64 b)
{
	__u64 difference = a - b;

	barrier_var(difference);
	difference >>= 63;
	barrier_var(difference);
	return difference;
}

/* 1 if a is b, else 0. */
static __always_inline __u64 is_same(__u64 a, __u64 b)
{
	__u64 difference = a ^ b, negative = -difference;

	barrier_var(negative);
	difference = ((difference | negative) >> 63) ^ 1;
	barrier_var(difference);
	return difference;
}

/* floor(log2(value)) of a value below 2^63; of 0 it is 0. */
static __always_inline __u32 log2_of(__u64 value)
{
	__u32 log = 0;

	for (__u32 bit = 6; bit--;) {
		__u32 shift = is_below((1ULL << (1U << bit)) - 1, value) << bit;

		value >>= shift;
		log += shift;
	}
	return log;
}
