/* corpus
 * what: two buffers that take turns; the one that is not shown is made anew, of another size
 * kind: replaced
 */
#include "../corpus.h"

static void *shown, *hidden;

APART static void *render(void)
{
	size_t size = 10000 + below(30000);

	return use(malloc(size), size);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		free(hidden);
		hidden = shown;
		shown = render();
	}
	free(shown);
	free(hidden);
	return 0;
}
