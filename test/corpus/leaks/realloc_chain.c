/* corpus
 * what: each buffer grows by realloc several times, then is dropped
 * kind: realloc chain
 */
#include "../corpus.h"

APART static void *grow(void *old, size_t size)
{
	return use(realloc(old, size), size); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		void *buffer = NULL;

		for (size_t size = 64; size <= 1024; size *= 2)
			buffer = grow(buffer, size);
		lose(buffer);
	}
	clean_stack();
	return 0;
}
