/* corpus
 * what: the samples of the last while in a deque, as whoever computes a moving average keeps them
 * kind: lifetimes
 * runs: [window=0.05, window=0.15]
 */
#include <deque>
#include <string>
#include "../corpus.h"

struct Sample {
	long tick;
	std::string source;
};

static std::deque<Sample> samples;

int main(int argc, char **argv)
{
	begin(argc, argv);
	long window = share(option("window", 0.1));

	while (next_tick()) {
		for (int i = 0; i < 8; i++)
			samples.push_back({corpus.tick, "the sensor with the number " + std::to_string(i)});
		while (samples.front().tick <= corpus.tick - window)
			samples.pop_front();
	}
	return 0;
}
