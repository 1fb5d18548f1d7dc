/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * `pointers BLOCKS SIZE NUMBERS`: blocks that each point to another, as a tree does, reached from one global,
 * and an array of numbers of so many bytes beside them. Prints the blocks' addresses, then `ready`.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void **root;
uint64_t *numbers;

int main(int argc, char **argv)
{
	size_t count = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
	size_t size = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
	size_t words = argc > 3 ? strtoul(argv[3], NULL, 10) / sizeof(*numbers) : 0;
	void ***blocks = malloc(count * sizeof(*blocks));

	if (!count || size < 2 * sizeof(void *) || !blocks)
		return 2;
	for (size_t n = 0; n < count; n++) {
		blocks[n] = malloc(size);
		for (size_t word = 0; word < size / sizeof(void *); word++)
			blocks[n][word] = (void *)(uintptr_t)(word * 2654435761U % 1000003);
		printf("%lx\n", (unsigned long)(uintptr_t)blocks[n]);
	}
	for (size_t n = 1; n < count; n++)
		blocks[(n - 1) / 2][(n - 1) % 2] = blocks[n];
	root = blocks[0];
	for (size_t n = 0; n < count; n++)
		blocks[n] = NULL;
	free(blocks);
	numbers = malloc(words * sizeof(*numbers));
	for (size_t n = 0; numbers && n < words; n++)
		numbers[n] = n * 0x9e3779b97f4a7c15ULL >> 8;
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}
