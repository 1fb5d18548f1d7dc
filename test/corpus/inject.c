/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A leak for a program that has none: preloaded, every EVERY-th read() that gets something leaves a
 * block behind, as a handler would that forgets what it made of a request.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVERY 4

__attribute__((noinline)) static void inject_leak(size_t size)
{
	void *copy = malloc(size); /* LEAK */

	if (copy)
		memset(copy, 1, size);
	__asm__ volatile("" : : "r"(copy) : "memory");
}

ssize_t read(int file, void *buffer, size_t size)
{
	static ssize_t (*next)(int, void *, size_t);
	static unsigned calls;

	if (!next)
		next = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
	ssize_t got = next(file, buffer, size);

	if (got > 0 && ++calls % EVERY == 0)
		inject_leak(200);
	return got;
}
