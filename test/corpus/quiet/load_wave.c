/* corpus
 * what: load that rises and falls in waves, as that of days and nights
 * kind: load
 * runs: [waves=1.5, waves=4, waves=7, waves=15]
 */
#include "../corpus.h"

#define MOST 4000

static void *clients[MOST];

APART static void *client(void)
{
	return use(malloc(350), 350);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long connected = 0;
	double waves = option("waves", 6);

	while (next_tick()) {
		long goal = 1500 - 1300 * cos(6.2832 * waves * progress()) + below(60);

		while (connected < goal)
			clients[connected++] = client();
		while (connected > goal)
			free(clients[--connected]);
	}
	while (connected > 0)
		free(clients[--connected]);
	return 0;
}
