/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Work for an allocator, as often as it is told.
 *
 *   allocations loop             malloc and free, one after the other; of one thread
 *   allocations threads COUNT    COUNT threads that hold some hundred blocks each of mixed sizes,
 *                                and give a part of them to each other
 *   allocations hold             allocates so many blocks, and keeps them
 *
 * Says "ready"; then for each line with a number on stdin: so many allocations of each thread, and a
 * line of the nanoseconds of CPU and of time that they took.
 */
#define _GNU_SOURCE
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS 512
#define SHARED 64

static long wanted;
static int threads = 1;
static void (*job)(unsigned seed);
static pthread_barrier_t turn;
static _Atomic(void *) shared[SHARED];

static long long now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void *allocate(size_t size)
{
	char *block = malloc(size);

	if (!block)
		err(1, "malloc");
	block[0] = 1;
	__asm__ volatile("" : "+r"(block) : : "memory");
	return block;
}

static void loop(unsigned seed)
{
	for (long i = 0; i < wanted; i++)
		free(allocate(64 + seed % 2));
}

static void mixed(unsigned seed)
{
	void *slots[SLOTS] = { NULL };

	for (long i = 0; i < wanted; i++) {
		seed = seed * 1664525 + 1013904223;
		void **slot = &slots[(seed >> 8) % SLOTS];

		free(*slot);
		*slot = allocate(16 + (seed >> 17) % 2000);
		if ((seed >> 4) % 8 == 0)
			*slot = atomic_exchange(&shared[(seed >> 12) % SHARED], *slot);
	}
	for (int i = 0; i < SLOTS; i++)
		free(slots[i]);
}

static void hold(unsigned seed)
{
	for (long i = 0; i < wanted; i++)
		__asm__ volatile("" : : "r"(allocate(32 + seed % 2)) : "memory");
}

static void *work(void *argument)
{
	for (;;) {
		pthread_barrier_wait(&turn);
		job((unsigned)(long)argument);
		pthread_barrier_wait(&turn);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	char line[32];

	if (argc == 2 && strcmp(argv[1], "loop") == 0)
		job = loop;
	else if (argc == 3 && strcmp(argv[1], "threads") == 0)
		job = mixed, threads = atoi(argv[2]);
	else if (argc == 2 && strcmp(argv[1], "hold") == 0)
		job = hold;
	else
		errx(2, "usage: allocations loop | threads COUNT | hold");
	pthread_barrier_init(&turn, NULL, threads + 1);
	for (long i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work, (void *)i) != 0)
			errx(1, "pthread_create");
	}
	setvbuf(stdout, NULL, _IOLBF, 4096);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		long long cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);

		wanted = atol(line);
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
		printf("%lld %lld\n", now(CLOCK_PROCESS_CPUTIME_ID) - cpu,
		       now(CLOCK_MONOTONIC) - wall);
	}
	return 0;
}
