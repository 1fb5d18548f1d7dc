/* corpus
 * what: a vector that is filled and cleared; its room stays
 * kind: replaced
 */
#include <string>
#include <vector>
#include "../corpus.h"

static std::vector<std::string> rows;

APART static void fill()
{
	for (unsigned long n = 10 + below(300); n > 0; n--)
		rows.push_back(std::string(60, 'r'));
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		fill();
		rows.clear();
	}
	return 0;
}
