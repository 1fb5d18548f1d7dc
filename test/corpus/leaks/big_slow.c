/* corpus
 * what: a large buffer now and then, by way of mmap inside of the allocator
 * kind: steady
 * runs: [every=0.05, every=0.025 size=200000]
 */
#include "../corpus.h"

APART static void snapshot(size_t size)
{
	lose(use(malloc(size), size)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long every = share(option("every", 0.05));
	size_t size = option("size", 1 << 20);

	while (next_tick())
		if (corpus.tick % every == 0)
			snapshot(size);
	clean_stack();
	return 0;
}
