/*
 * The ring reader's limit: libbpf's own consumer in C, on the same object and producer.
 * Arguments: the object file, runs of the producer a round, rounds. Prints ns an event, by round.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static unsigned long long sum, records;

static int on_record(void *context, void *data, size_t length)
{
	const unsigned *words = data;

	(void)context;
	sum += words[0] + words[2];
	records += length > 0;
	return 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(int argc, char **argv)
{
	int runs = argc > 3 ? atoi(argv[2]) : 0, rounds = argc > 3 ? atoi(argv[3]) : 0;
	struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
	struct bpf_program *program;
	struct ring_buffer *ring;
	struct bpf_map *map;
	LIBBPF_OPTS(bpf_test_run_opts, options);

	if (!object || bpf_object__load(object))
		return 1;
	program = bpf_object__find_program_by_name(object, "fill_stream");
	map = bpf_object__find_map_by_name(object, "stream");
	ring = ring_buffer__new(bpf_map__fd(map), on_record, NULL, NULL);
	if (!program || !ring)
		return 1;
	for (int round = 0; round < rounds; round++) {
		for (int run = 0; run < runs; run++)
			if (bpf_prog_test_run_opts(bpf_program__fd(program), &options))
				return 1;
		unsigned long long before = records;
		double start = now();
		ring_buffer__consume(ring);
		double end = now();

		printf("%f\n", (end - start) / (records - before));
	}
	fprintf(stderr, "sum %llu of %llu records\n", sum, records);
	ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}
