/* A 32-bit program without a library, as machines without its headers can compile it too. */
static int call(int number, int a, const void *b, int c)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

void _start(void)
{
	static char line[16];

	call(4, 1, "ready\n", 6);
	while (call(3, 0, line, sizeof(line)) > 0)
		;
	call(1, 0, 0, 0);
}
