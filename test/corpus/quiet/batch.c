/* corpus
 * what: every so often a batch is taken at once, worked on for a while and freed
 * kind: batch
 * runs: [every=0.05, every=0.1, every=0.22]
 */
#include "../corpus.h"

#define MOST 3000

static void *held[MOST];

APART static void *row(void)
{
	return use(malloc(500), 500);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long every = share(option("every", 0.1)), filled = 0;

	while (next_tick()) {
		long phase = corpus.tick % every;

		if (phase == every / 3)
			for (unsigned long n = 1500 + below(1500); (unsigned long)filled < n;)
				held[filled++] = row();
		if (phase == every * 2 / 3)
			while (filled > 0)
				free(held[--filled]);
	}
	while (filled > 0)
		free(held[--filled]);
	return 0;
}
