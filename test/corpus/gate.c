/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Linked with --wrap to a program of the corpus that has LeakSanitizer in it: the program waits for a line before it
 * allocates, and at its one moment waits again. There `check` runs LeakSanitizer, and `end` goes on.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int __real___lsan_do_recoverable_leak_check(void);
int __wrap___lsan_do_recoverable_leak_check(void);

/* Neither stdio nor malloc: both would allocate. */
static void say(const char *line)
{
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		_exit(2);
}

static int hears(const char *line)
{
	char heard[16] = "";
	ssize_t length = read(STDIN_FILENO, heard, sizeof(heard) - 1);

	if (length <= 0)
		_exit(2);
	return strcmp(heard, line) == 0;
}

__attribute__((constructor)) static void wait_for_watch(void)
{
	say("ready\n");
	hears("go\n");
}

int __wrap___lsan_do_recoverable_leak_check(void)
{
	int leaks = 0;

	say("moment\n");
	while (hears("check\n")) {
		leaks = __real___lsan_do_recoverable_leak_check();
		say("checked\n");
	}
	return leaks;
}
