/* corpus
 * what: one allocation in a thousand of a busy call site is never freed
 * kind: slow among churn
 * runs: [rate=40, rate=100 one_in=500]
 */
#include "../corpus.h"

APART static void *message(size_t size)
{
	return use(malloc(size), size); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long rate = option("rate", 40), one_in = option("one_in", 1000);

	while (next_tick())
		for (long i = 0; i < rate; i++) {
			void *sent = message(32 + below(200));

			lose(sent);
			if (below(one_in) != 0)
				free(sent);
		}
	clean_stack();
	return 0;
}
