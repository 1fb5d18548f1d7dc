/* corpus
 * what: connections that come at random and stay for a random time, exponential or heavy-tailed
 * kind: lifetimes
 * runs: [mean=0.02, mean=0.05, mean=0.01 heavy=1, mean=0.03 rate=1]
 */
#include "../corpus.h"

#define MOST 20000

struct connection {
	long ends;
	char buffer[400];
};

static struct connection *open_ones[MOST];
static long count;

APART static struct connection *accept_one(long lasts)
{
	struct connection *one = (struct connection *)use(malloc(sizeof(*one)), sizeof(*one));

	one->ends = corpus.tick + lasts;
	return one;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	double mean = share(option("mean", 0.02)), rate = option("rate", 3);
	int heavy = option("heavy", 0);

	while (next_tick()) {
		for (double left = exponential(rate); left >= 1 && count < MOST; left--) {
			double lasts = heavy ? pareto(mean / 3, 1.5) : exponential(mean);

			/* What lives longer than a tenth of the run is cut: it would still be filling. */
			if (lasts > share(0.1))
				lasts = share(0.1);
			open_ones[count++] = accept_one(1 + (long)lasts);
		}
		for (long i = 0; i < count;)
			if (open_ones[i]->ends <= corpus.tick) {
				free(open_ones[i]);
				open_ones[i] = open_ones[--count];
			} else {
				i++;
			}
	}
	return 0;
}
