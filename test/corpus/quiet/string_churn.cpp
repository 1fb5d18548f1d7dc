/* corpus
 * what: texts are put together and thrown away, and the last result is kept
 * kind: replaced
 */
#include <sstream>
#include <string>
#include "../corpus.h"

static std::string last;

APART static std::string compose(long number)
{
	std::ostringstream out;

	for (unsigned long i = 0; i < 5 + below(20); i++)
		out << "part " << i << " of message " << number << ", ";
	return out.str();
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		last = compose(corpus.tick);
	return 0;
}
