/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A process that brings about failed page allocations and reclaim, and counts them itself, for
 * tests. Its arguments are steps, taken in order; each that measures says a line of
 * `STEP attempts=N failures=N pid=N began=NS ended=NS` (CLOCK_MONOTONIC). One system call makes one
 * allocation of pages, so that a call that says ENOMEM is one failure:
 *
 *   pipe=FAILURES          writes one page at a time into pipes until it has failed so often:
 *                          order 0, GFP_HIGHUSER | __GFP_ACCOUNT
 *   resize=BYTES:TIMES     asks so often for a pipe of so many bytes, 40 of struct pipe_buffer for
 *                          each page: 1 MiB is order 2, 4 MiB order 4, 16 MiB order 6;
 *                          GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_COMP | __GFP_ZERO
 *   ring=BYTES:TIMES       asks so often for a packet ring of one block of so many bytes. attempts
 *                          counts; the kernel takes other memory where it finds no such block
 *   write=PATH:TEXT:TIMES  writes the text to the file, a sysctl; attempts counts
 *   read=PATH[:TIMES]      reads the file after dropping it from the page cache; attempts counts
 *   huge=TIMES[:keep]      touches so many places that a huge page fits around; attempts counts. The
 *                          kernel takes a small page where it finds no huge one: thp_fault_fallback
 *   anon=PAGES             touches so many pages, and gives them back; attempts counts
 *
 * These prepare. What was allocated before `enter` stays with the group that it was charged to, and
 * a locked process takes no page fault later, which an exhausted group would never let succeed.
 *
 *   lock           locks all its memory, also what comes
 *   pipes=N        makes pipes of 16 pages for `pipe`; before `enter`
 *   enter=PATH     enters the group whose cgroup.procs this is
 *   hold=PAGES     puts pages into a pipe, to be given back when it has to speak; after `enter`, where
 *                  others exhaust the group too
 *   fill=PAGES     touches memory and keeps it until only so many pages are free; small pages
 *   holes=1        gives back every second page of `fill`: much is free then, and nothing large
 *   copy=FROM:TO   copies a file of /proc as it is now
 *   cpu=N          stays on the Nth CPU that it may use. What a CPU charged in advance and did not
 *                  use makes the group look emptier than it is once that is given back
 *   oom=N          its oom_score_adj
 *   name=HEX       its name, any bytes
 *   thread=1       takes the steps that follow in another thread
 *   exec=PATH      executes this program for the steps that follow
 *   victim=PAGES   has a child with so many pages that the kernel would kill before any other
 *   wait           says `waiting` and waits for a byte, or the end, of standard input
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define MAX_TRIES 5000 /* to speak, a millisecond apart */
#define MAX_PIPES 4096
#define PAGE 4096
#define HUGE_PAGE (2UL << 20)

static int pipes[MAX_PIPES][2];
static long pipe_count;
static char buffer[128 * 1024];
static char told[8192];
static size_t told_length;
/* What `fill` keeps. */
static char *filled;
static long filled_pages;
/* The last pipe that `pipe` filled. */
static long full = -1;

/*
 * To speak takes memory, which an exhausted group has not: pages of the pipes are given back. Of four
 * the pipe itself keeps one or two for later; the others are too few for an allocation of order 2.
 */
static int make_room(void)
{
	return full >= 0 && read(pipes[full][0], buffer, 4 * PAGE) > 0;
}

static void die(const char *what)
{
	make_room();
	dprintf(2, "pressure: %s: %s\n", what, strerror(errno));
	_exit(1);
}

struct report {
	const char *step;
	long attempts, failures;
	long long began;
};

