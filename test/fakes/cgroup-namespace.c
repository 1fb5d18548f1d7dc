/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Executes a program in a cgroup namespace of its own, whose root is the cgroup that it enters
 * first. With `own-mount`, the hierarchy is mounted anew, as container runtimes do it: the program
 * sees no cgroup outside of its own.
 *
 *   cgroup-namespace CGROUP.PROCS own-mount|host-mount MOUNT-POINT cgroup|cgroup2 PROGRAM [ARGUMENT...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "cgroup-namespace: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *procs)
{
	int fd = open(procs, O_WRONLY);

	if (fd < 0 || write(fd, "0", 1) != 1)
		die(procs);
	close(fd);
}

/* Wherever it is mounted: a chroot may have it once more. */
static void unmount_all(const char *type)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	char *points[256];
	struct mntent *one;
	int count = 0;

	if (!mounts)
		die("/proc/self/mounts");
	while (count < 256 && (one = getmntent(mounts))) {
		if (strcmp(one->mnt_type, type))
			continue;
		if (!strcmp(type, "cgroup2") || hasmntopt(one, "memory"))
			points[count++] = strdup(one->mnt_dir);
	}
	endmntent(mounts);
	for (int i = 0; i < count; i++)
		if (umount2(points[i], MNT_DETACH))
			die(points[i]);
}

static void mount_anew(const char *point, const char *type)
{
	const char *options = strcmp(type, "cgroup") ? NULL : "memory";

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("make mounts private");
	unmount_all(type);
	if (mount(type, point, type, 0, options))
		die("mount");
}

int main(int argc, char **argv)
{
	if (argc < 6) {
		fprintf(stderr, "cgroup-namespace: too few arguments\n");
		return 2;
	}
	enter(argv[1]);
	if (unshare(CLONE_NEWCGROUP | CLONE_NEWNS))
		die("unshare");
	if (!strcmp(argv[2], "own-mount"))
		mount_anew(argv[3], argv[4]);
	execv(argv[5], argv + 5);
	die(argv[5]);
}
