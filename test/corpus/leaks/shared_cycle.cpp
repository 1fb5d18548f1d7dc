/* corpus
 * what: two objects hold each other by shared_ptr
 * kind: C++
 */
#include <memory>
#include "../corpus.h"

struct Peer {
	std::shared_ptr<Peer> other;
	char state[64];
};

APART static std::shared_ptr<Peer> peer()
{
	return std::make_shared<Peer>(); // LEAK
}

APART static void connect()
{
	auto one = peer(), two = peer();

	one->other = two;
	two->other = one;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick())
		connect();
	clean_stack();
	return 0;
}
