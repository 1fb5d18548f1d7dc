/* corpus
 * what: a ring of a fixed number of buffers; the oldest is freed when a new one comes
 * kind: ring
 * runs: [count=64, count=1000]
 */
#include "../corpus.h"

#define MOST 1024

static void *buffers[MOST];

APART static void *buffer(void)
{
	size_t size = 200 + below(800);

	return use(malloc(size), size);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long count = option("count", 64), next = 0;

	while (next_tick())
		for (int i = 0; i < 2; i++) {
			free(buffers[next % count]);
			buffers[next++ % count] = buffer();
		}
	return 0;
}
