#include <dlfcn.h>
#include <unistd.h>

__attribute__((noinline)) void once(const char *file)
{
	void *plugin = dlopen(file, RTLD_NOW);

	((void (*)(void))dlsym(plugin, "run"))();
	dlclose(plugin);
}

int main(int argc, char **argv)
{
	for (; argc > 1; usleep(20000))
		once(argv[1]);
}
