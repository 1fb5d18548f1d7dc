/* corpus
 * what: a priority queue of timers, as many as are pending at once
 * kind: lifetimes
 */
#include <functional>
#include <memory>
#include <queue>
#include "../corpus.h"

struct Timer {
	long due;
	std::shared_ptr<char[]> context;
	bool operator>(const Timer &other) const { return due > other.due; }
};

static std::priority_queue<Timer, std::vector<Timer>, std::greater<Timer>> timers;

APART static std::shared_ptr<char[]> context()
{
	return std::shared_ptr<char[]>(new char[180]);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		for (int i = 0; i < 4; i++)
			timers.push({corpus.tick + 1 + (long)below(share(0.05)), context()});
		while (!timers.empty() && timers.top().due <= corpus.tick)
			timers.pop();
	}
	while (!timers.empty())
		timers.pop();
	return 0;
}