/* By system call: the vdso's pages are mapped by a fault, which an exhausted group may not take. */
static long long now(void)
{
	struct timespec at;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static struct report begin(const char *step)
{
	return (struct report){ .step = step, .began = now() };
}

/* Kept until a wait, or the end. */
static void tell(const struct report *r)
{
	long long ended = now();
	size_t room = sizeof(told) - told_length;
	int length = snprintf(told + told_length, room,
			      "%s attempts=%ld failures=%ld pid=%d began=%lld ended=%lld\n", r->step,
			      r->attempts, r->failures, getpid(), r->began, ended);

	if (length < 0 || (size_t)length >= room)
		die("too many steps");
	told_length += length;
}

static void speak(void)
{
	make_room();
	/* others of the group may have taken the room, or a CPU of theirs still keeps it: it gives back
	 * by a worker, so it takes a moment */
	for (int tries = 0; write(1, told, told_length) != (ssize_t)told_length; tries++) {
		if ((errno != ENOMEM && errno != ENOBUFS) || tries == MAX_TRIES)
			_exit(2);
		if (!make_room())
			usleep(1000);
	}
	told_length = 0;
}

static void count(struct report *r, int failed, const char *what)
{
	r->attempts++;
	if (!failed)
		return;
	if (errno != ENOMEM)
		die(what);
	r->failures++;
}

static void make_pipes(long wanted)
{
	if (wanted > MAX_PIPES)
		die("pipes");
	for (pipe_count = 0; pipe_count < wanted; pipe_count++)
		if (pipe2(pipes[pipe_count], O_NONBLOCK))
			die("pipe2");
}

static void fill_pipes(long failures)
{
	struct report r = begin("pipe");

	for (long i = 0; i < pipe_count && r.failures < failures;) {
		int failed = write(pipes[i][1], buffer, PAGE) < 0;

		if (failed && errno == EAGAIN) {
			i++;
			continue;
		}
		count(&r, failed, "write to a pipe");
		if (!failed)
			full = i;
	}
	tell(&r);
}

/* Pages of its own to give back, whatever others of the group take. */
static void hold_pages(long pages)
{
	for (long i = 0; i < pages; i++)
		if (write(pipes[0][1], buffer, PAGE) != PAGE)
			die("hold");
	full = 0;
}

static void resize_pipe(long bytes, long times)
{
	struct report r = begin("resize");

	for (long i = 0; i < times; i++)
		count(&r, fcntl(pipes[0][1], F_SETPIPE_SZ, (int)bytes) < 0, "F_SETPIPE_SZ");
	tell(&r);
}

static void make_ring(long bytes, long times)
{
	struct tpacket_req none = { 0 };
	struct tpacket_req ring = {
		.tp_block_size = bytes, .tp_block_nr = 1,
		.tp_frame_size = 2048, .tp_frame_nr = bytes / 2048,
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	struct report r = begin("ring");

	if (fd < 0)
		die("AF_PACKET");
	for (long i = 0; i < times; i++) {
		count(&r, setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) < 0,
		      "PACKET_RX_RING");
		setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof(none));
	}
	close(fd);
	tell(&r);
}

static void write_file(const char *path, const char *text, long times)
{
	struct report r = begin("write");
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		die(path);
	for (long i = 0; i < times; i++)
		count(&r, pwrite(fd, text, strlen(text), 0) < 0, path);
	close(fd);
	tell(&r);
}

static void read_file(const char *path, long times)
{
	struct report r = begin("read");
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	for (long i = 0; i < times; i++) {
		fsync(fd);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		lseek(fd, 0, SEEK_SET);
		for (ssize_t got = 1; got > 0;) {
			got = read(fd, buffer, sizeof(buffer));
			count(&r, got < 0, path);
		}
	}
	close(fd);
	tell(&r);
}

static void dirty_file(const char *path, long pages)
{
	struct report r = begin("dirty");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		die(path);
	for (long i = 0; i < pages; i++)
		count(&r, write(fd, buffer, PAGE) < 0, path);
	close(fd);
	tell(&r);
}

static void touch_anon(long pages)
{
	struct report r = begin("anon");
	volatile char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	madvise((void *)at, pages * PAGE, MADV_NOHUGEPAGE);
	for (long i = 0; i < pages; i++, r.attempts++)
		at[i * PAGE] = 1 + (char)i;
	munmap((void *)at, pages * PAGE);
	tell(&r);
}

static long free_pages(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		die("sysinfo");
	return info.freeram * info.mem_unit / PAGE;
}

/* More than there is, of which only what is touched takes memory. */
static void fill_memory(long left)
{
	struct sysinfo info;
	long room;

	if (sysinfo(&info))
		die("sysinfo");
	room = info.totalram * info.mem_unit;
	filled = mmap(NULL, room, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (filled == MAP_FAILED)
		die("mmap");
	madvise(filled, room, MADV_NOHUGEPAGE);
	/* by halves: what is touched and what it takes differ by page tables and others' pages */
	for (long more; (more = free_pages() - left) > 0;)
		for (long i = 0; i < (more + 1) / 2 && (filled_pages + 1) * PAGE <= room; i++)
			*(volatile char *)(filled + filled_pages++ * PAGE) = 1;
}

static void make_holes(void)
{
	for (long i = 0; i < filled_pages; i += 2)
		if (madvise(filled + i * PAGE, PAGE, MADV_DONTNEED))
			die("madvise");
}

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t got;

	if (in < 0 || out < 0)
		die(from);
	while ((got = read(in, buffer, sizeof(buffer))) > 0)
		if (write(out, buffer, got) != got)
			die(to);
	close(in);
	close(out);
}

