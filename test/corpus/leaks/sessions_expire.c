/* corpus
 * what: sessions end after a while, but one in thirty is forgotten by the clean-up
 * kind: per request
 */
#include "../corpus.h"

#define TABLE 2048

struct session {
	long ends;
	char data[250];
};

static struct session *table[TABLE];

APART static struct session *open_session(long lasts)
{
	struct session *session = (struct session *)use(malloc(sizeof(*session)), sizeof(*session)); /* LEAK */

	session->ends = corpus.tick + lasts;
	return session;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		for (int i = 0; i < 4; i++) {
			unsigned long slot = below(TABLE);
			struct session *session = open_session(1 + (long)exponential(60));

			if (table[slot] == NULL && below(30) != 0)
				table[slot] = session;
			else if (table[slot] == NULL)
				lose(session);
			else
				free(session);
		}
		for (int i = 0; i < TABLE; i++)
			if (table[i] && table[i]->ends <= corpus.tick) {
				free(table[i]);
				table[i] = NULL;
			}
	}
	clean_stack();
	return 0;
}
