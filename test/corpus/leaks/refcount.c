/* corpus
 * what: counted references, of which an early return gives one too few back
 * kind: per request
 * runs: [one_in=10, one_in=30]
 */
#include "../corpus.h"

struct object {
	int references;
	char value[90];
};

APART static struct object *create(void)
{
	struct object *object = (struct object *)use(malloc(sizeof(*object)), sizeof(*object)); /* LEAK */

	object->references = 1;
	return object;
}

static struct object *get(struct object *object)
{
	object->references++;
	return object;
}

static void put(struct object *object)
{
	if (--object->references == 0)
		free(object);
}

APART static int look_at(struct object *object, int valid)
{
	struct object *own = get(object);

	if (!valid)
		return -1;
	put(own);
	return 0;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	unsigned long one_in = option("one_in", 10);

	while (next_tick())
		for (int i = 0; i < 2; i++) {
			struct object *object = create();

			look_at(object, below(one_in) != 0);
			put(object);
		}
	clean_stack();
	return 0;
}
