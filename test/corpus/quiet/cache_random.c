/* corpus
 * what: a cache that fills ever more slowly, since ever more keys meet a slot that is taken
 * kind: cache
 * runs: [fills=0.1, fills=0.33]
 */
#include "../corpus.h"

#define SLOTS 2000

static char *slots[SLOTS];

int main(int argc, char **argv)
{
	begin(argc, argv);
	/* The share of the run in which as many keys come as there are slots. */
	double fills = option("fills", 0.2), due = 0;

	while (next_tick())
		for (due += SLOTS / (fills * corpus.ticks); due >= 1; due--) {
			char **slot = &slots[below(SLOTS)];

			free(*slot);
			*slot = (char *)use(malloc(90), 90);
		}
	for (int i = 0; i < SLOTS; i++)
		free(slots[i]);
	return 0;
}
