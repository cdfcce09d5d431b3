// SPDX-License-Identifier: GPL-2.0
/*
 * What the kselftest programs share, continued: who one is, and what the
 * system's own files say of zones and of the module.
 */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "utils.h"

bool become(uid_t uid, gid_t gid)
{
	/* The files in /proc of a process that changed its user are root's. */
	return !setgroups(0, NULL) && !setresgid(gid, gid, gid) &&
	       !setresuid(uid, uid, uid) && !prctl(PR_SET_DUMPABLE, 1);
}

static bool write_text(const char *path, const char *text)
{
	ssize_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, length) == length;
	close(fd);
	return ok;
}

static bool write_map(pid_t pid, const char *file, unsigned int own_id)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	if (own_id)
		snprintf(text, sizeof(text), "0 %u 1", own_id);
	else
		snprintf(text, sizeof(text), "0 0 65536");
	return write_text(path, text);
}

/* Done from outside, where root may map all users. */
static bool write_maps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
	if (geteuid() && !write_text(path, "deny"))
		return false;
	return write_map(pid, "uid_map", geteuid()) &&
	       write_map(pid, "gid_map", geteuid() ? getegid() : 0);
}

bool enter_user_namespace(int flags)
{
	int ready[2], status = -1;
	pid_t parent = getpid(), pid;
	char byte;

	if (pipe(ready))
		return false;
	pid = fork();
	if (pid == 0) {
		close(ready[1]);
		_exit(read(ready[0], &byte, 1) == 1 && write_maps(parent) ? 0 : 1);
	}
	close(ready[0]);
	if (!unshare(CLONE_NEWUSER | flags) && write(ready[1], "x", 1) != 1)
		abort();
	close(ready[1]);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

bool be(const struct identity *who)
{
	if (who->uid && !become(who->uid, who->uid))
		return false;
	if (who->inside && !enter_user_namespace(CLONE_NEWIPC))
		return false;
	return !who->inner_uid || become(who->inner_uid, who->inner_uid);
}

bool fdinfo_text(int zone, const char *key, char *text, size_t size)
{
	char path[64], line[2048], wanted[64];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", zone);
	snprintf(wanted, sizeof(wanted), "shmzone-%s:\t", key);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		found = !strncmp(line, wanted, strlen(wanted));
		if (found) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(text, size, "%s", line + strlen(wanted));
		}
	}
	if (file)
		fclose(file);
	return found;
}

__u64 fdinfo_number(int zone, const char *key)
{
	char text[64], *end;
	__u64 number;

	if (!fdinfo_text(zone, key, text, sizeof(text)))
		return UINT64_MAX;
	number = strtoull(text, &end, 10);
	return end != text && !*end ? number : UINT64_MAX;
}

static void parameter_path(const char *name, char *path, size_t size)
{
	snprintf(path, size, "/sys/module/shmzone/parameters/%s", name);
}

bool set_parameter(const char *name, unsigned long long value)
{
	char path[128], text[32];

	parameter_path(name, path, sizeof(path));
	snprintf(text, sizeof(text), "%llu", value);
	return write_text(path, text);
}

unsigned long long get_parameter(const char *name)
{
	char path[128], text[32] = "";
	FILE *file;

	parameter_path(name, path, sizeof(path));
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return strtoull(text, NULL, 10);
}
