/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the programs of the corpus share: a run of ticks, options, numbers that look random and are
 * the same every time.
 *
 *   PROGRAM [seconds=N] [beyond=N] [hz=N] [fast=1] [moments=N] [OPTION=N]…
 *
 * A run has seconds * hz ticks, and what a program does depends on the tick alone: so a run is the
 * same at any speed. With fast=1 the ticks follow each other without a pause. It goes on as it was
 * for `beyond` seconds, and ends by SIGTERM too: by return from main, without freeing what it leaks.
 *
 * moments=N: N times, evenly spread, LeakSanitizer (if it is preloaded) says what is outstanding,
 * after a line "@@moment K". Else the program says "ready" before its first tick, and "done".
 */
#ifndef CORPUS_H
#define CORPUS_H

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
#define CORPUS_C extern "C"
#else
#define CORPUS_C
#endif

/* A function of its own, also with -O2: its name is on the stack. */
#define APART __attribute__((noinline, noclone))
#define CORPUS_SHARED static __attribute__((unused))

CORPUS_C int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static struct {
	char **options;
	long hz, ticks, last, tick, moments;
	int fast;
	unsigned long long random;
	struct timespec start;
} corpus;

static volatile sig_atomic_t corpus_stopped;

static void corpus_stop(int signal)
{
	(void)signal;
	corpus_stopped = 1;
}

/* The option's number, or `otherwise`. */
CORPUS_SHARED double option(const char *name, double otherwise)
{
	size_t length = strlen(name);

	for (char **each = corpus.options; each && *each; each++)
		if (strncmp(*each, name, length) == 0 && (*each)[length] == '=')
			return atof(*each + length + 1);
	return otherwise;
}

CORPUS_SHARED void begin(int argc, char **argv)
{
	struct sigaction action;

	/* A stream's buffer would be an allocation of ours. */
	setvbuf(stdout, NULL, _IONBF, 0);
	memset(&action, 0, sizeof(action));
	action.sa_handler = corpus_stop;
	sigaction(SIGTERM, &action, NULL);
	corpus.options = argv + (argc > 0);
	corpus.hz = (long)option("hz", 100);
	corpus.ticks = (long)(option("seconds", 60) * corpus.hz);
	corpus.last = corpus.ticks + (long)(option("beyond", 0) * corpus.hz);
	corpus.moments = (long)option("moments", 0);
	corpus.fast = (int)option("fast", 0);
	corpus.random = 88172645463325252ull + (unsigned long long)option("seed", 0) * 2654435761u;
	if (!corpus.fast)
		dprintf(STDOUT_FILENO, "ready\n");
	clock_gettime(CLOCK_MONOTONIC, &corpus.start);
}

static void corpus_wait(void)
{
	struct timespec due = corpus.start;
	long long ns = corpus.tick % corpus.hz * (1000000000ll / corpus.hz) + due.tv_nsec;

	due.tv_sec += corpus.tick / corpus.hz + ns / 1000000000;
	due.tv_nsec = ns % 1000000000;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0 && !corpus_stopped)
		;
}

static void corpus_moment(void)
{
	static long told;

	if (!corpus.moments || corpus.tick * corpus.moments < (told + 1) * corpus.ticks)
		return;
	dprintf(STDERR_FILENO, "@@moment %ld\n", ++told);
	if (__lsan_do_recoverable_leak_check)
		__lsan_do_recoverable_leak_check();
}

/* Begins the next tick when it is due; 0 when the run is over. */
CORPUS_SHARED int next_tick(void)
{
	corpus_moment();
	if (corpus_stopped || corpus.tick >= corpus.last) {
		if (!corpus.fast)
			dprintf(STDOUT_FILENO, "done\n");
		return 0;
	}
	if (!corpus.fast)
		corpus_wait();
	corpus.tick++;
	return 1;
}

/* How much of the run is over, 0 to 1; more beyond it. */
CORPUS_SHARED double progress(void)
{
	return (double)corpus.tick / corpus.ticks;
}

/* Ticks in this share of the run, at least one. */
CORPUS_SHARED long share(double part)
{
	long ticks = (long)(part * corpus.ticks);

	return ticks > 0 ? ticks : 1;
}

CORPUS_SHARED unsigned long long random_bits(void)
{
	corpus.random ^= corpus.random << 13;
	corpus.random ^= corpus.random >> 7;
	corpus.random ^= corpus.random << 17;
	return corpus.random;
}

/* 0 to below `limit`. */
CORPUS_SHARED unsigned long below(unsigned long limit)
{
	return (unsigned long)((random_bits() >> 11) % limit);
}

/* Above 0, up to 1. */
CORPUS_SHARED double uniform(void)
{
	return ((random_bits() >> 11) + 1) / 9007199254740992.0;
}

CORPUS_SHARED double exponential(double mean)
{
	return -mean * log(uniform());
}

/* Heavy-tailed: the share above x is (least / x)^shape. */
CORPUS_SHARED double pareto(double least, double shape)
{
	return least / pow(uniform(), 1 / shape);
}

/* Writes to it, and hides from the compiler what becomes of it. */
CORPUS_SHARED void *use(void *memory, size_t size)
{
	if (!memory)
		abort();
	memset(memory, 0x5a, size);
	__asm__ volatile("" : "+r"(memory) : : "memory");
	return memory;
}

/* Nobody holds what was given, but the compiler does not know. */
CORPUS_SHARED void lose(const void *memory)
{
	__asm__ volatile("" : : "r"(memory) : "memory");
}

/* Overwrites what earlier calls left on the stack, which LeakSanitizer would take for pointers. */
CORPUS_SHARED APART void clean_stack(void)
{
	char old[4096];

	memset(old, 0, sizeof(old));
	lose(old);
}

#endif
