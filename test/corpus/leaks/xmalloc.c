/* corpus
 * what: everything is allocated by one wrapper; one of its callers forgets to free
 * kind: wrapper
 */
#include "../corpus.h"

APART static void *xmalloc(size_t size)
{
	void *memory = malloc(size); /* DIRECT */

	if (!memory)
		abort();
	return use(memory, size);
}

APART static void parse(void)
{
	void *scratch = xmalloc(500);

	lose(scratch);
	free(scratch);
}

APART static void remember(void)
{
	void *kept = xmalloc(120); /* LEAK */

	lose(kept);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		for (int i = 0; i < 10; i++)
			parse();
		remember();
	}
	clean_stack();
	return 0;
}
