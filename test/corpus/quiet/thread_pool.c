/* corpus
 * what: a pool that starts its threads one after the other in the first quarter; each has buffers
 * kind: warm-up
 */
#include <pthread.h>
#include "../corpus.h"

#define THREADS 8

static pthread_barrier_t turns[THREADS + 1];
static int over;

APART static void *scratch(void)
{
	return use(malloc(5000), 5000);
}

static void *work(void *argument)
{
	long me = (long)argument;
	void *own = scratch();

	for (;;) {
		pthread_barrier_wait(&turns[me]);
		if (over) {
			free(own);
			return NULL;
		}
		void *job = use(malloc(300), 300);

		lose(job);
		free(job);
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	int started = 0;

	begin(argc, argv);
	while (next_tick()) {
		if (started < THREADS && progress() * 4 * THREADS >= started) {
			pthread_barrier_init(&turns[started], NULL, 2);
			pthread_create(&threads[started], NULL, work, (void *)(long)started);
			started++;
		}
		for (int i = 0; i < started; i++)
			pthread_barrier_wait(&turns[i]);
	}
	over = 1;
	for (int i = 0; i < started; i++) {
		pthread_barrier_wait(&turns[i]);
		pthread_join(threads[i], NULL);
	}
	return 0;
}
