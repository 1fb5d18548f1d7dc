/* Does what it is told, a line each, and says `done`. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) void *leak_here(int size)
{
	void *memory = malloc(size);

	return memset(memory, 1, size);
}

__attribute__((noinline)) void leak(int count)
{
	for (int n = 0; n < count; n++)
		leak_here(64);
	for (int n = 0; n < count; n++)
		free(memset(malloc(128), 1, 128));
}

__attribute__((noinline)) void *map_here(int size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memset(memory, 1, size);
}

__attribute__((noinline)) void *grow_here(int size)
{
	void *memory = sbrk(size);

	return memset(memory, 1, size);
}

/* As many at once as a wave has, each of which allocates and is gone. */
static void storm(int count)
{
	enum { WAVE = 50 };

	for (int begun = 0; begun < count; begun += WAVE) {
		for (int n = 0; n < WAVE; n++) {
			if (fork() == 0) {
				leak(2);
				_exit(0);
			}
		}
		while (wait(NULL) > 0)
			;
	}
}

int main(void)
{
	static char out[64], in[64];
	char word[16];
	int count;

	setvbuf(stdout, out, _IOLBF, sizeof(out));
	setvbuf(stdin, in, _IOLBF, sizeof(in));
	puts("ready");
	while (scanf("%15s %d", word, &count) == 2) {
		if (!strcmp(word, "leak"))
			leak(count);
		else if (!strcmp(word, "map"))
			map_here(count);
		else if (!strcmp(word, "grow"))
			grow_here(count);
		else if (!strcmp(word, "all"))
			map_here(count), grow_here(count), leak(1);
		else if (!strcmp(word, "storm"))
			storm(count);
		else if (!strcmp(word, "name"))
			prctl(PR_SET_NAME, "\033[2J\n\377\"\\");
		puts("done");
	}
}