static void touch_huge(long times, int keep)
{
	struct report r = begin("huge");
	char *at = mmap(NULL, (times + 1) * HUGE_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	volatile char *first;

	if (at == MAP_FAILED)
		die("mmap");
	first = (char *)(((unsigned long)at + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	for (; r.attempts < times; r.attempts++)
		first[r.attempts * HUGE_PAGE] = 1;
	if (!keep)
		munmap(at, (times + 1) * HUGE_PAGE);
	tell(&r);
}

static void write_text(const char *path, const char *text)
{
	int fd;

	/* who leaves an exhausted group has no room for that either */
	while ((fd = open(path, O_WRONLY)) < 0 && errno == ENOMEM && make_room())
		;
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void have_victim(long pages)
{
	int ready[2];
	char byte;
	pid_t child;

	if (pipe(ready))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_text("/proc/self/oom_score_adj", "1000");
		if (mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
			_exit(1);
		close(0);
		close(1);
		close(2);
		close(ready[0]);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	/* it closes its end once it has its pages */
	if (read(ready[0], &byte, 1) < 0)
		die("victim");
	close(ready[0]);
}

static void stay_on(long nth)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		die("sched_getaffinity");
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && nth-- == 0)
			CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("sched_setaffinity");
}

static void set_name(const char *hex)
{
	char name[16] = { 0 };
	unsigned int byte;

	for (int i = 0; i < 15 && sscanf(hex + 2 * i, "%2x", &byte) == 1; i++)
		name[i] = byte;
	prctl(PR_SET_NAME, name);
}

static void wait_for_word(void)
{
	char byte;

	told_length += sprintf(told + told_length, "waiting\n");
	speak();
	if (read(0, &byte, 1) < 0)
		_exit(2);
}

/* The text up to the next colon; the rest of the argument moves on behind it. */
static char *word(char **rest)
{
	char *at = strsep(rest, ":");

	return at ? at : "";
}

static long number(char **rest, long otherwise)
{
	char *at = word(rest);

	return *at ? atol(at) : otherwise;
}

static void take(const char *step, char *rest)
{
	char *first;

	if (!strcmp(step, "pipe")) {
		fill_pipes(number(&rest, 1));
	} else if (!strcmp(step, "resize")) {
		long bytes = number(&rest, 0);

		resize_pipe(bytes, number(&rest, 1));
	} else if (!strcmp(step, "ring")) {
		long bytes = number(&rest, 0);

		make_ring(bytes, number(&rest, 1));
	} else if (!strcmp(step, "write")) {
		char *text;

		first = word(&rest);
		text = word(&rest);
		write_file(first, text, number(&rest, 1));
	} else if (!strcmp(step, "read")) {
		first = word(&rest);
		read_file(first, number(&rest, 1));
	} else if (!strcmp(step, "dirty")) {
		first = word(&rest);
		dirty_file(first, number(&rest, 0));
	} else if (!strcmp(step, "anon")) {
		touch_anon(number(&rest, 0));
	} else if (!strcmp(step, "huge")) {
		long times = number(&rest, 1);

		touch_huge(times, !strcmp(word(&rest), "keep"));
	} else if (!strcmp(step, "fill")) {
		fill_memory(number(&rest, 0));
	} else if (!strcmp(step, "holes")) {
		make_holes();
	} else if (!strcmp(step, "copy")) {
		first = word(&rest);
		copy_file(first, word(&rest));
	} else if (!strcmp(step, "victim")) {
		have_victim(number(&rest, 0));
	} else if (!strcmp(step, "lock")) {
		if (mlockall(MCL_CURRENT | MCL_FUTURE))
			die("mlockall");
	} else if (!strcmp(step, "pipes")) {
		make_pipes(number(&rest, 1));
	} else if (!strcmp(step, "hold")) {
		hold_pages(number(&rest, 1));
	} else if (!strcmp(step, "enter")) {
		write_text(rest, "0");
	} else if (!strcmp(step, "cpu")) {
		stay_on(number(&rest, 0));
	} else if (!strcmp(step, "oom")) {
		write_text("/proc/self/oom_score_adj", rest);
	} else if (!strcmp(step, "name")) {
		set_name(rest);
	} else if (!strcmp(step, "wait")) {
		wait_for_word();
	} else {
		errno = EINVAL;
		die(step);
	}
}

static void *take_all(void *argument)
{
	char **steps = argument;
	char *step;

	while ((step = *steps++) != NULL) {
		char *rest = strchr(step, '=');
		pthread_t thread;

		if (rest)
			*rest++ = 0;
		if (!strcmp(step, "exec")) {
			speak();
			steps[-1] = rest;
			execv(rest, steps - 1);
			die("execv");
		}
		if (strcmp(step, "thread")) {
			take(step, rest);
			continue;
		}
		if (pthread_create(&thread, NULL, take_all, steps) || pthread_join(thread, NULL))
			die("thread");
		break;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	(void)argc;
	make_pipes(1);
	take_all(argv + 1);
	speak();
	return 0;
}
