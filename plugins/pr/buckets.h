/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The buckets of an exponential histogram of scale 0, in seconds.
 */
#pragma once

#include "choose.bpf.h"

/* buckets[i]: (2^(i-31), 2^(i-30)] seconds; the last has all that are longer. */
#define PR_BUCKETS 48

/* The longest duration of a bucket, ns: what is at a bound falls below it, as OpenTelemetry has it. */
static __always_inline __u64 bound_of(__u32 bucket)
{
	return bucket < 30 ? 1000000000ULL >> (30 - bucket) : 1000000000ULL << (bucket - 30);
}

/* Without a division, which is dear: the digits of the nanoseconds are nearly those of the units of
 * 2^-30 s that bounds are whole numbers of. */
static __always_inline __u32 bucket_of(__u64 ns)
{
	__u64 left = ns - 1;
	/* how many binary digits `left` has */
	__u32 bucket = log2_of(left) + is_below(0, left);

	/* a nanosecond is 1.07 units: it may be one digit more */
	if (bucket < PR_BUCKETS && ns > bound_of(bucket))
		bucket++;
	return bucket < PR_BUCKETS ? bucket : PR_BUCKETS - 1;
}
