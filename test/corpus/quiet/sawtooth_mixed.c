/* corpus
 * what: three sawtooths of different periods and heights from the same call site, over a floor
 * kind: sawtooth
 */
#include "../corpus.h"

#define MOST 4000

struct wave {
	long period, height, filled;
	void *held[MOST];
};

static struct wave waves[3];

APART static void *row(void)
{
	return use(malloc(150), 150);
}

static void step(struct wave *wave)
{
	long goal = wave->height * (corpus.tick % wave->period) / wave->period;

	while (wave->filled < goal)
		wave->held[wave->filled++] = row();
	if (goal < wave->filled)
		while (wave->filled > 0)
			free(wave->held[--wave->filled]);
}

int main(int argc, char **argv)
{
	static void *floor_of[500];

	begin(argc, argv);
	for (int i = 0; i < 500; i++)
		floor_of[i] = row();
	for (int i = 0; i < 3; i++)
		waves[i] = (struct wave){ share(0.017 * (1 + 2 * i)), 500 + 700 * i, 0, { NULL } };
	while (next_tick())
		for (int i = 0; i < 3; i++)
			step(&waves[i]);
	return floor_of[0] == NULL;
}
