/* corpus
 * what: a static map from text to text that only grows
 * kind: C++
 * oracle: growth
 */
#include <map>
#include <string>
#include "../corpus.h"

static std::map<std::string, std::string> seen;

APART static void note(long number)
{
	std::string key = "a key that does not fit into the string itself, " + std::to_string(number);

	seen[key] = std::string(90, 'v'); // LEAK
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		note(corpus.tick);
	return 0;
}
