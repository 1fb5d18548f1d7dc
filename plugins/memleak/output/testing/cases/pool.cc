// A pool that throws when it is empty, and a program that catches that.
#include <unistd.h>

#include <cstdio>
#include <new>

union Cell {
	Cell *next;
	char bytes[64];
};

static Cell cells[4096];
static Cell *spare;

extern "C" __attribute__((noinline)) void *pool_get(size_t size)
{
	if (size > sizeof(Cell) || !spare)
		throw std::bad_alloc();
	Cell *cell = spare;

	spare = cell->next;
	return cell;
}

extern "C" __attribute__((noinline)) void pool_put(void *cell) noexcept
{
	static_cast<Cell *>(cell)->next = spare;
	spare = static_cast<Cell *>(cell);
}

int main()
{
	for (Cell &cell : cells)
		pool_put(&cell);
	setvbuf(stdout, nullptr, _IOLBF, 0);
	puts("ready");
	for (int lost = 0;; usleep(20000)) {
		Cell *list = nullptr;

		try {
			for (;;) {
				auto cell = static_cast<Cell *>(pool_get(48));

				cell->next = list;
				list = cell;
			}
		} catch (const std::bad_alloc &) {
			puts("caught");
		}
		// All but one comes back.
		for (Cell *next = list ? list->next : nullptr; next; lost++) {
			Cell *cell = next;

			next = cell->next;
			pool_put(cell);
		}
	}
}
