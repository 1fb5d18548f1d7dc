/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Which allocations are recorded. Points lie on the bytes that a thread allocates as a Poisson
 * process does, `interval` bytes apart on average; an allocation that one lies on is a sample, and
 * stands for 1 / (1 - exp(-size / interval)). Sums over samples are unbiased whatever the sizes.
 */
#pragma once

#include "choose.bpf.h"
#include "common.bpf.h"
#include "memleak.h"
#include "targets.h"

#define Q 28 /* bits behind the point */
#define UNIT (1ULL << Q)
#define LN_2 186065279ULL
#define MUL(a, b) (((a) * (b)) >> Q)

/* ln of m, UNIT <= m < 2 UNIT, by the series of atanh; off by 2e-6 at most. */
static __always_inline __u64 ln(__u64 m)
{
	__u64 s = ((m - UNIT) << Q) / (m + UNIT);
	__u64 s2 = MUL(s, s), sum = UNIT / 9;

	sum = UNIT / 7 + MUL(sum, s2);
	sum = UNIT / 5 + MUL(sum, s2);
	sum = UNIT / 3 + MUL(sum, s2);
	sum = UNIT + MUL(sum, s2);
	return 2 * MUL(s, sum);
}

/* Bytes to the next point, rounded up: so many bytes or more have it. */
static __noinline __s64 draw(__u64 interval)
{
	/* at least 2: half of it has a logarithm, and is below 2^63 */
	__u64 random = ((__u64)bpf_get_prandom_u32() << 32) | bpf_get_prandom_u32() | 2;
	__u64 zeros = 62 - log2_of(random >> 1), logarithm, distance;

	random <<= zeros;
	/* random / 2^64 is m / 2^(zeros + 1), 1 <= m < 2 */
	logarithm = ln(random >> (63 - Q));
	distance = (zeros + 1) * LN_2;
	distance = distance > logarithm ? distance - logarithm : 0;
	return (((interval >> 16) * distance) >> (Q - 16)) + MUL(interval & 0xffff, distance) + 1;
}

/* exp(-x), 0 <= x < 16, by the series for a sixteenth. */
static __always_inline __u64 exp_minus(__u64 x)
{
	__u64 y = x >> 4, e = UNIT - y / 8;

	e = UNIT - MUL(y, e) / 7;
	e = UNIT - MUL(y, e) / 6;
	e = UNIT - MUL(y, e) / 5;
	e = UNIT - MUL(y, e) / 4;
	e = UNIT - MUL(y, e) / 3;
	e = UNIT - MUL(y, e) / 2;
	e = UNIT - MUL(y, e);
	e = MUL(e, e);
	e = MUL(e, e);
	e = MUL(e, e);
	return MUL(e, e);
}

/* How many allocations of `size` a sample stands for, in ML_ONE. */
static __noinline __u64 sample_weight(__u64 size, __u64 interval)
{
	__u64 x, x2, x3, rest;

	if (size >= interval * 16)
		return ML_ONE;
	if (!size)
		size = 1;
	x = (size << Q) / interval;
	if (x >= UNIT)
		return (ML_ONE << Q) / (UNIT - exp_minus(x));
	/* 1/(1 - exp(-x)) is 1/x + 1/2 + x/12 - x^3/720 + x^5/30240 and so on */
	x2 = MUL(x, x);
	x3 = MUL(x, x2);
	rest = UNIT / 2 + x / 12 - x3 / 720 + MUL(x3, x2) / 30240;
	return interval * ML_ONE / size + (rest >> (Q - 16));
}

static __always_inline __u64 weight_of(__u64 size, __u64 interval)
{
	return interval ? sample_weight(size, interval) : ML_ONE;
}

static __always_inline __u64 estimate(const struct ml_live *of)
{
	return of->weight == ML_ONE ? of->size : (of->size * of->weight) / ML_ONE;
}

/* Of the estimate that the sample makes: (1 - p) / p^2 size^2, p being 1 / weight. */
static __always_inline __u64 variance(const struct ml_live *of)
{
	return estimate(of) * (estimate(of) - of->size);
}

/* Whether the thread's next `size` bytes have a point. */
static __always_inline bool is_sampled(struct ml_thread *thread, __u64 size)
{
	__u32 number = thread->target;
	struct ml_target *target = bpf_map_lookup_elem(&targets, &number);
	__u64 interval = target ? *(volatile __u64 *)&target->interval : 0;

	if (!interval) {
		thread->interval = 0;
		return true;
	}
	if (thread->interval != interval) {
		thread->interval = interval;
		thread->remainder = draw(interval);
	}
	if (size >> 62)
		size = 1ULL << 62;
	thread->remainder -= size ? size : 1;
	if (thread->remainder > 0)
		return false;
	thread->remainder = draw(interval);
	return true;
}
