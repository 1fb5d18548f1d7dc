/* corpus
 * what: words as a language has them, each kept once; the rare ones come late
 * kind: interning
 * runs: [words=1000, words=2000]
 */
#include "../corpus.h"

#define MOST 4096

static char *words[MOST];

APART static void intern(unsigned long number)
{
	char text[64];

	if (words[number])
		return;
	snprintf(text, sizeof(text), "the word with the number %lu", number);
	words[number] = strdup(text);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	double count = option("words", 1000), said = 0;

	while (next_tick())
		/* Fifteen times as many as there are words, in a run of any length. */
		for (said += 15 * count / corpus.ticks; said >= 1; said--)
			intern((unsigned long)pow(count, uniform()) - 1);
	for (int i = 0; i < MOST; i++)
		free(words[i]);
	return 0;
}
