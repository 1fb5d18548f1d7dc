/* corpus
 * what: release() where reset() was meant
 * kind: C++
 */
#include <memory>
#include <string>
#include "../corpus.h"

APART static std::unique_ptr<std::string> text()
{
	return std::make_unique<std::string>(70, 't'); // LEAK
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		auto one = text(), two = text();

		lose(one.release());
	}
	clean_stack();
	return 0;
}
