/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The buckets of an exponential histogram of scale 0, in seconds.
 */
#pragma once

#include <linux/types.h>

/* buckets[i]: (2^(i-31), 2^(i-30)] seconds; the last has all that are longer. */
#define PR_BUCKETS 48

/*
 * Durations are compared in units of 2^-30 s, rounded up: so every bound of a bucket is a whole
 * number of units, and what is at a bound falls below it, as OpenTelemetry has it.
 */
static __always_inline __u32 bucket_of(__u64 ns)
{
	__u64 seconds = ns < 1000000000 ? 0 : ns / 1000000000; /* a division is dear */
	__u64 units = (seconds << 30) +
		      (((ns - seconds * 1000000000) << 30) + 999999999) / 1000000000;
	__u64 left = units - 1;
	__u32 bucket = 0;

	/* how many binary digits `left` has */
	for (int shift = 32; shift; shift >>= 1) {
		if (left >> shift) {
			left >>= shift;
			bucket += shift;
		}
	}
	bucket += left;
	return bucket < PR_BUCKETS ? bucket : PR_BUCKETS - 1;
}
