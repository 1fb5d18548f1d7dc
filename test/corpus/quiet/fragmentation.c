/* corpus
 * what: small blocks between large ones keep the allocator from giving back what is freed
 * kind: retention
 */
#include "../corpus.h"

#define PAIRS 2000

static void *large[PAIRS], *small[PAIRS];

APART static void *piece(size_t size)
{
	return use(malloc(size), size);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long period = share(0.1);

	while (next_tick()) {
		long phase = corpus.tick % period;

		if (phase == 1)
			for (int i = 0; i < PAIRS; i++) {
				free(small[i]);
				large[i] = piece(500 + below(3000));
				small[i] = piece(24);
			}
		if (phase == period / 2)
			for (int i = 0; i < PAIRS; i++) {
				free(large[i]);
				large[i] = NULL;
			}
	}
	return 0;
}
