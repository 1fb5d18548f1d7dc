/* corpus
 * what: a cache of the most recently used; it fills in the first part of the run and then levels off
 * kind: cache
 * runs: [fills=0.05, fills=0.2, fills=0.33]
 */
#include "../corpus.h"

struct entry {
	struct entry *newer, *older;
	char value[120];
};

static struct entry *newest, *oldest;
static long count;

APART static struct entry *insert(void)
{
	struct entry *entry = (struct entry *)use(malloc(sizeof(*entry)), sizeof(*entry));

	entry->older = newest;
	entry->newer = NULL;
	if (newest)
		newest->newer = entry;
	newest = entry;
	if (!oldest)
		oldest = entry;
	count++;
	return entry;
}

APART static void evict(void)
{
	struct entry *entry = oldest;

	oldest = entry->newer;
	oldest->older = NULL;
	free(entry);
	count--;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long room = 5 * share(option("fills", 0.1));

	while (next_tick())
		for (int i = 0; i < 5; i++) {
			insert();
			if (count > room)
				evict();
		}
	return 0;
}
