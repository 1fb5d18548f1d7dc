/* corpus
 * what: one array that grows by a step of realloc again and again, and never shrinks
 * kind: growing container
 * oracle: growth
 */
#include "../corpus.h"

static long *samples;
static size_t room, used;

APART static void record(long value)
{
	if (used == room) {
		room += 256;
		samples = (long *)realloc(samples, room * sizeof(*samples)); /* LEAK */
	}
	samples[used++] = value;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		for (int i = 0; i < 20; i++)
			record(corpus.tick);
	return used == 0;
}
