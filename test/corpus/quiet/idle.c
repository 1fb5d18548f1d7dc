/* corpus
 * what: a program that allocated before and now does nothing but wait
 * kind: long-lived
 */
#include "../corpus.h"

static void *held[1000];

int main(int argc, char **argv)
{
	begin(argc, argv);
	for (int i = 0; i < 1000; i++)
		held[i] = use(malloc(300), 300);
	while (next_tick())
		lose(held);
	return 0;
}
