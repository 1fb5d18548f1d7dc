/* corpus
 * what: nodes are put before a global list that nobody ever empties
 * kind: growing container
 * oracle: growth
 */
#include "../corpus.h"

struct node {
	struct node *next;
	char data[72];
};

static struct node *first;

APART static void push(void)
{
	struct node *node = (struct node *)use(malloc(sizeof(*node)), sizeof(*node)); /* LEAK */

	node->next = first;
	first = node;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		push();
	return first == NULL;
}
