/* corpus
 * what: tables that are built at the start and freed by main's end; a few are replaced meanwhile
 * kind: freed at exit
 */
#include "../corpus.h"

#define TABLES 200

static char *tables[TABLES];

APART static char *build(void)
{
	return (char *)use(malloc(1500), 1500);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	for (int i = 0; i < TABLES; i++)
		tables[i] = build();
	while (next_tick()) {
		unsigned long one = below(TABLES);

		free(tables[one]);
		tables[one] = build();
	}
	for (int i = 0; i < TABLES; i++)
		free(tables[i]);
	return 0;
}
