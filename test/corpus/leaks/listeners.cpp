/* corpus
 * what: listeners are added for each request and never removed
 * kind: callback
 * oracle: growth
 */
#include <functional>
#include <list>
#include <string>
#include "../corpus.h"

static std::list<std::function<long()>> listeners;

APART static void subscribe(const std::string &name)
{
	listeners.push_back([name] { return (long)name.size(); }); // LEAK
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		subscribe("a listener whose name is longer than a few letters");
	return 0;
}
