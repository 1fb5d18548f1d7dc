/* corpus
 * what: chunks of a log are kept; when there are enough, all but the last few go
 * kind: sawtooth
 */
#include "../corpus.h"

#define MOST 400
#define KEPT 40

static char *chunks[MOST];
static long used;

APART static char *chunk(void)
{
	return (char *)use(malloc(1000), 1000);
}

APART static void rotate(void)
{
	for (long i = 0; i < used - KEPT; i++)
		free(chunks[i]);
	memmove(chunks, chunks + used - KEPT, KEPT * sizeof(*chunks));
	used = KEPT;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		chunks[used++] = chunk();
		if (used == MOST)
			rotate();
	}
	return 0;
}
