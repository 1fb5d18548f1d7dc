/* corpus
 * what: a batch that fills and is emptied, and at another call site a leak that is small beside it
 * kind: slow among churn
 * runs: [period=0.05, period=0.15]
 */
#include "../corpus.h"

#define BATCH 2000

static void *batch[BATCH];

APART static void *row(void)
{
	return use(malloc(700), 700);
}

APART static void leak(void)
{
	lose(use(malloc(40), 40)); /* LEAK */
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
			while (filled > 0)
				free(batch[--filled]);
		leak();
	}
	while (filled > 0)
		free(batch[--filled]);
	clean_stack();
	return 0;
}
