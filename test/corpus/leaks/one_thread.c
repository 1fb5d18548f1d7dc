/* corpus
 * what: of several threads that do the same work one forgets to free
 * kind: threads
 */
#include <pthread.h>
#include "../corpus.h"

#define THREADS 4

static pthread_barrier_t turn;
static int over;

APART static void *take(size_t size)
{
	return use(malloc(size), size); /* LEAK */
}

static void *work(void *argument)
{
	long me = (long)argument;

	for (;;) {
		pthread_barrier_wait(&turn);
		if (over)
			return NULL;
		for (int i = 0; i < 10; i++) {
			void *block = take(100 + 10 * me);

			lose(block);
			if (me != 2 || i != 0)
				free(block);
		}
		pthread_barrier_wait(&turn);
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	begin(argc, argv);
	pthread_barrier_init(&turn, NULL, THREADS + 1);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	while (next_tick()) {
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
	}
	over = 1;
	pthread_barrier_wait(&turn);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	clean_stack();
	return 0;
}
