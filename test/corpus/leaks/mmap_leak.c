/* corpus
 * what: anonymous memory by mmap that is never unmapped, beside some that is
 * kind: mmap
 * needs: mmap
 * oracle: none
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "../corpus.h"

#define SIZE (64 << 10)

APART static void *map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		void *scratch = map(SIZE);

		munmap(use(scratch, SIZE), SIZE);
		if (corpus.tick % 10 == 0)
			lose(use(map(SIZE), SIZE));
	}
	return 0;
}
