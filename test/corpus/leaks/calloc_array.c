/* corpus
 * what: tables of zeros by calloc and reallocarray, dropped when they are replaced
 * kind: lost pointer
 */
#define _GNU_SOURCE
#include "../corpus.h"

static long *table, *index_of;

APART static void rebuild(void)
{
	table = (long *)calloc(100, sizeof(*table)); /* LEAK */
	index_of = (long *)reallocarray(NULL, 50, sizeof(*index_of)); /* LEAK */
	use(index_of, 50 * sizeof(*index_of));
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		if (corpus.tick % 2 == 0)
			rebuild();
	clean_stack();
	return table == index_of;
}
