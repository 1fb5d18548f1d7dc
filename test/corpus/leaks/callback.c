/* corpus
 * what: what a callback allocates for its caller is freed by neither
 * kind: callback
 */
#include "../corpus.h"

typedef void *(*handler)(size_t size);

APART static void *on_event(size_t size)
{
	char *context = (char *)use(malloc(size), size); /* LEAK */

	context[0] = 1;
	return context;
}

APART static void *on_tick(size_t size)
{
	void *scratch = use(malloc(size), size);

	free(scratch);
	return NULL;
}

static const handler handlers[] = { on_event, on_tick };

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		for (int i = 0; i < 2; i++)
			lose(handlers[i](150));
	clean_stack();
	return 0;
}
