/* The library of plugin_host.c. */
#include "../corpus.h"

void plugin_handle(long number);

APART static char *decode(long number)
{
	char *text = (char *)use(malloc(100 + number % 50), 100); /* LEAK */

	text[0] = (char)number;
	return text;
}

void plugin_handle(long number)
{
	char *scratch = decode(number);

	lose(scratch);
	if (number % 3 != 0)
		free(scratch);
}
