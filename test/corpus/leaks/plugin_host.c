/* corpus
 * what: a library that is opened at run time leaks at each call
 * kind: opened library
 * library: plugin_part.c
 */
#include <dlfcn.h>
#include "../corpus.h"

int main(int argc, char **argv)
{
	char path[512];

	begin(argc, argv);
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 4);

	if (length < 0)
		abort();
	strcpy(path + length, ".so");
	void *library = dlopen(path, RTLD_NOW);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	void (*handle)(long) = (void (*)(long))dlsym(library, "plugin_handle");

	while (next_tick())
		handle(corpus.tick);
	clean_stack();
	return 0;
}
