/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A process that allocates from many call sites and many threads, and knows to the byte what it
 * holds of each: what memleak says of it has to be equal.
 *
 *   allocator work THREADS ROUNDS    every kind of allocation in every mix; a quarter of what is
 *                                    freed is freed by another thread
 *   allocator alike BYTES            many sites that do exactly the same, so that each has the same truth
 *
 * Says "ready", and then stands still until there is a line on stdin: so nothing is missed by who
 * comes before. After the work a line a site, "NAME ADDRESS COUNT BYTES", where the function at
 * ADDRESS called the allocator for COUNT blocks of BYTES together that are not freed; "sites START
 * END" bounds them; and "done". Then it stands still until stdin has another line, does as much
 * again, and ends with the end of stdin.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All in one section, so that an address is known to be one of a site. */
#define SITE __attribute__((noinline, noclone, section("sites")))
/* Keeps a call from being the function's last: the site has to be on the stack. */
#define RETURN(pointer)                                   \
	do {                                              \
		void *_result = (pointer);                \
		__asm__ volatile("" : "+r"(_result));     \
		return _result;                           \
	} while (0)

extern char __start_sites[], __stop_sites[];

#define THREADS_MAX 64
#define SLOTS 2048
#define EXCHANGE 64

typedef void *(*site)(void *old, size_t size);

SITE static void *by_malloc(void *old, size_t size)
{
	(void)old;
	RETURN(malloc(size));
}

SITE static void *by_calloc(void *old, size_t size)
{
	(void)old;
	RETURN(calloc(1, size));
}

SITE static void *by_realloc(void *old, size_t size)
{
	RETURN(realloc(old, size));
}

SITE static void *by_reallocarray(void *old, size_t size)
{
	RETURN(reallocarray(old, 1, size));
}

SITE static void *by_posix_memalign(void *old, size_t size)
{
	void *block = NULL;

	(void)old;
	if (posix_memalign(&block, 64, size) != 0)
		block = NULL;
	RETURN(block);
}

SITE static void *by_aligned_alloc(void *old, size_t size)
{
	(void)old;
	RETURN(aligned_alloc(128, size));
}

SITE static void *by_memalign(void *old, size_t size)
{
	(void)old;
	RETURN(memalign(32, size));
}

SITE static void *by_valloc(void *old, size_t size)
{
	(void)old;
	RETURN(valloc(size));
}

enum { MALLOC, CALLOC, REALLOC, REALLOCARRAY, POSIX_MEMALIGN, ALIGNED_ALLOC, MEMALIGN, VALLOC, KINDS };

static const struct {
	const char *name;
	site site;
} kinds[KINDS] = {
	{ "malloc", by_malloc },
	{ "calloc", by_calloc },
	{ "realloc", by_realloc },
	{ "reallocarray", by_reallocarray },
	{ "posix_memalign", by_posix_memalign },
	{ "aligned_alloc", by_aligned_alloc },
	{ "memalign", by_memalign },
	{ "valloc", by_valloc },
};

struct block {
	void *memory;
	size_t size;
	int kind;
};

struct worker {
	pthread_t thread;
	uint64_t random;
	long rounds, made;
	/* What is held, less what others' blocks were freed of: right in sum. */
	long count[KINDS], bytes[KINDS];
	struct block slots[SLOTS];
};

static struct worker *workers;
static _Atomic(struct block *) exchange[EXCHANGE];
static pthread_barrier_t turn;

static unsigned below(struct worker *me, unsigned limit)
{
	me->random ^= me->random << 13;
	me->random ^= me->random >> 7;
	me->random ^= me->random << 17;
	return (me->random >> 20) % limit;
}

/* Each block carries a mark of its own: whoever gives it back finds it unharmed. */
static char mark_of(const struct block *block)
{
	return (char)(block->size * 31 + (uintptr_t)block->memory / 16);
}

static void hold(struct worker *me, const struct block *block)
{
	char *bytes = block->memory;

	bytes[0] = bytes[block->size - 1] = mark_of(block);
	me->count[block->kind]++;
	me->bytes[block->kind] += block->size;
}

static void let_go(struct worker *me, const struct block *block)
{
	const char *bytes = block->memory;

	if (bytes[0] != mark_of(block) || bytes[block->size - 1] != mark_of(block))
		errx(1, "a block is not as it was left");
	me->count[block->kind]--;
	me->bytes[block->kind] -= block->size;
}

/* The blocks in exchange need their own place, which must not come from what is counted. */
static struct block *spare(void)
{
	static struct block pool[THREADS_MAX * EXCHANGE * 2];
	static atomic_int used;
	int index = atomic_fetch_add(&used, 1);

	if (index >= (int)(sizeof(pool) / sizeof(*pool)))
		errx(1, "no place left");
	return &pool[index];
}

/* Gives the block to whoever comes, and frees what somebody else gave. */
static void hand_over(struct worker *me, struct block block, struct block **place)
{
	if (!*place)
		*place = spare();
	**place = block;
	*place = atomic_exchange(&exchange[below(me, EXCHANGE)], *place);
	if (*place) {
		let_go(me, *place);
		free((*place)->memory);
	}
}

static void allocate(struct worker *me, struct block *slot)
{
	int kind = below(me, 100) < 60 ? MALLOC : (int)below(me, KINDS);
	/* A page is much, and valloc of libc takes a whole one: rarely. */
	if (kind == VALLOC && below(me, 20) != 0)
		kind = CALLOC;
	size_t size = 128 * (1 + below(me, 8));

	if (kind < POSIX_MEMALIGN)
		size -= below(me, 100);
	*slot = (struct block){ kinds[kind].site(NULL, size), size, kind };
	if (!slot->memory)
		errx(1, "out of memory");
	hold(me, slot);
	me->made++;
}

