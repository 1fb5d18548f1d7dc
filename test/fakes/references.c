/*
 * Holds blocks by every kind of reference, and has lost others: `KIND ADDRESS SIZE` a block, then
 * `ready`. What it knows of addresses is kept as their complement, so that nothing else points to a block.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define COUNT 20
#define MOST (64 * COUNT)

struct node {
	struct node *next;
	uintptr_t hidden;
	char rest[32];
};

static struct {
	const char *kind;
	uintptr_t hidden;
	size_t size;
} told[MOST];
static int told_count;

/* Not static: nobody reads them. */
void *global[COUNT];
char *middle[COUNT];
struct node *chain;
struct node *xored;
uintptr_t low_tag[COUNT];
uintptr_t high_tag[COUNT];
struct {
	uint32_t before;
	void *pointer;
} __attribute__((packed)) packed_pointers[COUNT];
static __thread void *of_thread;
static volatile int stays;

static void *block(const char *kind, size_t size)
{
	void *made = calloc(1, size);

	if (!made || told_count == MOST)
		abort();
	told[told_count].kind = kind;
	told[told_count].hidden = ~(uintptr_t)made;
	told[told_count++].size = size;
	return made;
}

static __attribute__((noinline)) void lose(void)
{
	struct node *first = NULL, *last = NULL, *node;

	for (int i = 0; i < COUNT; i++)
		block("lost", 40 + 8 * i);
	for (int i = 0; i < COUNT; i++) {
		node = block("lost-chain", sizeof(*node));
		node->next = first;
		first = node;
	}
	first = NULL;
	for (int i = 0; i < COUNT; i++) {
		node = block("lost-cycle", sizeof(*node));
		node->next = first;
		first = node;
		if (!last)
			last = node;
	}
	last->next = first;
}

static __attribute__((noinline)) void hold(void)
{
	struct node *before = NULL, *node;
	uintptr_t two_before = 0;
	int epoll = epoll_create1(0);

	for (int i = 0; i < COUNT; i++) {
		global[i] = block("global", 64);
		middle[i] = (char *)block("interior", 64) + 17;
		low_tag[i] = (uintptr_t)block("low-tag", 64) | 5;
		high_tag[i] = (uintptr_t)block("high-tag", 64) | 0xabULL << 56;
		packed_pointers[i].pointer = block("packed", 64);
		node = block("chain", sizeof(*node));
		node->next = chain;
		chain = node;
	}
	for (int i = 0; i < COUNT; i++) {
		node = block("xored", sizeof(*node));
		if (before)
			before->next = (struct node *)(two_before ^ (uintptr_t)node);
		else
			xored = node;
		two_before = (uintptr_t)before;
		before = node;
	}
	before->next = (struct node *)two_before;
	for (int i = 0; i < COUNT; i++) {
		struct epoll_event event = { .events = EPOLLIN };
		struct sigevent signal = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
		timer_t timer;

		event.data.ptr = block("epoll", 64);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd(0, 0), &event))
			abort();
		signal.sigev_value.sival_ptr = block("timer", 64);
		if (timer_create(CLOCK_MONOTONIC, &signal, &timer))
			abort();
	}
}

/* What the calls before have left on the stack. */
static __attribute__((noinline)) void clear_stack(void)
{
	volatile char stack[64 * 1024];

	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = 0;
}

static void *with_stack(void *unused)
{
	void *volatile pointers[COUNT];

	(void)unused;
	for (int i = 0; i < COUNT; i++)
		pointers[i] = block("thread-stack", 64);
	of_thread = block("thread-local", 64);
	__atomic_add_fetch(&stays, 1, __ATOMIC_SEQ_CST);
	for (;;)
		pause();
	return pointers[0];
}

#ifdef __x86_64__
static uintptr_t in_loop, in_call;

static void *with_register_in_loop(void *unused)
{
	(void)unused;
	asm volatile("movq %0, %%rbx\n notq %%rbx\n lock incl %1\n 1: pause\n jmp 1b"
		     :: "m"(in_loop), "m"(stays) : "rbx", "memory");
	return NULL;
}

static void *with_register_in_call(void *unused)
{
	(void)unused;
	/* pause(2) */
	asm volatile("movq %0, %%rbx\n notq %%rbx\n lock incl %1\n 1: movl $34, %%eax\n syscall\n jmp 1b"
		     :: "m"(in_call), "m"(stays) : "rbx", "rax", "rcx", "r11", "memory");
	return NULL;
}
#endif

static void start(void *(*run)(void *))
{
	pthread_t thread;
	int before = stays;

	if (pthread_create(&thread, NULL, run, NULL))
		abort();
	while (stays == before)
		usleep(1000);
}

int main(int argc, char **argv)
{
	lose();
	hold();
	start(with_stack);
#ifdef __x86_64__
	if (argc > 1 && !strcmp(argv[1], "registers")) {
		in_loop = ~(uintptr_t)block("register", 64);
		in_call = ~(uintptr_t)block("register-in-call", 64);
		start(with_register_in_loop);
		start(with_register_in_call);
	}
#else
	(void)argc, (void)argv;
#endif
	clear_stack();
	for (int i = 0; i < told_count; i++)
		printf("%s %lx %zu\n", told[i].kind, (unsigned long)~told[i].hidden, told[i].size);
	printf("ready\n");
	fflush(stdout);
	clear_stack();
	for (;;)
		pause();
}
