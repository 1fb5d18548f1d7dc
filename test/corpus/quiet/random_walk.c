/* corpus
 * what: a queue whose length wanders at random, and is drawn back to its middle
 * kind: load
 * runs: [seed=0, seed=1, seed=2]
 */
#include "../corpus.h"

#define MOST 1200

static void *queue[MOST];

APART static void *job(void)
{
	return use(malloc(260), 260);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long length = 0, goal = 300;

	while (next_tick()) {
		goal += (long)below(81) - 40 + (400 - goal) / 60;
		if (goal < 50)
			goal = 50;
		if (goal > MOST)
			goal = MOST;
		while (length < goal)
			queue[length++] = job();
		while (length > goal)
			free(queue[--length]);
	}
	while (length > 0)
		free(queue[--length]);
	return 0;
}
