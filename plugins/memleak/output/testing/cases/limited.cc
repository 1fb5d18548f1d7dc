// Catches std::bad_alloc of operator new under a limit that it sets itself once it is watched.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <new>

struct Node {
	Node *next;
	char rest[4000];
};

static Node *volatile lost;

static bool fill()
{
	Node *list = nullptr;
	bool caught = false;

	try {
		for (int n = 0; n < 100000; n++) {
			Node *node = new Node;

			memset(node->rest, 1, sizeof(node->rest));
			node->next = list;
			list = node;
		}
	} catch (const std::bad_alloc &) {
		caught = true;
	}
	while (list) {
		Node *next = list->next;

		delete list;
		list = next;
	}
	return caught;
}

int main()
{
	char line[16];
	const rlimit limit{200u << 20, 200u << 20};

	setvbuf(stdout, nullptr, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		if (line[0] == 'w') {
			lost = new Node;
			usleep(20000);
			puts("done");
			continue;
		}
		setrlimit(RLIMIT_AS, &limit);
		for (int n = 0; n < 3; n++)
			puts(fill() ? "caught" : "filled");
	}
}
