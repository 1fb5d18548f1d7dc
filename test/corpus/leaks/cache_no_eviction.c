/* corpus
 * what: a cache by a key that never comes again, without eviction
 * kind: growing container
 * oracle: growth
 */
#include "../corpus.h"

#define SLOTS 4096

struct entry {
	struct entry *next;
	unsigned long key;
	char *value;
};

static struct entry *slots[SLOTS];

APART static const char *look_up(unsigned long key)
{
	for (struct entry *entry = slots[key % SLOTS]; entry; entry = entry->next)
		if (entry->key == key)
			return entry->value;
	struct entry *entry = (struct entry *)malloc(sizeof(*entry)); /* LEAK */

	if (!entry)
		abort();
	entry->key = key;
	entry->value = (char *)use(malloc(64 + key % 64), 64); /* LEAK */
	entry->next = slots[key % SLOTS];
	slots[key % SLOTS] = entry;
	return entry->value;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		for (int i = 0; i < 2; i++)
			lose(look_up(random_bits()));
	return 0;
}
