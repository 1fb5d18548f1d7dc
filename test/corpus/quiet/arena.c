/* corpus
 * what: an arena of chunks that is used anew for each request, and grows to what the largest needs
 * kind: arena
 */
#include "../corpus.h"

#define CHUNK 8192

struct chunk {
	struct chunk *next;
	char memory[CHUNK];
};

static struct chunk *arena;
static size_t used;

APART static struct chunk *another(void)
{
	struct chunk *chunk = (struct chunk *)use(malloc(sizeof(*chunk)), sizeof(*chunk));

	chunk->next = NULL;
	return chunk;
}

APART static void *take(struct chunk **at, size_t size)
{
	if (!*at)
		*at = arena = another();
	if (used + size > CHUNK) {
		if (!(*at)->next)
			(*at)->next = another();
		*at = (*at)->next;
		used = 0;
	}
	used += size;
	return (*at)->memory + used - size;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		struct chunk *at = arena;

		used = 0;
		for (unsigned long n = 20 + below(300); n > 0; n--)
			lose(take(&at, 16 + below(200)));
	}
	return 0;
}
