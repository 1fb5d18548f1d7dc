/* corpus
 * what: a list whose array doubles by realloc and whose elements are never removed
 * kind: growing container
 * oracle: growth
 */
#include "../corpus.h"

struct entry {
	long key;
	char text[56];
};

static struct entry **entries;
static size_t room, used;

APART static void append(long key)
{
	if (used == room) {
		room = room ? 2 * room : 16;
		entries = (struct entry **)realloc(entries, room * sizeof(*entries)); /* MAY */
	}
	entries[used] = (struct entry *)use(malloc(sizeof(struct entry)), sizeof(struct entry)); /* LEAK */
	entries[used++]->key = key;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		append(corpus.tick);
		append(-corpus.tick);
	}
	return used == 0;
}
