/* A library with an allocator of its own, by the usual names. */
#include <stddef.h>
#include <sys/mman.h>

static char arena[1 << 20];
static size_t used;

void *malloc(size_t size)
{
	void *memory = arena + used;

	used = (used + size + 15) & ~(size_t)15 & (sizeof(arena) - 1);
	return memory;
}

void free(void *memory)
{
	(void)memory;
}
