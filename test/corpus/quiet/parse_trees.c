/* corpus
 * what: documents are parsed to trees, kept for a few ticks and freed whole
 * kind: batch
 */
#include "../corpus.h"

#define KEPT 8

struct tree {
	struct tree *children[3];
	char *text;
};

static struct tree *kept[KEPT];

APART static struct tree *parse(int depth)
{
	struct tree *tree = (struct tree *)calloc(1, sizeof(*tree));

	if (!tree)
		abort();
	tree->text = strdup("some text of this node");
	for (int i = 0; depth > 0 && i < 3; i++)
		if (below(3) != 0)
			tree->children[i] = parse(depth - 1);
	return tree;
}

APART static void drop(struct tree *tree)
{
	if (!tree)
		return;
	for (int i = 0; i < 3; i++)
		drop(tree->children[i]);
	free(tree->text);
	free(tree);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		struct tree **slot = &kept[corpus.tick % KEPT];

		drop(*slot);
		*slot = parse(3);
	}
	for (int i = 0; i < KEPT; i++)
		drop(kept[i]);
	return 0;
}
