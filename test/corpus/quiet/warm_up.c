/* corpus
 * what: allocations of a warm-up that stay for good, then work that frees what it takes
 * kind: warm-up
 * runs: [until=0.1, until=0.2, until=0.33]
 */
#include "../corpus.h"

struct item {
	struct item *next;
	char data[200];
};

static struct item *items;

APART static void load(void)
{
	struct item *item = (struct item *)use(malloc(sizeof(*item)), sizeof(*item));

	item->next = items;
	items = item;
}

APART static void work(void)
{
	void *scratch = use(malloc(400), 400);

	lose(scratch);
	free(scratch);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	double until = option("until", 0.2);

	while (next_tick()) {
		for (int i = 0; i < 4 && progress() < until; i++)
			load();
		for (int i = 0; i < 10; i++)
			work();
	}
	return 0;
}
