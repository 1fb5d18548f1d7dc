// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Makes the kernel allocate: each line of input is a kind and a count; it is done once `done` is
 * said. `drop` gives all of it back.
 *
 *   signalfd N  N files of a signalfd: a file and an object of its own each, which nearly nobody else
 *               makes; its own object is freed at once
 *   timerfd N   the same of a timerfd, whose own object is freed by kfree_rcu()
 *   pipe N      N pipes
 *   fill N      a page of each of the first N pipes, by a call that others hardly use
 *   epoll N     N epoll instances
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 4000
#define PAGE 4096

static int files[MOST], writers[MOST];
static int file_count, writer_count;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void keep(int file, const char *what)
{
	if (file < 0)
		fail(what);
	if (file_count == MOST) {
		errno = EMFILE;
		fail(what);
	}
	files[file_count++] = file;
}

static void make_pipe(void)
{
	int ends[2];

	if (pipe(ends))
		fail("pipe");
	keep(ends[0], "pipe");
	keep(ends[1], "pipe");
	writers[writer_count++] = ends[1];
}

static void drop(void)
{
	while (file_count)
		close(files[--file_count]);
	writer_count = 0;
}

int main(void)
{
	static char page[PAGE];
	const struct iovec content = { page, PAGE };
	struct rlimit most;
	sigset_t signals;
	char line[64], kind[16];
	int count;

	if (getrlimit(RLIMIT_NOFILE, &most))
		fail("getrlimit");
	most.rlim_cur = most.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &most))
		fail("setrlimit");
	/* the table of files is as large as it will be; MOST has to be below the hard limit */
	if (dup2(0, MOST) < 0 || close(MOST))
		fail("dup2");
	sigemptyset(&signals);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("done");
	while (fgets(line, sizeof(line), stdin)) {
		count = 0;
		if (sscanf(line, "%15s %d", kind, &count) < 1)
			continue;
		if (!strcmp(kind, "drop"))
			drop();
		for (int i = 0; i < count; i++) {
			if (!strcmp(kind, "signalfd"))
				keep(signalfd(-1, &signals, 0), kind);
			else if (!strcmp(kind, "timerfd"))
				keep(timerfd_create(CLOCK_MONOTONIC, 0), kind);
			else if (!strcmp(kind, "epoll"))
				keep(epoll_create1(0), kind);
			else if (!strcmp(kind, "pipe"))
				make_pipe();
			else if (!strcmp(kind, "fill") && pwritev2(writers[i], &content, 1, -1, 0) != PAGE)
				fail(kind);
		}
		puts("done");
	}
	return 0;
}
