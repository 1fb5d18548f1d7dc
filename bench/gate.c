/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Preloaded into a program that is measured: it waits, stopped, before its first line, so that who
 * watches can attach; and at its end writes the nanoseconds of CPU that it took to $GATE_ACCOUNT.
 * It does not outlive who started it: whoever is stopped would stay for ever.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static long long cpu(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long began;

__attribute__((constructor)) static void enter(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	raise(SIGSTOP);
	began = cpu();
}

__attribute__((destructor)) static void leave(void)
{
	const char *path = getenv("GATE_ACCOUNT");
	int file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;

	if (file < 0)
		return;
	dprintf(file, "%lld\n", cpu() - began);
	close(file);
}
