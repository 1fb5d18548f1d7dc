/* corpus
 * what: a log is kept in memory and nobody ever writes it out
 * kind: growing container
 * oracle: growth
 */
#include "../corpus.h"

#define CHUNK 1000

struct chunk {
	struct chunk *before;
	size_t used;
	char text[CHUNK];
};

static struct chunk *last;

APART static struct chunk *another(void)
{
	struct chunk *chunk = (struct chunk *)calloc(1, sizeof(*chunk)); /* LEAK */

	chunk->before = last;
	return chunk;
}

APART static void write_log(const char *line)
{
	size_t length = strlen(line);

	if (!last || last->used + length > CHUNK)
		last = another();
	memcpy(last->text + last->used, line, length);
	last->used += length;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		for (int i = 0; i < 3; i++)
			write_log("something happened, and it is written here for good\n");
	return 0;
}
