/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Programs that do nothing, on functions of user space: what a probe costs by itself. */
#include "common.bpf.h"

SEC("uprobe")
int entered(void *ctx)
{
	return 0;
}

SEC("uretprobe")
int returned(void *ctx)
{
	return 0;
}

LICENSE;
