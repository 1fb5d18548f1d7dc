/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Work that goes through what the plugins watch, on one CPU, as often as it is told.
 *
 *   workload faults CPU PAGES   map PAGES of anonymous memory, touch each, unmap: one allocation a
 *                               fault (no huge pages), nothing else
 *   workload read CPU FILE      read FILE from its start to its end, by the page cache; in a memory
 *                               cgroup smaller than the file every page of it has to be reclaimed.
 *                               A sparse file costs no disk
 *   workload pick CPU FILE      the same page by page, in an order that nobody reads ahead in, as a
 *                               database does
 *
 * Says "ready"; then for each line with a number on stdin: so many passes, and a line of the
 * nanoseconds of CPU and of time that they took.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (1 << 20)

static long page_size;

static long long now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void fault_pass(size_t pages)
{
	size_t bytes = pages * page_size;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	/* Fails where the kernel has no huge pages: just as well. */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < bytes; at += page_size)
		memory[at] = 1;
	munmap(memory, bytes);
}

static void read_pass(int file)
{
	static char buffer[CHUNK];
	ssize_t got;

	if (lseek(file, 0, SEEK_SET) != 0)
		err(1, "lseek");
	while ((got = read(file, buffer, sizeof(buffer))) > 0)
		;
	if (got < 0)
		err(1, "read");
}

/* Each page of the file once. */
static void pick_pass(int file)
{
	/* A prime, and so far from the page before that nothing between them is read. */
	static const long long stride = 104729;
	static char buffer[1 << 16];
	long long pages = lseek(file, 0, SEEK_END) / page_size;

	for (long long n = 0; n < pages; n++)
		if (pread(file, buffer, page_size, n * stride % pages * page_size) != page_size)
			err(1, "pread");
}

int main(int argc, char **argv)
{
	char line[32];
	cpu_set_t cpus;
	int file = -1;
	int faults = argc == 4 && strcmp(argv[1], "faults") == 0;
	int picks = argc == 4 && strcmp(argv[1], "pick") == 0;

	if (argc != 4 || (!faults && !picks && strcmp(argv[1], "read") != 0))
		errx(2, "usage: workload faults CPU PAGES | read CPU FILE | pick CPU FILE");
	page_size = sysconf(_SC_PAGESIZE);
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[2]), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
		err(1, "sched_setaffinity");
	if (!faults && (file = open(argv[3], O_RDONLY)) < 0)
		err(1, "%s", argv[3]);
	if (picks)
		posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
	setlinebuf(stdout);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		long passes = atol(line);
		long long cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);

		for (long pass = 0; pass < passes; pass++)
			if (faults)
				fault_pass(atol(argv[3]));
			else if (picks)
				pick_pass(file);
			else
				read_pass(file);
		printf("%lld %lld\n", now(CLOCK_PROCESS_CPUTIME_ID) - cpu,
		       now(CLOCK_MONOTONIC) - wall);
	}
	return 0;
}
