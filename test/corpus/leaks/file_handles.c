/* corpus
 * what: files are opened by fopen and never closed
 * kind: through libc
 * through: fopen|file_doallocate
 * oracle: growth
 */
#include <sys/resource.h>
#include "../corpus.h"

APART static void look(void)
{
	FILE *file = fopen("/dev/zero", "r"); /* LEAK */

	if (!file)
		abort();
	int c = fgetc(file); /* LEAK */

	lose(&c);
	lose(file);
	/* The number is not what leaks here: it is given back. */
	close(fileno(file));
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		if (corpus.tick % 10 == 0)
			look();
	clean_stack();
	/* Streams are all known to libc: none is lost, but none is ever freed. */
	_exit(0);
}
