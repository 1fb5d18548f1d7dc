/* corpus
 * what: a request that fails returns without freeing its buffer
 * kind: per request
 * runs: [one_in=20, one_in=100]
 */
#include "../corpus.h"

struct request {
	char *body;
	size_t size;
};

APART static char *read_body(size_t size)
{
	return (char *)use(malloc(size), size); /* LEAK */
}

APART static int answer(struct request *request, long one_in)
{
	char *header = (char *)use(malloc(128), 128);

	request->body = read_body(request->size);
	if (below(one_in) == 0) {
		free(header);
		request->body = NULL;
		return -1;
	}
	free(request->body);
	request->body = NULL;
	free(header);
	return 0;
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long one_in = option("one_in", 20), failed = 0;

	while (next_tick())
		for (int i = 0; i < 20; i++) {
			struct request request = { NULL, 100 + below(900) };

			failed += answer(&request, one_in) != 0;
		}
	clean_stack();
	return failed < 0;
}
