/*
 * Has an io_uring with nothing under way; by a line of standard input a read that waits, by the next one it is
 * answered.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *map(int ring, size_t size, off_t what)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what);
}

int main(void)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 4, &params);
	int event = eventfd(0, 0);
	static uint64_t word;
	char line[16];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (ring < 0) {
		puts("none");
		return 0;
	}
	char *queue = map(ring, params.sq_off.array + params.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	struct io_uring_sqe *requests =
		(void *)map(ring, params.sq_entries * sizeof(*requests), IORING_OFF_SQES);
	if (queue == MAP_FAILED || (void *)requests == MAP_FAILED)
		return 1;
	puts("idle");
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	requests[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ,
		.fd = event,
		.addr = (uintptr_t)&word,
		.len = sizeof(word),
		.user_data = (uintptr_t)&word,
	};
	*(uint32_t *)(queue + params.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0);
	puts("waits");
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	if (write(event, &(uint64_t){ 1 }, sizeof(word)) < 0)
		return 1;
	syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	puts("answered");
	pause();
}
