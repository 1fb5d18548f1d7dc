/* corpus
 * what: a buffer that grows to the largest request that came; records become rarer and end early
 * kind: warm-up
 */
#include "../corpus.h"

static char *buffer;
static size_t room;

APART static void need(size_t size)
{
	if (size <= room)
		return;
	buffer = (char *)use(realloc(buffer, size), size);
	room = size;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		for (int i = 0; i < 10; i++)
			need(1 + below(30000));
	return 0;
}
