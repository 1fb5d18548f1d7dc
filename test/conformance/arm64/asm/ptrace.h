/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The registers as arch/arm64/include/uapi/asm/ptrace.h has them. */
#include <linux/types.h>

struct user_pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
};
