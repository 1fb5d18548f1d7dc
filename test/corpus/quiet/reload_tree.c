/* corpus
 * what: a configuration that is read anew now and then, where the new tree is built before the old one goes
 * kind: batch
 * runs: [reloads=6, reloads=20]
 */
#include "../corpus.h"

struct node {
	struct node *next;
	char *value;
};

static struct node *tree;

APART static struct node *load(void)
{
	struct node *first = NULL;

	for (unsigned long n = 500 + below(400); n > 0; n--) {
		struct node *node = (struct node *)use(malloc(sizeof(*node)), sizeof(*node));

		node->value = (char *)use(malloc(20 + below(60)), 20);
		node->next = first;
		first = node;
	}
	return first;
}

static void drop(struct node *node)
{
	while (node) {
		struct node *next = node->next;

		free(node->value);
		free(node);
		node = next;
	}
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long each = share(1 / option("reloads", 6));

	while (next_tick()) {
		if (corpus.tick % each != 1)
			continue;
		struct node *fresh = load();

		drop(tree);
		tree = fresh;
	}
	drop(tree);
	return 0;
}
