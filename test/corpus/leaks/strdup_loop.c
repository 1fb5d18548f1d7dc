/* corpus
 * what: names are copied by strdup and forgotten
 * kind: through libc
 * through: strdup
 */
#include "../corpus.h"

APART static void rename_to(const char *name)
{
	lose(strdup(name)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		rename_to("a name that is long enough to be seen");
		rename_to("a shorter one");
	}
	clean_stack();
	return 0;
}
