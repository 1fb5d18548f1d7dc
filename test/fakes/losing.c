/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * `losing lose`: loses a block several times a second. `losing fill`: keeps each in a table, as a cache
 * does that is not full yet. `losing hurry`: the same, and allocates and frees as fast as it can meanwhile.
 * `losing serve`: loses a block ten times a second, as a server does that allocates and frees tens of
 * thousands of others meanwhile. `losing hoard`: loses a block several times a second, and keeps 150 others
 * each time. Says `ready` when it has made its first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE 1024

struct entry {
	struct entry *next;
	char content[200];
};

struct entry *table[TABLE];

__attribute__((noinline)) static void lose(void)
{
	char *lost = malloc(sizeof(struct entry));

	memset(lost, 1, sizeof(struct entry));
	__asm__ volatile("" : : "r"(lost) : "memory");
}

__attribute__((noinline)) static void fill(unsigned at)
{
	struct entry *entry = malloc(sizeof(*entry));

	memset(entry->content, 1, sizeof(entry->content));
	entry->next = table[at % TABLE];
	table[at % TABLE] = entry;
}

/* What the calls before have left on the stack and in registers. */
__attribute__((noinline)) static void forget(void)
{
	volatile char stack[4096];
	char *other = malloc(100);

	for (unsigned i = 0; i < sizeof(stack); i++)
		stack[i] = 0;
	memset(other, 2, 100);
	__asm__ volatile("" : : "r"(other) : "memory");
	free(other);
}

static void rest(int serves, int hurries)
{
	if (hurries)
		for (int i = 0; i < 100 * 1000; i++)
			forget();
	else if (serves)
		for (int i = 0; i < 100; i++) {
			for (int j = 0; j < 80; j++)
				forget();
			usleep(1000);
		}
	else
		usleep(200 * 1000);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "fill";
	int serves = !strcmp(how, "serve");
	int hoards = !strcmp(how, "hoard");
	int loses = serves || hoards || !strcmp(how, "lose");

	for (unsigned n = 0;; n++) {
		if (loses)
			lose();
		else
			fill(n);
		for (unsigned i = 0; hoards && i < 150; i++)
			fill(i);
		forget();
		if (n == 0) {
			printf("ready\n");
			fflush(stdout);
		}
		rest(serves, !strcmp(how, "hurry"));
	}
}
