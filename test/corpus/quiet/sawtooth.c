/* corpus
 * what: fills evenly and is emptied at once, again and again
 * kind: sawtooth
 * runs: [period=0.02, period=0.06 jitter=0.5, period=0.12, period=0.2 most=1000, period=0.24]
 */
#include "../corpus.h"

#define MOST 20000

static void *held[MOST];

APART static void *row(void)
{
	return use(malloc(120), 120);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long period = share(option("period", 0.1)), most = option("most", 4000), filled = 0, since = 0;
	double jitter = option("jitter", 0);
	long end = period;

	while (next_tick()) {
		long goal = most * since / period;

		while (filled < goal && filled < MOST)
			held[filled++] = row();
		if (++since < end)
			continue;
		while (filled > 0)
			free(held[--filled]);
		since = 0;
		end = period * (1 + jitter * (uniform() - 0.5));
	}
	while (filled > 0)
		free(held[--filled]);
	return 0;
}
