/* corpus
 * what: a global pointer is overwritten by each new buffer
 * kind: lost pointer
 */
#include "../corpus.h"

static char *current;

APART static void reload(void)
{
	current = (char *)use(malloc(3000), 3000); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		if (corpus.tick % 5 == 0)
			reload();
	clean_stack();
	return current == NULL;
}
