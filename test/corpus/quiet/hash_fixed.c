/* corpus
 * what: a hash table of fixed size; a key that collides takes the other's place
 * kind: cache
 */
#include "../corpus.h"

#define SLOTS 600

static char *slots[SLOTS];

APART static void put(unsigned long key)
{
	char **slot = &slots[key % SLOTS];

	free(*slot);
	*slot = (char *)use(malloc(80 + key % 80), 80);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		for (int i = 0; i < 6; i++)
			put(random_bits() >> 20);
	return 0;
}
