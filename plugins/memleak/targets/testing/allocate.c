/* Does what it is told, a line each, and says what came of it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef WITH_DLOPEN
#include <dlfcn.h>
#endif

static void *kept[1 << 16];
static int count;

static void allocate(int times, size_t size)
{
	for (; times > 0 && count < 1 << 16; times--) {
		kept[count] = malloc(size);
		memset(kept[count++], 1, size);
	}
	printf("%d\n", count);
}

static void release(int times)
{
	while (times-- > 0 && count > 0)
		free(kept[--count]);
	printf("%d\n", count);
}

static void become(const char *path)
{
	printf("becoming\n");
	execl(path, path, (char *)NULL);
	printf("failed\n");
}

static void spawn(void)
{
	int child = fork();

	if (child)
		printf("%d\n", child);
	else
		for (;;)
			pause();
}

#ifdef WITH_DLOPEN
static void *library;

static void load(const char *path)
{
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	printf("%s\n", library ? "loaded" : dlerror());
}

static void call(int times)
{
	void *(*own)(size_t) = (void *(*)(size_t))dlsym(library, "malloc");

	while (times-- > 0)
		own(64);
	printf("called\n");
}

static void unload(void)
{
	printf("%s\n", dlclose(library) ? "failed" : "unloaded");
}
#endif

int main(void)
{
	static char line[4096], argument[4096];
	int number = 0;
	size_t size = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "malloc %d %zu", &number, &size) == 2)
			allocate(number, size);
		else if (sscanf(line, "free %d", &number) == 1)
			release(number);
		else if (sscanf(line, "exec %4095s", argument) == 1)
			become(argument);
		else if (!strcmp(line, "fork\n"))
			spawn();
#ifdef WITH_DLOPEN
		else if (sscanf(line, "dlopen %4095s", argument) == 1)
			load(argument);
		else if (sscanf(line, "call %d", &number) == 1)
			call(number);
		else if (!strcmp(line, "dlclose\n"))
			unload();
#endif
		else
			printf("what?\n");
	}
	return 0;
}
