/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A process whose memory is known to the page, for tests. It prepares what it is asked for, says
 * `ready` on standard output and stands still until its standard input ends. A byte that it reads
 * before makes it touch the pages of `grow` and say `grown`.
 *
 *   memory-hog [threads=N] [anon=PAGES] [file=PAGES:PATH] [shmem=PAGES] [locked=PAGES]
 *              [hugetlb=HUGEPAGES] [swapped=PAGES] [stack=PAGES] [peak=PAGES] [dead=N]
 *              [grow=PAGES] [switches=N] [name=TEXT] [children=N] [leader=exits]
 *
 * The pages of anon are touched by all threads in turn, so that every thread and every CPU holds a
 * part of the count. Pages of peak are touched and given back. `dead` threads have come and gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static long page;
static long threads = 1;
static long anon_pages;
static long stack_pages;
static long grow_pages;
static char *grow_memory;
static long wanted_switches;
static volatile char *anon_memory;
static pthread_barrier_t barrier;

static void die(const char *what)
{
	fprintf(stderr, "memory-hog: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *map(size_t pages, int flags, int fd)
{
	char *at = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		die("mmap");
	/* a huge page more or less would make the count depend on luck */
	madvise(at, pages * page, MADV_NOHUGEPAGE);
	return at;
}

static void touch(volatile char *at, long pages)
{
	for (long i = 0; i < pages; i++)
		at[i * page] = 1;
}

static void spread_over_cpus(long index)
{
	cpu_set_t allowed, one;
	long count, nth;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	count = CPU_COUNT(&allowed);
	nth = index % count;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

/* Every thread touches its share, and then waits in the kernel for ever. */
static void *work(void *argument)
{
	long index = (long)argument;

	spread_over_cpus(index);
	for (long i = index; i < anon_pages; i += threads)
		anon_memory[i * page] = 1;
	for (long i = 0; i < wanted_switches; i++)
		usleep(2000);
	pthread_barrier_wait(&barrier);
	if (index > 0)
		for (;;)
			pause();
	return NULL;
}

static void *live_shortly(void *argument)
{
	for (int i = 0; i < 5; i++)
		usleep(5000);
	return argument;
}

static void use_file(const char *argument)
{
	char *path = strchr(argument, ':');
	long pages = atol(argument);
	int fd;

	if (!path)
		die("file=PAGES:PATH");
	fd = open(path + 1, O_RDWR);
	if (fd < 0)
		die(path + 1);
	touch(map(pages, MAP_SHARED, fd), pages);
}

static void use_stack(long pages)
{
	volatile char room[pages * page];

	touch(room, pages);
}

static void ready(void)
{
	if (write(1, "ready\n", 6) != 6)
		_exit(1);
}

static void wait_for_end(void)
{
	char byte;

	while (read(0, &byte, 1) > 0) {
		touch(grow_memory, grow_pages);
		if (write(1, "grown\n", 6) != 6)
			_exit(1);
	}
}

static void *speak_for_leader(void *argument)
{
	usleep(20000);
	ready();
	wait_for_end();
	exit(0);
	return argument;
}

static void have_children(long count)
{
	for (long i = 0; i < count; i++) {
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
}

int main(int argc, char **argv)
{
	long shmem = 0, locked = 0, hugetlb = 0, swapped = 0, dead = 0, peak = 0, children = 0;
	const char *file = NULL, *name = NULL;
	int leader_exits = 0;
	pthread_t thread;

	page = sysconf(_SC_PAGESIZE);
	for (int i = 1; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			die(argv[i]);
		*value++ = 0;
		if (!strcmp(argv[i], "threads"))
			threads = atol(value);
		else if (!strcmp(argv[i], "anon"))
			anon_pages = atol(value);
		else if (!strcmp(argv[i], "file"))
			file = value;
		else if (!strcmp(argv[i], "shmem"))
			shmem = atol(value);
		else if (!strcmp(argv[i], "locked"))
			locked = atol(value);
		else if (!strcmp(argv[i], "hugetlb"))
			hugetlb = atol(value);
		else if (!strcmp(argv[i], "swapped"))
			swapped = atol(value);
		else if (!strcmp(argv[i], "stack"))
			stack_pages = atol(value);
		else if (!strcmp(argv[i], "dead"))
			dead = atol(value);
		else if (!strcmp(argv[i], "peak"))
			peak = atol(value);
		else if (!strcmp(argv[i], "grow"))
			grow_pages = atol(value);
		else if (!strcmp(argv[i], "switches"))
			wanted_switches = atol(value);
		else if (!strcmp(argv[i], "name"))
			name = value;
		else if (!strcmp(argv[i], "children"))
			children = atol(value);
		else if (!strcmp(argv[i], "leader"))
			leader_exits = !strcmp(value, "exits");
		else
			die(argv[i]);
		value[-1] = '=';
	}
	if (name)
		prctl(PR_SET_NAME, name);
	if (peak) {
		char *at = map(peak, MAP_PRIVATE | MAP_ANONYMOUS, -1);

		touch(at, peak);
		munmap(at, peak * page);
	}
	for (long i = 0; i < dead; i++) {
		if (pthread_create(&thread, NULL, live_shortly, NULL) || pthread_join(thread, NULL))
			die("thread");
	}
	if (anon_pages)
		anon_memory = map(anon_pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (grow_pages)
		grow_memory = map(grow_pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (shmem)
		touch(map(shmem, MAP_SHARED | MAP_ANONYMOUS, -1), shmem);
	if (file)
		use_file(file);
	if (locked) {
		char *at = map(locked, MAP_PRIVATE | MAP_ANONYMOUS, -1);

		if (mlock(at, locked * page))
			die("mlock");
	}
	if (hugetlb) {
		size_t size = hugetlb * (2 << 20);
		char *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

		if (at == MAP_FAILED)
			die("hugetlb");
		for (long i = 0; i < hugetlb; i++)
			at[i * (2 << 20)] = 1;
	}
	if (stack_pages)
		use_stack(stack_pages);
	if (swapped) {
		char *at = map(swapped, MAP_PRIVATE | MAP_ANONYMOUS, -1);

		touch(at, swapped);
		if (madvise(at, swapped * page, MADV_PAGEOUT))
			die("MADV_PAGEOUT");
	}
	if (children)
		have_children(children);
	pthread_barrier_init(&barrier, NULL, threads);
	for (long i = 1; i < threads; i++)
		if (pthread_create(&thread, NULL, work, (void *)i))
			die("thread");
	work((void *)0);
	if (leader_exits) {
		if (pthread_create(&thread, NULL, speak_for_leader, NULL))
			die("thread");
		pthread_exit(NULL);
	}
	ready();
	wait_for_end();
	return 0;
}
