/* corpus
 * what: a steady number of connections, each replaced by another at random, with their parts
 * kind: lifetimes
 */
#include "../corpus.h"

#define CONNECTIONS 200

struct connection {
	char *in, *out, *name;
};

static struct connection *connections[CONNECTIONS];

APART static struct connection *connect_one(void)
{
	struct connection *one = (struct connection *)malloc(sizeof(*one));

	if (!one)
		abort();
	one->in = (char *)use(malloc(4096), 4096);
	one->out = (char *)use(malloc(4096), 4096);
	one->name = strdup("a peer of some name or other");
	return one;
}

APART static void disconnect(struct connection *one)
{
	if (!one)
		return;
	free(one->in);
	free(one->out);
	free(one->name);
	free(one);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		unsigned long one = below(CONNECTIONS);

		disconnect(connections[one]);
		connections[one] = connect_one();
	}
	for (int i = 0; i < CONNECTIONS; i++)
		disconnect(connections[i]);
	return 0;
}
