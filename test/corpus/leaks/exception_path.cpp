/* corpus
 * what: an exception passes over the delete
 * kind: per request
 */
#include <stdexcept>
#include "../corpus.h"

APART static char *request_buffer()
{
	return static_cast<char *>(use(new char[600], 600)); // LEAK
}

APART static void check(const char *buffer)
{
	if (below(10) == 0)
		throw std::runtime_error("refused");
	lose(buffer);
}

APART static void handle()
{
	char *buffer = request_buffer();

	check(buffer);
	delete[] buffer;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long refused = 0;

	while (next_tick())
		for (int i = 0; i < 10; i++)
			try {
				handle();
			} catch (const std::exception &) {
				refused++;
			}
	clean_stack();
	return refused < 0;
}
