/* corpus
 * what: what a thread gives back is freed by whoever joins it, but for one in eight that says "failed"
 * kind: thread exit
 */
#include <pthread.h>
#include "../corpus.h"

struct result {
	int failed;
	char text[180];
};

static void *work(void *number)
{
	struct result *result = (struct result *)use(malloc(sizeof(*result)), sizeof(*result)); /* LEAK */

	result->failed = (long)number % 8 == 0;
	return result;
}

APART static void ask(long number)
{
	pthread_t thread;
	void *result = NULL;

	if (pthread_create(&thread, NULL, work, (void *)number) != 0)
		return;
	pthread_join(thread, &result);
	if (((struct result *)result)->failed)
		return;
	free(result);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		if (corpus.tick % 2 == 0)
			ask(corpus.tick / 2);
	clean_stack();
	return 0;
}
