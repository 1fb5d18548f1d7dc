/* corpus
 * what: a heap that is collected when it is full; what survives dies in a later collection
 * kind: sawtooth
 * runs: [cycles=3.5, cycles=9]
 */
#include "../corpus.h"

#define MOST 3000

static char *objects[MOST];

APART static char *object(void)
{
	return (char *)use(malloc(64 + below(128)), 64);
}

APART static int collect(int count)
{
	int kept = 0;

	for (int i = 0; i < count; i++) {
		if (below(10) == 0)
			objects[kept++] = objects[i];
		else
			free(objects[i]);
	}
	return kept;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	double cycles = option("cycles", 4), due = 0;
	int count = 0;

	while (next_tick())
		for (due += MOST * cycles / corpus.ticks; due >= 1; due--) {
			objects[count++] = object();
			if (count == MOST)
				count = collect(count);
		}
	while (count > 0)
		free(objects[--count]);
	return 0;
}