static void resize(struct worker *me, struct block *slot)
{
	int kind = below(me, 2) ? REALLOC : REALLOCARRAY;
	size_t size = 1 + below(me, 3000);

	let_go(me, slot);
	slot->memory = kinds[kind].site(slot->memory, size);
	if (!slot->memory)
		errx(1, "out of memory");
	slot->size = size;
	slot->kind = kind;
	hold(me, slot);
	me->made++;
}

/* Nothing of it may be counted, nor what it leaves as it was be forgotten. */
static void fail(struct worker *me, struct block *slot)
{
	volatile size_t huge = SIZE_MAX / 2 + below(me, 1000);
	void *block = NULL;

	free(NULL);
	if (kinds[below(me, KINDS)].site(NULL, huge) != NULL)
		errx(1, "got more than there is");
	if (slot->memory && kinds[REALLOC].site(slot->memory, huge) != NULL)
		errx(1, "got more than there is");
	if (posix_memalign(&block, 3, 100) != EINVAL)
		errx(1, "not a power of two, and yet");
}

static void step(struct worker *me, struct block **place)
{
	struct block *slot = &me->slots[below(me, SLOTS)];
	unsigned what = below(me, 1000);

	if (what == 0)
		fail(me, slot);
	else if (!slot->memory)
		allocate(me, slot);
	else if (what < 300)
		resize(me, slot);
	else if (what < 500) {
		hand_over(me, *slot, place);
		slot->memory = NULL;
	} else {
		let_go(me, slot);
		free(slot->memory);
		slot->memory = NULL;
	}
}

static void *work(void *argument)
{
	struct worker *me = argument;
	struct block *place = NULL;

	for (;;) {
		pthread_barrier_wait(&turn);
		for (long goal = me->made + me->rounds; me->made < goal;)
			step(me, &place);
		pthread_barrier_wait(&turn);
	}
	return NULL;
}

static void tell(const char *name, site where, long count, long bytes)
{
	dprintf(STDOUT_FILENO, "%s %p %ld %ld\n", name, (void *)where, count, bytes);
}

static void stand_still(const char *word)
{
	char line[16];

	dprintf(STDOUT_FILENO, "%s\n", word);
	for (ssize_t got = 0; got == 0 || line[got - 1] != '\n';) {
		got = read(STDIN_FILENO, line, sizeof(line));
		if (got <= 0)
			_exit(0);
	}
}

static void work_of_all(int threads, long rounds)
{
	static struct worker all[THREADS_MAX];

	workers = all;
	if (threads < 1 || threads > THREADS_MAX)
		errx(2, "1 to %d threads", THREADS_MAX);
	pthread_barrier_init(&turn, NULL, threads + 1);
	for (int i = 0; i < threads; i++) {
		all[i].random = 88172645463325252ull + 7919 * i;
		all[i].rounds = rounds / threads;
		if (pthread_create(&all[i].thread, NULL, work, &all[i]) != 0)
			err(1, "pthread_create");
	}
	for (const char *word = "ready";; word = "done") {
		stand_still(word);
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
		dprintf(STDOUT_FILENO, "sites %p %p\n", __start_sites, __stop_sites);
		for (int kind = 0; kind < KINDS; kind++) {
			long count = 0, bytes = 0;

			for (int i = 0; i < threads; i++) {
				count += all[i].count[kind];
				bytes += all[i].bytes[kind];
			}
			tell(kinds[kind].name, kinds[kind].site, count, bytes);
		}
	}
}

#define ALIKE(n)                                                              \
	SITE static void *alike_##n(void *old, size_t size)                   \
	{                                                                     \
		(void)old;                                                    \
		__asm__ volatile("" : : "i"(n));                              \
		RETURN(malloc(size));                                         \
	}
#define FOUR(x, n) x(n##0) x(n##1) x(n##2) x(n##3)
#define SIXTEEN(x, n) FOUR(x, n##0) FOUR(x, n##1) FOUR(x, n##2) FOUR(x, n##3)
#define SITES_OF(x) SIXTEEN(x, 1) SIXTEEN(x, 2) SIXTEEN(x, 3) SIXTEEN(x, 4) \
	SIXTEEN(x, 5) SIXTEEN(x, 6) SIXTEEN(x, 7) SIXTEEN(x, 8)
SITES_OF(ALIKE)
#define POINTER(n) alike_##n,
static const site alike[] = { SITES_OF(POINTER) };
#define SITES ((int)(sizeof(alike) / sizeof(*alike)))

/* The same sizes from every site, by turns; every third is freed at once. */
static void alike_work(long bytes)
{
	long count = 0;

	stand_still("ready");
	for (long sum = 0; sum < bytes; count++) {
		size_t size = 16 + (size_t)(count * 7919 % 1500);

		for (int i = 0; i < SITES; i++) {
			if (!alike[i](NULL, size))
				errx(1, "out of memory");
			free(alike[i](NULL, size / 2));
		}
		sum += size;
		if (sum >= bytes) {
			dprintf(STDOUT_FILENO, "sites %p %p\n", __start_sites, __stop_sites);
			for (int i = 0; i < SITES; i++)
				tell("alike", alike[i], count + 1, sum);
		}
	}
	stand_still("done");
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "work") == 0)
		work_of_all(atoi(argv[2]), atol(argv[3]));
	else if (argc == 3 && strcmp(argv[1], "alike") == 0)
		alike_work(atol(argv[2]));
	else
		errx(2, "usage: allocator work THREADS ROUNDS | alike BYTES");
	return 0;
}
