#include <unistd.h>

extern void *outer(int);

__attribute__((noinline)) void request(void)
{
	volatile void *lost = outer(300);

	(void)lost;
}

int main(void)
{
	for (;; usleep(5000))
		request();
}
