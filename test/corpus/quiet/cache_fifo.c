/* corpus
 * what: a cache that throws out what came first, with values of very different sizes
 * kind: cache
 * runs: [fills=0.1, fills=0.3]
 */
#include "../corpus.h"

#define MOST 65536

static void *slots[MOST];

APART static void *value(void)
{
	size_t size = (size_t)pareto(32, 1.5);

	if (size > 16384)
		size = 16384;
	return use(malloc(size), size);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long room = 3 * share(option("fills", 0.1)), next = 0;

	if (room > MOST)
		room = MOST;
	while (next_tick())
		for (int i = 0; i < 3; i++) {
			free(slots[next % room]);
			slots[next++ % room] = value();
		}
	return 0;
}
