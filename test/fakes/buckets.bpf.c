/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The histogram of pr by itself: run on demand with a duration, it returns the bucket. */
#include "common.bpf.h"
#include "../../plugins/pr/buckets.h"

LICENSE;

SEC("raw_tp")
int bucket(struct bpf_raw_tracepoint_args *ctx)
{
	return bucket_of(ctx->args[0]);
}
