// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Allocates by every function there is, from call sites of its own, and knows what each of them has
 * outstanding. Commands come by lines on stdin; each is answered by one line, most by `done`.
 *
 *   sites                  site NAME ADDRESS … : where each site's function begins
 *   report                 held NAME BYTES COUNT … : what is outstanding
 *   churn THREADS TIMES    threads allocate, reallocate and free each other's
 *   fail                   calls that fail, at sites that hold something
 *   nothing                free(NULL), malloc(0), realloc(p, 0)
 *   leak TIMES SIZE        by malloc alone; SIZE 0: of many sizes
 *   cycle TIMES SIZE       malloc and free; ns of each pair
 *   map                    mmap, mremap, munmap of a part
 *   deep FRAMES            malloc below so many frames
 *   free                   all of it
 *   fork                   a child frees all that it inherits, allocates and exits
 *   child                  a child that does what it is told, by `c COMMAND`
 *   exec                   runs itself anew
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 32768
#define PAGE 4096UL

enum site { MALLOC, CALLOC, REALLOC, REALLOCARRAY, ALIGNED, MEMALIGN, LEAK, MAP, REMAP, DEEP, SITES };

struct held {
	_Atomic long bytes, count;
};

static struct held held[SITES];

struct block {
	atomic_flag busy;
	void *at;
	size_t size;
	enum site site;
};

static struct block blocks[SLOTS];
static void *leaks[1 << 20];
static long leaked;

static void add(enum site site, long bytes, long count)
{
	atomic_fetch_add(&held[site].bytes, bytes);
	atomic_fetch_add(&held[site].count, count);
}

/* One function a site, so that the address of the caller tells which it was. */
#define SITE static __attribute__((noinline)) void *
#define RETURN(expression)                  \
	void *volatile result = expression; \
	return result

