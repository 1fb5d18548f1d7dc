/* corpus
 * what: a pool that keeps what is given back; it holds as many as were ever in use at once
 * kind: pool
 */
#include "../corpus.h"

#define MOST 4096

struct object {
	struct object *next;
	char data[100];
};

static struct object *idle, *busy[MOST];

APART static struct object *fresh(void)
{
	return (struct object *)use(malloc(sizeof(struct object)), sizeof(struct object));
}

static struct object *acquire(void)
{
	struct object *object = idle;

	if (!object)
		return fresh();
	idle = object->next;
	return object;
}

static void release(struct object *object)
{
	object->next = idle;
	idle = object;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long taken = 0, period = share(0.05);

	while (next_tick()) {
		long goal = 400 + 300 * sin(6.2832 * corpus.tick / period) + below(50);

		while (taken < goal)
			busy[taken++] = acquire();
		while (taken > goal)
			release(busy[--taken]);
	}
	return 0;
}
