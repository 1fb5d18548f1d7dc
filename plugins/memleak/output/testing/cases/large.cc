// Loses large buffers of operator new, which allocators serve by another way than small ones.
#include <unistd.h>

char *volatile sink;

__attribute__((noinline)) char *lose_frame()
{
	char *frame = new char[20 << 20];

	frame[0] = 1;
	return frame;
}

int main()
{
	for (;; usleep(50000))
		sink = lose_frame();
}
