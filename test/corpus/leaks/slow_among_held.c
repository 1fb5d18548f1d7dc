/* corpus
 * what: messages wait in a queue of changing length; a few are dropped without being freed
 * kind: slow among churn
 * runs: [one_in=100, one_in=300]
 */
#include "../corpus.h"

#define QUEUE 4000

static void *queue[QUEUE];

APART static void *message(size_t size)
{
	return use(malloc(size), size); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long one_in = option("one_in", 100), head = 0, tail = 0;

	while (next_tick()) {
		long length = 1000 + 800 * sin(corpus.tick / (double)share(0.02));

		for (int i = 0; i < 40 && head - tail < QUEUE - 1; i++)
			queue[head++ % QUEUE] = message(200);
		while (head - tail > length) {
			void **slot = &queue[tail++ % QUEUE];

			if (below(one_in) != 0)
				free(*slot);
			*slot = NULL;
		}
	}
	clean_stack();
	return 0;
}
