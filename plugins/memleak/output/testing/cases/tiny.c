/* A library so small that linkers put several of its segments into one page of the file. */
#include <stdlib.h>

__attribute__((noinline)) void *inner(int size)
{
	char *made = malloc(size);

	made[0] = 1;
	return made;
}

void *outer(int size)
{
	void *made = inner(size);

	__asm__ volatile("" : "+r"(made));
	return made;
}
