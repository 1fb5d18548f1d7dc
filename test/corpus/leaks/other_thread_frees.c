/* corpus
 * what: one thread makes, another frees, and drops one in fifty on its way
 * kind: threads
 */
#include <pthread.h>
#include "../corpus.h"

#define BATCH 50

static pthread_barrier_t turn;
static void *batch[BATCH];
static int over;

APART static void fill(void)
{
	for (int i = 0; i < BATCH; i++)
		batch[i] = use(malloc(300), 300); /* LEAK */
}

static void *consume(void *unused)
{
	for (;;) {
		pthread_barrier_wait(&turn);
		if (over)
			return unused;
		for (int i = 1; i < BATCH; i++)
			free(batch[i]);
		memset(batch, 0, sizeof(batch));
		pthread_barrier_wait(&turn);
	}
}

int main(int argc, char **argv)
{
	pthread_t thread;

	begin(argc, argv);
	pthread_barrier_init(&turn, NULL, 2);
	pthread_create(&thread, NULL, consume, NULL);
	while (next_tick()) {
		fill();
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
	}
	over = 1;
	pthread_barrier_wait(&turn);
	pthread_join(thread, NULL);
	clean_stack();
	return 0;
}
