/* corpus
 * what: a warm-up of several megabytes, which stays, and beside it a leak of a hundredth of that
 * kind: slow among churn
 */
#include "../corpus.h"

#define KEPT 4000

static void *kept[KEPT];

APART static void warm_up(long i)
{
	kept[i] = use(malloc(1024), 1024);
}

APART static void leak(void)
{
	lose(use(malloc(24), 24)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long warm = 0;

	while (next_tick()) {
		long goal = KEPT * progress() / 0.25;

		for (; warm < KEPT && warm < goal; warm++)
			warm_up(warm);
		if (corpus.tick % 2 == 0)
			leak();
	}
	clean_stack();
	return kept[0] == NULL;
}
