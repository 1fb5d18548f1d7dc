/* corpus
 * what: a cache whose entries live for a fixed time
 * kind: cache
 * runs: [lives=0.05, lives=0.2]
 */
#include "../corpus.h"

struct entry {
	struct entry *next;
	long ends;
	char value[160];
};

static struct entry *head, **tail = &head;

APART static void insert(long lives)
{
	struct entry *entry = (struct entry *)use(malloc(sizeof(*entry)), sizeof(*entry));

	entry->next = NULL;
	entry->ends = corpus.tick + lives;
	*tail = entry;
	tail = &entry->next;
}

APART static void expire(void)
{
	while (head && head->ends <= corpus.tick) {
		struct entry *entry = head;

		head = entry->next;
		if (!head)
			tail = &head;
		free(entry);
	}
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long lives = share(option("lives", 0.1));

	while (next_tick()) {
		for (unsigned long n = 1 + below(8); n > 0; n--)
			insert(lives);
		expire();
	}
	return 0;
}
