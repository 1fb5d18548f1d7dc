/* corpus
 * what: every line is read by getline into a buffer of its own, which is not freed
 * kind: through libc
 * through: getdelim|getline
 */
#define _GNU_SOURCE
#include "../corpus.h"

APART static void read_line(FILE *file)
{
	char *line = NULL;
	size_t room = 0;

	rewind(file);
	if (getline(&line, &room, file) < 0) /* LEAK */
		abort();
	lose(line);
}

int main(int argc, char **argv)
{
	static char text[] = "a line of a file\nand another\n";

	begin(argc, argv);
	FILE *file = fmemopen(text, sizeof(text), "r");

	while (next_tick())
		read_line(file);
	fclose(file);
	clean_stack();
	return 0;
}
