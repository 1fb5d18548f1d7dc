/* corpus
 * what: objects by new, one in five without delete; arrays by new[] too
 * kind: C++
 */
#include "../corpus.h"

struct Order {
	long id;
	char text[100];
};

APART static Order *make(long id)
{
	Order *order = new Order; // LEAK

	order->id = id;
	return order;
}

APART static void *buffer()
{
	return use(new char[300], 300); // LEAK
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		for (int i = 0; i < 5; i++) {
			Order *order = make(i);

			lose(order);
			if (i != 0)
				delete order;
			if (corpus.tick % 4 == 0)
				lose(buffer());
		}
	clean_stack();
	return 0;
}
