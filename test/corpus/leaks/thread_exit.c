/* corpus
 * what: threads end without freeing the buffer that each has for itself
 * kind: thread exit
 */
#include <pthread.h>
#include "../corpus.h"

static __thread char *own;

APART static void prepare(void)
{
	own = (char *)use(malloc(2048), 2048); /* LEAK */
}

static void *work(void *unused)
{
	prepare();
	void *more = use(malloc(512), 512);

	free(more);
	return unused;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		pthread_t thread;

		if (corpus.tick % 4 != 0)
			continue;
		if (pthread_create(&thread, NULL, work, NULL) == 0)
			pthread_join(thread, NULL);
	}
	clean_stack();
	return 0;
}
