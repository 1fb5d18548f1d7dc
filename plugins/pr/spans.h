/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Episodes that are long enough are sent, as far as sampling and rate let them.
 */
#pragma once

#include "common.bpf.h"
#include "lists.h"
#include "threads.h"

/* Whether there is a ring for them: the part `spans`. */
const volatile bool sends_spans = false;
/* A run this long or longer becomes a span. */
const volatile __u64 span_threshold_ns = 10000000;
/* Of those, one in so many on average, as a share of 2^32. */
const volatile __u64 span_share = 1ULL << 32;
/* Nanoseconds between two spans in the long run, and how far ahead of that they may be. */
const volatile __u64 span_interval_ns = 10000000;
const volatile __u64 span_burst_ns = 1000000000;

RING(spans, struct pr_span, 1 << 18);

/* When the next span is due, if none came early. */
static __u64 span_due;

static __always_inline bool is_drawn(void)
{
	return bpf_get_prandom_u32() < span_share;
}

/* A bucket that fills by one span an interval. CPUs that ask in the same moment may get one each. */
static __always_inline bool is_within_rate(__u64 now)
{
	__u64 due = *(volatile __u64 *)&span_due;

	if (due > now + span_burst_ns)
		return false;
	if (due < now)
		*(volatile __u64 *)&span_due = now;
	ADD(span_due, span_interval_ns);
	return true;
}

/* `run`: NULL if it is unknown or over. */
static __noinline int send_span(struct pr_episode *episode, struct who *who,
				struct scan_control *run)
{
	struct pr_span *span;

	if (!is_drawn()) {
		COUNT_TYPE(episode->type, sampled_out);
		return 0;
	}
	if (!is_within_rate(bpf_ktime_get_ns())) {
		COUNT_TYPE(episode->type, rate_limited);
		return 0;
	}
	span = bpf_ringbuf_reserve(&spans, sizeof(*span), 0);
	if (!span) {
		COUNT(ring_drops);
		COUNT_TYPE(episode->type, ring_full);
		return 0;
	}
	bpf_get_current_comm(who->comm, sizeof(who->comm));
	if (run) {
		read_target(episode, run);
		read_priority(episode, run);
	}
	span->who = *who;
	span->episode = *episode;
	bpf_ringbuf_submit(span, BPF_RB_NO_WAKEUP);
	return 0;
}
