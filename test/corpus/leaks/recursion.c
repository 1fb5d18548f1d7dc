/* corpus
 * what: a leak at the bottom of a deep recursion
 * kind: deep recursion
 * runs: [depth=40, depth=200]
 */
#include "../corpus.h"

APART static int descend(long depth)
{
	if (depth == 0) {
		lose(use(malloc(88), 88)); /* LEAK */
		return 0;
	}
	int below_here = descend(depth - 1);

	lose(&below_here);
	return below_here + 1;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long depth = option("depth", 40), sum = 0;

	while (next_tick())
		sum += descend(depth);
	clean_stack();
	clean_stack();
	return sum < 0;
}
