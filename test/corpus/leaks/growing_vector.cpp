/* corpus
 * what: a vector of texts to which is only added
 * kind: growing container
 * oracle: growth
 */
#include <string>
#include <vector>
#include "../corpus.h"

static std::vector<std::string> lines;

APART static void add(long number)
{
	lines.push_back("a line that is longer than what fits into a string " + std::to_string(number)); // LEAK
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		add(corpus.tick);
	return 0;
}
