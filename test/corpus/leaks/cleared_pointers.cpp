/* corpus
 * what: a vector of pointers is cleared, but not what they point to
 * kind: C++
 */
#include <vector>
#include "../corpus.h"

struct Particle {
	double position[6];
};

static std::vector<Particle *> particles;

APART static void emit()
{
	particles.push_back(static_cast<Particle *>(use(new Particle, sizeof(Particle)))); // LEAK
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (next_tick()) {
		for (int i = 0; i < 5; i++)
			emit();
		memset(static_cast<void *>(particles.data()), 0, particles.size() * sizeof(Particle *));
		particles.clear();
	}
	clean_stack();
	return 0;
}
