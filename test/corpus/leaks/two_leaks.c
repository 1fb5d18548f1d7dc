/* corpus
 * what: two leaks at once, one a hundred times the other
 * kind: steady
 */
#include "../corpus.h"

APART static void large(void)
{
	lose(use(malloc(4000), 4000)); /* LEAK */
}

APART static void small(void)
{
	lose(use(malloc(40), 40)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		large();
		small();
	}
	clean_stack();
	return 0;
}
