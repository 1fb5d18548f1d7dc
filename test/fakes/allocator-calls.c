/*
 * Calls functions of the allocator that it was started with as often as it is told, for tests that
 * count the calls from outside. A line of stdin is `FUNCTION TIMES`, the answer the ns that one call
 * took, with the free of what it gave.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *volatile nothing;

static void *once(const char *name)
{
	void *got = NULL;

	if (!strcmp(name, "malloc"))
		return malloc(24);
	if (!strcmp(name, "calloc"))
		return calloc(3, 8);
	if (!strcmp(name, "realloc"))
		return realloc(malloc(8), 64);
	if (!strcmp(name, "reallocarray"))
		return reallocarray(NULL, 3, 8);
	if (!strcmp(name, "memalign"))
		return memalign(64, 24);
	if (!strcmp(name, "aligned_alloc"))
		return aligned_alloc(64, 128);
	if (!strcmp(name, "valloc"))
		return valloc(24);
	if (!strcmp(name, "posix_memalign"))
		return posix_memalign(&got, 64, 24) ? NULL : got;
	return NULL;
}

static void call(const char *name)
{
	void *volatile got;

	if (!strcmp(name, "free-null")) {
		free(nothing);
		return;
	}
	got = once(name);
	free(got);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(void)
{
	static char line[64], in[4096], out[4096];
	char name[32];
	long times;

	setvbuf(stdin, in, _IOFBF, sizeof(in));
	setvbuf(stdout, out, _IOLBF, sizeof(out));
	puts("ready");
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%31s %ld", name, &times) == 2) {
		double began = now();

		for (long n = 0; n < times; n++)
			call(name);
		printf("%.1f\n", (now() - began) / (times ? times : 1));
	}
	return 0;
}
