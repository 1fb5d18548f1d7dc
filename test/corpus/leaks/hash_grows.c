/* corpus
 * what: a hash table by session, from which sessions that ended are never taken
 * kind: growing container
 * oracle: growth
 */
#include "../corpus.h"

#define SLOTS 1024

struct session {
	struct session *next;
	unsigned long id;
	char user[80];
};

static struct session *slots[SLOTS];

APART static struct session *open_session(unsigned long id)
{
	struct session *session = (struct session *)calloc(1, sizeof(*session)); /* LEAK */

	session->id = id;
	session->next = slots[id % SLOTS];
	slots[id % SLOTS] = session;
	return session;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	unsigned long id = 0;

	while (next_tick())
		for (int i = 0; i < 3; i++)
			lose(open_session(id++));
	return 0;
}
