/* corpus
 * what: batches fill and are emptied, but a part of each stays behind, from the same call site
 * kind: slow among churn
 * runs: [period=0.04, period=0.08]
 */
#include "../corpus.h"

#define BATCH 1500

static void *batch[BATCH];

APART static void *row(void)
{
	return use(malloc(400), 400); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long period = share(option("period", 0.05)), filled = 0;

	while (next_tick()) {
		long goal = BATCH * (corpus.tick % period) / period;

		while (filled < goal)
			batch[filled++] = row();
		if (goal < filled)
			while (filled > 0) {
				if (--filled % 20 != 0)
					free(batch[filled]);
				batch[filled] = NULL;
			}
	}
	while (filled > 0)
		free(batch[--filled]);
	clean_stack();
	return 0;
}
