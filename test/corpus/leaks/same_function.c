/* corpus
 * what: a cache at its limit, and a leak on another line of the same function
 * kind: slow among churn
 */
#include "../corpus.h"

#define ENTRIES 500

static char *cache[ENTRIES];

APART static void handle(long number)
{
	char **entry = &cache[number % ENTRIES];

	free(*entry);
	*entry = (char *)use(malloc(256), 256);
	if (number % 20 == 0)
		lose(use(malloc(64), 64)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long number = 0;

	while (next_tick())
		for (int i = 0; i < 2; i++)
			handle(number++);
	for (int i = 0; i < ENTRIES; i++)
		free(cache[i]);
	clean_stack();
	return 0;
}
