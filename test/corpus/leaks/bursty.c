/* corpus
 * what: nothing for a while, then many allocations at once that nobody frees
 * kind: bursty
 * runs: [every=0.04, every=0.1]
 */
#include "../corpus.h"

APART static void burst(long count)
{
	for (long i = 0; i < count; i++)
		lose(use(malloc(96), 96)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long every = share(option("every", 0.05)), next = 1;

	while (next_tick()) {
		if (--next > 0)
			continue;
		burst(100 + below(200));
		next = every / 2 + below(every);
	}
	clean_stack();
	return 0;
}
