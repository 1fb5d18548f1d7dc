/* corpus
 * what: slabs of many objects with a list of free ones; slabs are never given back, nor needed anew
 * kind: pool
 */
#include "../corpus.h"

#define PER_SLAB 64

union cell {
	union cell *next;
	char data[48];
};

static union cell *idle;

APART static void add_slab(void)
{
	union cell *slab = (union cell *)use(malloc(PER_SLAB * sizeof(*slab)), PER_SLAB * sizeof(*slab));

	for (int i = 0; i < PER_SLAB; i++) {
		slab[i].next = idle;
		idle = &slab[i];
	}
}

static union cell *take(void)
{
	if (!idle)
		add_slab();
	union cell *cell = idle;

	idle = cell->next;
	return cell;
}

int main(int argc, char **argv)
{
	static union cell *held[2000];

	begin(argc, argv);
	while (next_tick()) {
		unsigned long count = 500 + below(1500);

		for (unsigned long i = 0; i < count; i++)
			held[i] = take();
		for (unsigned long i = 0; i < count; i++) {
			held[i]->next = idle;
			idle = held[i];
		}
	}
	return 0;
}
