/* corpus
 * what: messages are formatted by asprintf and forgotten
 * kind: through libc
 * through: asprintf
 */
#define _GNU_SOURCE
#include "../corpus.h"

APART static void say(long number)
{
	char *text = NULL;

	if (asprintf(&text, "message number %ld of many, which nobody frees", number) < 0) /* LEAK */
		abort();
	lose(text);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		say(corpus.tick);
		say(-corpus.tick);
	}
	clean_stack();
	return 0;
}
