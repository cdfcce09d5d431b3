// SPDX-License-Identifier: GPL-2.0
/* See group.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "group.h"

#define GROUP_DIR	"/sys/fs/cgroup/selftest"

static bool write_group(const char *file, const char *text)
{
	char path[128];
	bool done;
	int fd;

	snprintf(path, sizeof(path), GROUP_DIR "/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) > 0;
	close(fd);
	return done;
}

bool make_group(unsigned long long bytes)
{
	char text[32] = "max";

	if (bytes)
		snprintf(text, sizeof(text), "%llu", bytes);
	end_group();
	if (mkdir(GROUP_DIR, 0755))
		return false;
	/* There need be no swap. */
	write_group("memory.swap.max", "0");
	return write_group("memory.max", text);
}

bool join_group_as(const struct identity *who)
{
	/* Whether one may join is a matter of who opens it. */
	int fd = open(GROUP_DIR "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	bool joined;

	if (fd < 0)
		return false;
	joined = be(who) && write(fd, "0", 1) == 1;
	close(fd);
	return joined;
}

bool join_group(void)
{
	return join_group_as(&(struct identity){});
}

static long long read_group(const char *name, const char *format)
{
	FILE *file = fopen(name, "re");
	long long number = -1;
	char line[64];

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, format, &number);
	if (file)
		fclose(file);
	return number;
}

long group_kills(void)
{
	return read_group(GROUP_DIR "/memory.events", "oom_kill %lld");
}

long long group_kernel_bytes(void)
{
	return read_group(GROUP_DIR "/memory.stat", "kernel %lld");
}

void end_group(void)
{
	rmdir(GROUP_DIR);
}
