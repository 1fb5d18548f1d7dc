/* corpus
 * what: directories are opened and never closed
 * kind: through libc
 * through: alloc_dir|opendir
 */
#include <dirent.h>
#include <fcntl.h>
#include "../corpus.h"

APART static void look(void)
{
	DIR *dir = opendir("/proc/self"); /* LEAK */

	if (!dir)
		abort();
	/* The number is not what leaks here: it is given back. */
	close(dirfd(dir));
	lose(dir);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		if (corpus.tick % 10 == 0)
			look();
	clean_stack();
	return 0;
}
