/* corpus
 * what: buffers on a boundary, by posix_memalign and aligned_alloc, that nobody frees
 * kind: aligned
 */
#include "../corpus.h"

APART static void by_posix(void)
{
	void *buffer = NULL;

	if (posix_memalign(&buffer, 512, 1024) != 0) /* LEAK */
		abort();
	lose(use(buffer, 1024));
}

APART static void by_c11(void)
{
	lose(use(aligned_alloc(64, 640), 640)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		if (corpus.tick % 3 == 0) {
			by_posix();
			by_c11();
		}
	clean_stack();
	return 0;
}
