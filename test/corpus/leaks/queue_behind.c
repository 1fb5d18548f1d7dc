/* corpus
 * what: a queue into which more is put than its reader takes out
 * kind: growing container
 * oracle: growth
 */
#include "../corpus.h"

struct job {
	struct job *next;
	char payload[200];
};

static struct job *head, **tail = &head;

APART static void submit(void)
{
	struct job *job = (struct job *)use(malloc(sizeof(*job)), sizeof(*job)); /* LEAK */

	job->next = NULL;
	*tail = job;
	tail = &job->next;
}

APART static void take(void)
{
	struct job *job = head;

	head = job->next;
	if (!head)
		tail = &head;
	free(job);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		for (int i = 0; i < 10; i++)
			submit();
		for (int i = 0; i < 8; i++)
			take();
	}
	return 0;
}
