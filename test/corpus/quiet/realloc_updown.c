/* corpus
 * what: a buffer that realloc makes larger and smaller again
 * kind: realloc
 */
#include "../corpus.h"

static void *buffer;

APART static void resize(size_t size)
{
	buffer = use(realloc(buffer, size), size);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		resize(1000 + (size_t)(40000 * (1 + sin(corpus.tick / (double)share(0.02)))));
	free(buffer);
	return 0;
}
