/* corpus
 * what: threads come and go, and each frees what it took
 * kind: threads
 */
#include <pthread.h>
#include "../corpus.h"

static void *work(void *unused)
{
	void *own = use(malloc(3000), 3000);

	for (int i = 0; i < 20; i++) {
		void *more = use(malloc(200), 200);

		lose(more);
		free(more);
	}
	free(own);
	return unused;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		pthread_t thread;

		if (corpus.tick % 3 == 0 && pthread_create(&thread, NULL, work, NULL) == 0)
			pthread_join(thread, NULL);
	}
	return 0;
}
