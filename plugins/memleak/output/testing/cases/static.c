/* Loses memory where a function was inlined; linked as a static-pie, which keeps malloc to itself. */
#include <stdlib.h>
#include <unistd.h>

static inline __attribute__((always_inline)) void *lowest(void)
{
	char *made = malloc(300);

	made[0] = 1;
	return made;
}

__attribute__((noinline)) void *middle(void)
{
	void *made = lowest();

	__asm__ volatile("" : "+r"(made));
	return made;
}

int main(void)
{
	for (;; usleep(5000))
		(void)(volatile void *)middle();
}
