/* corpus
 * what: a state is replaced by a new one while readers may hold the old for a while
 * kind: replaced
 */
#include <memory>
#include <vector>
#include "../corpus.h"

using State = std::vector<double>;

static std::shared_ptr<const State> current;
static std::shared_ptr<const State> readers[16];

APART static std::shared_ptr<const State> publish()
{
	return std::make_shared<const State>(200 + below(200), 1.0);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		if (corpus.tick % 5 == 0)
			current = publish();
		readers[below(16)] = current;
	}
	for (auto &reader : readers)
		reader.reset();
	current.reset();
	return 0;
}
