/* Reports its own leaks as it ends: with the callers that it had when it allocated. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) void *lose(int size)
{
	char *made = malloc(size);

	made[0] = 1;
	return made;
}

__attribute__((noinline)) void *middle(int size)
{
	void *made = lose(size);

	__asm__ volatile("" : "+r"(made));
	return made;
}

void *volatile last;

int main(void)
{
	char line[16];

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		last = middle(100);
		puts("done");
	}
	last = NULL;
}
