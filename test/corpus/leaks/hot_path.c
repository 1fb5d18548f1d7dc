/* corpus
 * what: a few lost allocations beside tens of thousands a second that are not
 * kind: slow among churn
 */
#include "../corpus.h"

#define SLOTS 512

static char *ring[SLOTS];

APART static void churn(void)
{
	for (int i = 0; i < 200; i++) {
		char **slot = &ring[below(SLOTS)];

		free(*slot);
		*slot = (char *)use(malloc(32 + below(200)), 32);
	}
}

APART static void drop(void)
{
	lose(use(malloc(48), 48)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		churn();
		if (corpus.tick % 2 == 0)
			drop();
	}
	for (int i = 0; i < SLOTS; i++)
		free(ring[i]);
	clean_stack();
	return 0;
}
