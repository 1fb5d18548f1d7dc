/* corpus
 * what: a map of the last few hundred keys, and a deque of their order
 * kind: cache
 * runs: [room=200, room=1500]
 */
#include <deque>
#include <map>
#include <string>
#include "../corpus.h"

static std::map<unsigned long, std::string> values;
static std::deque<unsigned long> order;

APART static void put(unsigned long key, std::size_t room)
{
	if (!values.emplace(key, std::string(100, 'v')).second)
		return;
	order.push_back(key);
	if (order.size() <= room)
		return;
	values.erase(order.front());
	order.pop_front();
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	std::size_t room = option("room", 500);

	while (next_tick())
		for (std::size_t i = 0; i < 1 + 5 * room / corpus.ticks; i++)
			put(random_bits(), room);
	values.clear();
	order.clear();
	return 0;
}
