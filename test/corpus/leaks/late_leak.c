/* corpus
 * what: all is well for a quarter of the run, then a leak begins
 * kind: steady
 */
#include "../corpus.h"

APART static void *block(void)
{
	return use(malloc(256), 256); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		for (int i = 0; i < 4; i++) {
			void *one = block();

			lose(one);
			if (progress() < 0.25 || i != 0)
				free(one);
		}
	clean_stack();
	return 0;
}
