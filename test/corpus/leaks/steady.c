/* corpus
 * what: a few allocations every tick, none freed
 * kind: steady
 * runs: [rate=5, rate=1 size=1000, rate=20 size=16]
 */
#include "../corpus.h"

APART static void leak(size_t size)
{
	lose(use(malloc(size), size)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long rate = option("rate", 5), size = option("size", 64);

	while (next_tick())
		for (long i = 0; i < rate; i++)
			leak(size);
	clean_stack();
	return 0;
}
