/* corpus
 * what: parts that are set up when they are first needed, a few steps, the last after a quarter
 * kind: warm-up
 */
#include "../corpus.h"

#define PARTS 12

static void *parts[PARTS];

APART static void set_up(int part)
{
	size_t size = 2000 * (1 + part % 4);

	parts[part] = use(malloc(size), size);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		int part = (int)(PARTS * progress() * 4);

		if (part < PARTS && !parts[part])
			set_up(part);
		void *scratch = use(malloc(100), 100);

		lose(scratch);
		free(scratch);
	}
	return 0;
}
