// SPDX-License-Identifier: GPL-2.0
/*
 * The matrix: processes that begin and end with a mapping, core dumps, and a
 * mapping that is all that is left of a zone.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "matrix.h"

/* In a child: reads, writes if it may, and takes a part away. */
static int use(void *arg)
{
	const struct cell *c = arg;

	if (touch_read(c->at) || touch_write(c->at) != (c->writable ? 0 : SIGSEGV))
		return 1;
	if (!mprotect(c->at, c->page, RW) != c->writable)
		return 2;
	return madvise(c->map, c->page, MADV_DONTNEED) || unmap_part(c);
}

static int fork_it(const struct cell *c, int arg)
{
	if (in_child(use, (void *)c))
		return NO;
	if (touch_read(hole_of(c)) != hole_signal(c))
		return _wrong("unmapped in the parent too");
	return 0;
}

static int clone_with(const struct cell *c, int flags)
{
	size_t bytes = 64 * KIB;
	char *stack = malloc(bytes);
	pid_t pid = clone(use, stack + bytes, flags | SIGCHLD, (void *)c);

	if (end_child(pid))
		return NO;
	/* One address space: what it unmapped is gone here. */
	return touch_read(hole_of(c)) == SIGSEGV ? 0 : NO;
}

static int vfork_it(const struct cell *c, int arg)
{
	char before = *c->at;
	pid_t pid = vfork();

	if (!pid)
		_exit(*(volatile char *)c->at != before);
	return end_child(pid) ? NO : touch_read(c->at);
}

static int vfork_and_exec(const struct cell *c, int arg)
{
	pid_t pid = vfork();

	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	return end_child(pid) ? NO : touch_read(c->at);
}

static int exec_it(void *arg)
{
	execl("/bin/true", "true", NULL);
	return 1;
}

static int fork_and_exec(const struct cell *c, int arg)
{
	return in_child(exec_it, NULL) ? NO : touch_read(c->at);
}

static int wait_for_the_end(void *arg)
{
	return pause();
}

static int kill_child(const struct cell *c, int arg)
{
	pid_t pid = start_child(wait_for_the_end, NULL);

	kill(pid, SIGKILL);
	return end_child(pid) == -SIGKILL ? touch_read(c->at) : NO;
}

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

static bool put_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	bool done = file >= 0 && write(file, text, strlen(text)) >= 0;

	close(file);
	return done;
}

static int crash(void *arg)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	alarm(0);
	if (setrlimit(RLIMIT_CORE, &all))
		return 1;
	/* Everything that /proc/PID/coredump_filter can include. */
	put_text("/proc/self/coredump_filter", "0x1ff");
	prctl(PR_SET_DUMPABLE, 1);
	raise(SIGSEGV);
	return 0;
}

/* Bytes that the core has of the mapping; -1 if it does not know of it. */
static long dumped_bytes(const char *path, const char *map)
{
	FILE *core = fopen(path, "re");
	Elf64_Phdr segment;
	Elf64_Ehdr head;
	long bytes = -1;
	int i;

	if (!core || fread(&head, sizeof(head), 1, core) != 1)
		return -1;
	fseek(core, head.e_phoff, SEEK_SET);
	for (i = 0; i < head.e_phnum; i++)
		if (fread(&segment, sizeof(segment), 1, core) == 1 &&
		    segment.p_type == PT_LOAD && segment.p_vaddr == (uintptr_t)map)
			bytes = segment.p_filesz;
	fclose(core);
	return bytes;
}

static __u64 resident(const struct cell *c)
{
	struct shmzone_stat stat;

	return _try_stat(c->zone, &stat) ? 0 : stat.out_resident_bytes;
}

/* "no" is that the core has nothing of it, and made nothing resident. */
static int dump_core(const struct cell *c, int dodump)
{
	char pattern[256] = "core", path[64];
	FILE *file = fopen(CORE_PATTERN, "re");
	__u64 before = resident(c);
	long bytes;
	int status;
	pid_t pid;

	if (!file || !fgets(pattern, sizeof(pattern), file) ||
	    !put_text(CORE_PATTERN, "/tmp/selftest-core-%p"))
		return ABSENT;
	fclose(file);
	if (dodump)
		madvise(c->map, c->bytes, MADV_DODUMP);
	pid = start_child(crash, NULL);
	waitpid(pid, &status, 0);
	put_text(CORE_PATTERN, pattern);
	if (!WIFSIGNALED(status) || !WCOREDUMP(status))
		return ABSENT;
	snprintf(path, sizeof(path), "/tmp/selftest-core-%d", pid);
	bytes = dumped_bytes(path, c->map);
	unlink(path);
	if (bytes < 0)
		return _wrong("the core does not list the mapping");
	if (resident(c) != before)
		return _wrong("the dump made pages resident");
	return bytes ? 0 : NO;
}

/* Nobody has a descriptor any more: only this VMA keeps zone and module. */
static int unload(const struct cell *c, int arg)
{
	int i;

	close(c->fd);
	close_range(3, ~0U, 0);
	usleep(200000);
	for (i = 0; i < 3; i++) {
		if (!syscall(SYS_delete_module, "shmzone", O_NONBLOCK))
			return 0;
		usleep(10000);
	}
	i = errno;
	if (touch_read(c->at) || touch_read(hole_of(c)) != hole_signal(c))
		return _wrong("not readable any more");
	return -i;
}

const struct action processes[] = {
	{ "`fork`", fork_it },
	{ "`vfork`", vfork_it },
	{ "`clone` with `CLONE_VM`", clone_with, CLONE_VM },
	{ "`clone` with `CLONE_VM` and `CLONE_VFORK`", clone_with, CLONE_VM | CLONE_VFORK },
	{ "`clone` with `CLONE_VM` and `CLONE_FILES`", clone_with, CLONE_VM | CLONE_FILES },
	{ "`exec` after `fork`", fork_and_exec },
	{ "`exec` after `vfork`", vfork_and_exec },
	{ "`SIGKILL` of a child", kill_child },
	{ "core dump", dump_core, false },
	{ "core dump after `MADV_DODUMP`", dump_core, true },
	{ "unloading the module when nothing else is left", unload, 0, .alone = true },
	{}
};
