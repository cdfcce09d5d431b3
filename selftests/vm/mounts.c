// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's file systems. Its root is the host's, read-only, under a tmpfs
 * that takes what is written and vanishes with the guest. The host's tree
 * comes over 9p, or in user-mode Linux through hostfs; the command line says
 * which, and init gets that as environment variables.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

static bool mount_at(const char *source, const char *target, const char *type,
		     unsigned long flags, const char *data)
{
	mkdir(target, 0755);
	if (!mount(source, target, type, flags, data))
		return true;
	fail("cannot mount %s at %s: %s", type, target, strerror(errno));
	return false;
}

/*
 * Mounts a directory of the host. @tag is its name over 9p; @path, its path on
 * the host, is what hostfs needs.
 */
static bool mount_host(const char *tag, const char *path, const char *target,
		       unsigned long flags)
{
	if (path)
		return mount_at("none", target, "hostfs", flags, path);
	/*
	 * The host's own files do not change while they are the root, so they
	 * are cached; what the guest writes for the host is not.
	 */
	return mount_at(tag, target, "9p", flags,
			flags & MS_RDONLY ?
			"trans=virtio,version=9p2000.L,msize=262144,cache=loose" :
			"trans=virtio,version=9p2000.L,msize=262144,cache=none");
}

static bool mount_root(void)
{
	if (!mount_host("root", getenv("shmzone_run") ? "/" : NULL, "/lower", MS_RDONLY) ||
	    !mount_at("tmpfs", "/upper", "tmpfs", 0, "mode=0755,size=75%"))
		return false;
	mkdir("/upper/data", 0755);
	mkdir("/upper/work", 0755);
	return mount_at("overlay", "/root", "overlay", 0,
			"lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work");
}

bool mount_all(void)
{
	static const struct {
		const char *type, *target, *data;
		bool needed;
	} list[] = {
		{ "proc", "/proc", NULL, true },
		{ "sysfs", "/sys", NULL, true },
		{ "devtmpfs", "/dev", "mode=0755", true },
		{ "devpts", "/dev/pts", "ptmxmode=0666,mode=0620", true },
		{ "tmpfs", "/dev/shm", "mode=1777", true },
		{ "tmpfs", "/run", "mode=0755", true },
		{ "mqueue", "/dev/mqueue", NULL, false },
		{ "debugfs", "/sys/kernel/debug", NULL, false },
		{ "tracefs", "/sys/kernel/tracing", NULL, false },
		{ "cgroup2", "/sys/fs/cgroup", NULL, false },
	};

	load_boot_modules();
	if (!mount_root())
		return false;
	/* Moved over the old root: who is merely chrooted gets no user namespace. */
	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))
		return false;

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		mkdir(list[i].target, 0755);
		if (mount(list[i].type, list[i].target, list[i].type, 0, list[i].data) &&
		    list[i].needed) {
			fail("cannot mount %s: %s", list[i].target, strerror(errno));
			return false;
		}
	}
	symlink("/proc/self/fd", "/dev/fd");
	symlink("fd/0", "/dev/stdin");
	symlink("fd/1", "/dev/stdout");
	symlink("fd/2", "/dev/stderr");
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids");

	if (getenv("shmzone_out") &&
	    !mount_host("out", getenv("shmzone_run") ? getenv("shmzone_out") : NULL, OUT_DIR, 0))
		return false;
	return mount_host("run", getenv("shmzone_run"), RUN_DIR, 0);
}
