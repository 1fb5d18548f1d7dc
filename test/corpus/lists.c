/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* For lost.live.test.ts: loses a list of blocks each tick, linked one way or as a ring both ways. */
#include "corpus.h"

#define LENGTH 20

struct node {
	struct node *next, *before;
	char rest[32];
};

APART static struct node *list(int is_ring)
{
	struct node *first = NULL, *last = NULL;

	for (int i = 0; i < LENGTH; i++) {
		struct node *node = (struct node *)calloc(1, sizeof(*node));

		node->next = first;
		if (first)
			first->before = is_ring ? node : NULL;
		first = node;
		if (!last)
			last = node;
	}
	if (is_ring) {
		last->next = first;
		first->before = last;
	}
	return first;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		lose(list(corpus.tick % 2));
	clean_stack();
	return 0;
}
