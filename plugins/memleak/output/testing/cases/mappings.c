/* Loses mappings, and gives others back in other pieces than it took. */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEPT __attribute__((noinline))

static char *map(char *at, size_t size, int flags)
{
	return mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

KEPT void lose_mapping(void)
{
	map(NULL, 64 << 10, 0)[0] = 1;
}

KEPT void lose_half(void)
{
	char *at = map(NULL, 128 << 10, 0);

	at[0] = 1;
	munmap(at + (64 << 10), 64 << 10);
}

/* As allocators do who want it aligned. */
KEPT void trim(void)
{
	const size_t size = 1 << 20;
	char *at = map(NULL, 3 * size, 0);
	char *aligned = (char *)(((uintptr_t)at + size - 1) & ~(size - 1));

	if (aligned > at)
		munmap(at, aligned - at);
	munmap(aligned + size, at + 3 * size - (aligned + size));
	munmap(aligned, size);
}

KEPT void cut_out_middle(void)
{
	char *at = map(NULL, 96 << 10, 0);

	munmap(at + (32 << 10), 32 << 10);
	munmap(at, 32 << 10);
	munmap(at + (64 << 10), 32 << 10);
}

KEPT void end_two_at_once(void)
{
	char *at = map(NULL, 256 << 10, 0);

	map(at, 128 << 10, MAP_FIXED);
	munmap(at, 256 << 10);
}

KEPT void cover(void)
{
	static char *slot;

	if (!slot)
		slot = map(NULL, 64 << 10, 0);
	map(slot, 64 << 10, MAP_FIXED);
}

int main(void)
{
	for (;; usleep(10000)) {
		lose_mapping();
		lose_half();
		trim();
		cut_out_middle();
		end_two_at_once();
		cover();
	}
}
