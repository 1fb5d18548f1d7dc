/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be preloaded: fsync as on a disk that does not get round to it. Each call says so on stderr and
 * waits until it can read a byte of the pipe that SLOW_FSYNC_GATE names.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd)
{
	static const char said[] = "fsync waits\n";
	const char *gate = getenv("SLOW_FSYNC_GATE");
	char byte;
	int pipe;

	if (gate && write(STDERR_FILENO, said, sizeof(said) - 1) > 0) {
		pipe = open(gate, O_RDONLY);
		while (pipe >= 0 && read(pipe, &byte, 1) < 0)
			;
		close(pipe);
	}
	return syscall(SYS_fsync, fd);
}
