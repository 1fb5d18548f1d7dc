/* corpus
 * what: texts are kept once each; as all of them have been seen, nothing is added any more
 * kind: interning
 * runs: [words=300, words=1000]
 */
#include "../corpus.h"

#define MOST 4096

static char *words[MOST];

APART static char *intern(unsigned long number)
{
	char text[64];

	if (words[number])
		return words[number];
	snprintf(text, sizeof(text), "the word with the number %lu", number);
	return words[number] = strdup(text);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	unsigned long count = option("words", 500);

	while (next_tick())
		for (unsigned long i = 0; i < 1 + 100 * count / corpus.ticks; i++)
			lose(intern(below(count)));
	return 0;
}
