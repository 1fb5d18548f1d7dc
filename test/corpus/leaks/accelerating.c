/* corpus
 * what: more is lost the longer it runs, as where each failure makes another more likely
 * kind: steady
 */
#include "../corpus.h"

APART static void drop(void)
{
	lose(use(malloc(60), 60)); /* LEAK */
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	double owed = 0;

	while (next_tick())
		for (owed += 0.1 + progress(); owed >= 1; owed--)
			drop();
	clean_stack();
	return 0;
}
