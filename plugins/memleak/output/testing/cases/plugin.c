/* Is loaded for a moment: without frame pointers nobody knows its code when it has allocated. */
#include <stdlib.h>

__attribute__((noinline)) void *make(void)
{
	char *made = malloc(400);

	made[0] = 1;
	return made;
}

void run(void)
{
	void *lost = make();

	__asm__ volatile("" : "+r"(lost));
}
