/* corpus
 * what: counters by client in a hash map that forgets no client
 * kind: growing container
 * oracle: growth
 */
#include <unordered_map>
#include <vector>
#include "../corpus.h"

static std::unordered_map<unsigned long, std::vector<long>> counters;

APART static void count(unsigned long client)
{
	std::vector<long> &own = counters[client]; // LEAK

	own.push_back(corpus.tick); // LEAK
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		for (int i = 0; i < 3; i++)
			count(random_bits());
	return 0;
}