SITE by_malloc(size_t size) { RETURN(malloc(size)); }
SITE by_calloc(size_t size) { RETURN(calloc(size / 8 + 1, 8)); }
SITE by_realloc(void *old, size_t size) { RETURN(realloc(old, size)); }
SITE by_reallocarray(void *old, size_t size) { RETURN(reallocarray(old, size / 8 + 1, 8)); }
SITE by_aligned(size_t size) { RETURN(aligned_alloc(64, size)); }
SITE by_memalign(size_t size)
{
	void *volatile at = NULL;

	return posix_memalign((void **)&at, 128, size) ? NULL : at;
}
SITE by_leak(size_t size) { RETURN(malloc(size)); }
SITE by_map(size_t size)
{
	RETURN(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
SITE by_remap(void *old, size_t before, size_t size)
{
	RETURN(mremap(old, before, size, MREMAP_MAYMOVE));
}
SITE by_depth(size_t size, long frames)
{
	void *volatile at = frames > 0 ? by_depth(size, frames - 1) : malloc(size);

	return at;
}

static const struct {
	const char *name;
	void *function;
} sites[SITES] = {
	{ "malloc", by_malloc }, { "calloc", by_calloc }, { "realloc", by_realloc },
	{ "reallocarray", by_reallocarray }, { "aligned_alloc", by_aligned },
	{ "posix_memalign", by_memalign }, { "leak", by_leak }, { "mmap", by_map },
	{ "mremap", by_remap }, { "deep", by_depth },
};

static size_t asked(enum site site, size_t size)
{
	return site == CALLOC || site == REALLOCARRAY ? (size / 8 + 1) * 8 : size;
}

static void *by(enum site site, void *old, size_t size)
{
	switch (site) {
	case MALLOC: return by_malloc(size);
	case CALLOC: return by_calloc(size);
	case REALLOC: return by_realloc(old, size);
	case REALLOCARRAY: return by_reallocarray(old, size);
	case ALIGNED: return by_aligned(size);
	default: return by_memalign(size);
	}
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static void let_go(struct block *block)
{
	if (!block->at)
		return;
	free(block->at);
	add(block->site, -(long)block->size, -1);
	block->at = NULL;
}

/* One step with a block that may be another thread's. */
static void step(uint64_t *random)
{
	struct block *block = &blocks[next(random) % SLOTS];
	enum site site = next(random) % (MEMALIGN + 1);
	size_t size = next(random) % 2048 + 1;

	while (atomic_flag_test_and_set(&block->busy))
		;
	if (site == REALLOC || site == REALLOCARRAY) {
		if (block->at)
			add(block->site, -(long)block->size, -1);
		block->at = by(site, block->at, size);
	} else {
		let_go(block);
		if (next(random) % 4)
			block->at = by(site, NULL, size);
	}
	if (block->at) {
		block->site = site;
		block->size = asked(site, size);
		add(site, (long)block->size, 1);
	}
	atomic_flag_clear(&block->busy);
}

static long times;

static void *churner(void *seed)
{
	uint64_t random = (uintptr_t)seed * 0x9e3779b97f4a7c15ULL + 1;

	for (long i = 0; i < times; i++)
		step(&random);
	return NULL;
}

static void churn(long threads)
{
	pthread_t ids[64];

	for (long i = 0; i < threads && i < 64; i++)
		pthread_create(&ids[i], NULL, churner, (void *)(i + 1));
	for (long i = 0; i < threads && i < 64; i++)
		pthread_join(ids[i], NULL);
}

/* One block of each site, made anew, and calls that fail with it. */
static void fail(void)
{
	const volatile size_t huge = SIZE_MAX / 4, overflow = SIZE_MAX / 2;
	void *volatile none;
	struct block *block = &blocks[0];

	let_go(block);
	block->at = by_malloc(100);
	block->site = MALLOC;
	block->size = 100;
	add(MALLOC, 100, 1);
	none = by_malloc(huge);
	none = by_calloc(huge);
	none = calloc(overflow, 16);
	none = by_realloc(block->at, huge);
	none = by_reallocarray(block->at, huge);
	none = reallocarray(block->at, overflow, 16);
	none = by_aligned(huge);
	none = by_memalign(huge);
	(void)none;
}

static void nothing(void)
{
	struct block *block = &blocks[1];
	void *volatile old;

	let_go(block);
	free(NULL);
	block->at = by_malloc(0);
	block->site = MALLOC;
	block->size = 0;
	add(MALLOC, 0, 1);
	old = by_malloc(40);
	old = by_realloc(old, 0);
	free(old);
	old = by_realloc(NULL, 50);
	free(old);
}

static void leak(long count, size_t size)
{
	uint64_t random = (uint64_t)leaked + 88172645463325252ULL;

	for (long i = 0; i < count && leaked < (long)(sizeof(leaks) / sizeof(*leaks)); i++) {
		size_t bytes = size ? size : 1UL << next(&random) % 14;

		leaks[leaked++] = by_leak(bytes);
		add(LEAK, (long)bytes, 1);
	}
}

static double cycle(long count, size_t size)
{
	struct timespec began, ended;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (long i = 0; i < count; i++)
		free(by_leak(size));
	clock_gettime(CLOCK_MONOTONIC, &ended);
	return ((double)(ended.tv_sec - began.tv_sec) * 1e9 +
		(double)(ended.tv_nsec - began.tv_nsec)) / (double)count;
}

/* Three mappings: one loses its first page, one grows, one goes. What is lost of the first is two
 * pages at its end, whose address is nobody's: it stays. */
static void map(void)
{
	char *first = by_map(8 * PAGE), *second = by_map(2 * PAGE), *third = by_map(4 * PAGE);

	munmap(first, PAGE);
	second = by_remap(second, 2 * PAGE, 64 * PAGE);
	munmap(third, 4 * PAGE);
	add(MAP, 7 * PAGE, 1);
	add(REMAP, 64 * PAGE, 1);
	if (by_map(SIZE_MAX / 4) != MAP_FAILED || by_remap(second, 64 * PAGE, SIZE_MAX / 4) != MAP_FAILED)
		_exit(3);
}

static void free_all(void)
{
	for (long i = 0; i < SLOTS; i++)
		let_go(&blocks[i]);
	for (long i = 0; i < leaked; i++)
		free(leaks[i]);
	leaked = 0;
	atomic_store(&held[LEAK].bytes, 0);
	atomic_store(&held[LEAK].count, 0);
}

static int to_child = -1, from_child = -1;

/* A copy of this that reads its commands from the parent. */
static int be_parent(void)
{
	int down[2], up[2];
	pid_t pid;

	if (pipe(down) || pipe(up))
		_exit(4);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(down[0], 0);
		dup2(up[1], 1);
		close(down[1]);
		close(up[0]);
		return 0;
	}
	close(down[0]);
	close(up[1]);
	to_child = down[1];
	from_child = up[0];
	return pid;
}

static void pass_on(const char *command)
{
	char answer[4096];
	ssize_t length;

	if (write(to_child, command, strlen(command)) < 0 || write(to_child, "\n", 1) < 0)
		_exit(5);
	do {
		length = read(from_child, answer, sizeof(answer) - 1);
		if (length <= 0) {
			printf("gone");
			break;
		}
		answer[length] = 0;
		printf("%.*s", (int)strcspn(answer, "\n"), answer);
	} while (!memchr(answer, '\n', (size_t)length));
}

static void report(void)
{
	printf("held");
	for (int i = 0; i < SITES; i++)
		printf(" %s %ld %ld", sites[i].name, atomic_load(&held[i].bytes),
		       atomic_load(&held[i].count));
}

static void obey(char *line, char **arguments)
{
	long first = 0, second = 0;
	pid_t pid;

	line[strcspn(line, "\n")] = 0;
	sscanf(line, "%*s %ld %ld", &first, &second);
	if (!strncmp(line, "c ", 2)) {
		pass_on(line + 2);
	} else if (!strcmp(line, "sites")) {
		printf("site");
		for (int i = 0; i < SITES; i++)
			printf(" %s %lu", sites[i].name, (unsigned long)sites[i].function);
	} else if (!strcmp(line, "report")) {
		report();
	} else if (!strncmp(line, "churn ", 6)) {
		times = second;
		churn(first);
		printf("done");
	} else if (!strncmp(line, "cycle ", 6)) {
		printf("%.1f", cycle(first, (size_t)second));
	} else if (!strncmp(line, "leak ", 5)) {
		leak(first, (size_t)second);
		printf("done");
	} else if (!strncmp(line, "deep ", 5)) {
		if (!by_depth(24, first))
			_exit(6);
		add(DEEP, 24, 1);
		printf("done");
	} else if (!strcmp(line, "fork")) {
		pid = fork();
		if (pid == 0) {
			free_all();
			leak(100, 100);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		printf("done %d", pid);
	} else if (!strcmp(line, "child")) {
		pid = be_parent();
		if (pid)
			printf("done %d", pid);
		else
			return;
	} else if (!strcmp(line, "exec")) {
		execv("/proc/self/exe", arguments);
		_exit(7);
	} else {
		if (!strcmp(line, "fail"))
			fail();
		else if (!strcmp(line, "nothing"))
			nothing();
		else if (!strcmp(line, "map"))
			map();
		else if (!strcmp(line, "free"))
			free_all();
		else
			_exit(8);
		printf("done");
	}
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **arguments)
{
	char line[256], in[4096], out[4096];

	(void)argc;
	/* stdio shall not allocate */
	setvbuf(stdin, in, _IOFBF, sizeof(in));
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		obey(line, arguments);
	return 0;
}
