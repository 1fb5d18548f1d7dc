/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A slow leak for a program that has none: preloaded, a thread of its own leaves ten blocks of 200 bytes a
 * second behind. Children of a fork have it as well.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((noinline)) static void inject_leak(size_t size)
{
	void *block = malloc(size); /* LEAK */

	if (block)
		memset(block, 1, size);
	__asm__ volatile("" : : "r"(block) : "memory");
}

static void *leak_slowly(void *unused)
{
	for (;; usleep(100000))
		inject_leak(200);
	return unused;
}

static void start(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, leak_slowly, NULL);
}

__attribute__((constructor)) static void begin(void)
{
	pthread_atfork(NULL, NULL, start);
	start();
}
