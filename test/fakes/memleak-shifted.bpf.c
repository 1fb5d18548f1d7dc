/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* memleak's programs with another variable in front of theirs in .bss. */
volatile unsigned long long in_front[3];

#include "../../plugins/memleak/memleak.bpf.c"
