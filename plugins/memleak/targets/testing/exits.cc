// Leaves functions of its allocator in every way but by returning a block, and says how it came out.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

static std::vector<char *> kept;
static std::jmp_buf back;
// The compiler must not know that it is too much.
static volatile size_t too_much = ~size_t(0) >> 2;

template <typename Allocate> static const char *attempt(Allocate allocate)
{
	try {
		return allocate() ? "got it" : "null";
	} catch (const std::bad_alloc &) {
		return "bad_alloc";
	} catch (int) {
		return "int";
	}
}

static const char *with_handler(std::new_handler handler)
{
	std::set_new_handler(handler);
	const char *how = attempt([] { return ::operator new(too_much); });
	std::set_new_handler(nullptr);
	return how;
}

static void *exits_in_handler(void *)
{
	with_handler([] { pthread_exit(const_cast<char *>("exited")); });
	return const_cast<char *>("went on");
}

static void *cancelled_in_handler(void *)
{
	with_handler([] {
		pthread_cancel(pthread_self());
		pthread_testcancel();
	});
	return const_cast<char *>("went on");
}

static const char *in_thread(void *(*run)(void *))
{
	pthread_t thread;
	void *how;

	pthread_create(&thread, nullptr, run, nullptr);
	pthread_join(thread, &how);
	std::set_new_handler(nullptr);
	return how == PTHREAD_CANCELED ? "cancelled" : static_cast<char *>(how);
}

static const char *jump()
{
	if (setjmp(back)) {
		std::set_new_handler(nullptr);
		return "jumped";
	}
	return with_handler([] { std::longjmp(back, 1); });
}

static const char *in_child()
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		attempt([] { return ::operator new(too_much); });
		_exit(malloc(100) ? 7 : 8);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? "exited" : "killed";
}

static const char *moved()
{
	char *block = static_cast<char *>(malloc(64));
	void *grown = realloc(block, too_much);

	free(block);
	return grown ? "got it" : "null";
}

/* What is there by then is left, and no more. */
static const char *limited()
{
	struct rlimit before, now;

	getrlimit(RLIMIT_AS, &before);
	now = before;
	now.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_AS, &now);
	const char *how = attempt([] { return ::operator new(size_t(64) << 20); });
	setrlimit(RLIMIT_AS, &before);
	return how;
}

static const char *leave(const char *way)
{
	if (!strcmp(way, "new"))
		return attempt([] { return ::operator new(too_much); });
	if (!strcmp(way, "array"))
		return attempt([] { return ::operator new[](too_much); });
	if (!strcmp(way, "aligned"))
		return attempt([] { return ::operator new(too_much, std::align_val_t(256)); });
	if (!strcmp(way, "nothrow"))
		return attempt([] { return ::operator new(too_much, std::nothrow); });
	if (!strcmp(way, "handler"))
		return with_handler([] { throw 1; });
	if (!strcmp(way, "jump"))
		return jump();
	if (!strcmp(way, "exit"))
		return in_thread(exits_in_handler);
	if (!strcmp(way, "cancel"))
		return in_thread(cancelled_in_handler);
	if (!strcmp(way, "limit"))
		return limited();
	if (!strcmp(way, "malloc"))
		return attempt([] { return malloc(too_much); });
	if (!strcmp(way, "calloc"))
		return attempt([] { return calloc(too_much, 16); });
	if (!strcmp(way, "realloc"))
		return moved();
	if (!strcmp(way, "memalign"))
		return attempt([] {
			void *block = nullptr;

			return posix_memalign(&block, 3, 100) ? nullptr : block;
		});
	return in_child();
}

/* Instead of what it kept before, half of it by either function. */
__attribute__((noinline)) static const char *keep(int times, size_t size)
{
	for (; !kept.empty(); kept.pop_back())
		if (kept.size() % 2)
			::operator delete(kept.back());
		else
			free(kept.back());
	while (static_cast<int>(kept.size()) < times)
		kept.push_back(static_cast<char *>(kept.size() % 2 ? malloc(size) : ::operator new(size)));
	return "kept";
}

int main()
{
	char line[256], way[32];
	int times;
	size_t size;

	setvbuf(stdout, nullptr, _IOLBF, 0);
	kept.reserve(1 << 10);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "keep %d %zu", &times, &size) == 2)
			puts(keep(times, size));
		else if (sscanf(line, "leave %31s", way) == 1)
			puts(leave(way));
	}
}
