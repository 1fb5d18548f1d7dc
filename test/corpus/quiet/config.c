/* corpus
 * what: a configuration that lives as long as the program, read anew now and then
 * kind: long-lived
 */
#define _GNU_SOURCE
#include "../corpus.h"

#define KEYS 300

static char *values[KEYS];

APART static void read_config(void)
{
	for (int i = 0; i < KEYS; i++) {
		free(values[i]);
		if (asprintf(&values[i], "key %d has value %lu", i, below(1000000)) < 0)
			abort();
	}
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	read_config();
	long every = share(0.15);

	while (next_tick())
		if (corpus.tick % every == 0)
			read_config();
	return 0;
}
