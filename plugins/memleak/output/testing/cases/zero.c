/* Loses allocations of no bytes: each takes 32 bytes of glibc's heap. */
#include <stdlib.h>
#include <unistd.h>

__attribute__((noinline)) void *lose_nothing(void)
{
	void *made = malloc(0);

	__asm__ volatile("" : "+r"(made));
	return made;
}

int main(void)
{
	for (;; usleep(5000))
		for (int n = 0; n < 50; n++)
			(void)(volatile void *)lose_nothing();
}
