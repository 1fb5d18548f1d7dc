/* corpus
 * what: a tree is freed by its root alone; its children are left
 * kind: lost pointer
 */
#include "../corpus.h"

struct tree {
	struct tree *left, *right;
	char label[32];
};

APART static struct tree *node(void)
{
	struct tree *tree = (struct tree *)calloc(1, sizeof(*tree)); /* LEAK */

	lose(tree);
	return tree;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		struct tree *root = node();

		root->left = node();
		root->right = node();
		memset(root->label, 1, sizeof(root->label));
		lose(root);
		free(root);
	}
	clean_stack();
	return 0;
}
