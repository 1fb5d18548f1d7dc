// Memory by operator new, and requests for more than there is.
#include <cstdio>
#include <new>
#include <vector>

static std::vector<char *> kept;

static const char *huge()
{
	volatile size_t size = ~size_t(0) >> 2;

	try {
		kept.push_back(new char[size]);
		return "got it";
	} catch (const std::bad_alloc &) {
		return "caught";
	}
}

__attribute__((noinline)) static void allocate(int times, size_t size)
{
	for (; times > 0; times--)
		kept.push_back(new char[size]);
}

static void release(int times)
{
	for (; times > 0; times--) {
		delete[] kept.back();
		kept.pop_back();
	}
}

int main()
{
	char line[256];
	int number;
	size_t size;

	setvbuf(stdout, nullptr, _IOLBF, 0);
	kept.reserve(1 << 16);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "new %d %zu", &number, &size) == 2)
			allocate(number, size);
		else if (sscanf(line, "delete %d", &number) == 1)
			release(number);
		puts(line[0] == 'h' ? huge() : "done");
	}
}
