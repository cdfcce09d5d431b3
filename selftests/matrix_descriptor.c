// SPDX-License-Identifier: GPL-2.0
/*
 * The matrix: what can be done with the descriptor but mapping it, and with the
 * files that /proc shows for it and for its mapping. All of this is tried by
 * root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "matrix.h"

static int read_it(const struct cell *c, int arg)
{
	char byte;

	return result_of(read(c->fd, &byte, 1));
}

static int write_it(const struct cell *c, int arg)
{
	return result_of(write(c->fd, "x", 1));
}

static int pread_it(const struct cell *c, int arg)
{
	char byte;

	return result_of(pread(c->fd, &byte, 1, c->offset));
}

static int pwrite_it(const struct cell *c, int arg)
{
	return result_of(pwrite(c->fd, "x", 1, c->offset));
}

static int seek(const struct cell *c, int whence)
{
	return result_of(lseek(c->fd, c->offset, whence));
}

static int truncate_to(const struct cell *c, int pages)
{
	return result_of(ftruncate(c->fd, pages * c->page));
}

static int allocate(const struct cell *c, int mode)
{
	return result_of(fallocate(c->fd, mode, c->offset, c->page));
}

static int some_file(const struct cell *c)
{
	int file = memfd_create("matrix", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return ftruncate(file, c->page) ? -1 : file;
}

static int send_from(const struct cell *c, int arg)
{
	off_t at = c->offset;

	return result_of(sendfile(some_file(c), c->fd, &at, 8));
}

static int send_to(const struct cell *c, int arg)
{
	return result_of(sendfile(c->fd, some_file(c), NULL, 8));
}

static int copy_from(const struct cell *c, int arg)
{
	off64_t at = c->offset;

	return result_of(copy_file_range(c->fd, &at, some_file(c), NULL, 8, 0));
}

static int copy_to(const struct cell *c, int arg)
{
	off64_t at = c->offset;

	return result_of(copy_file_range(some_file(c), NULL, c->fd, &at, 8, 0));
}

static int splice_from(const struct cell *c, int arg)
{
	off64_t at = c->offset;
	int ends[2];

	return pipe(ends) ? WRONG : result_of(splice(c->fd, &at, ends[1], NULL, 8, 0));
}

static int splice_to(const struct cell *c, int arg)
{
	int ends[2];

	if (pipe(ends) || write(ends[1], SCRIBBLE, SCRIBBLE_BYTES) != SCRIBBLE_BYTES)
		return WRONG;
	return result_of(splice(ends[0], NULL, c->fd, NULL, 8, 0));
}

static int synchronize(const struct cell *c, int arg)
{
	return result_of(arg ? fdatasync(c->fd) : fsync(c->fd));
}

static int range(const struct cell *c, int arg)
{
	return arg ? -posix_fadvise(c->fd, c->offset, c->page, POSIX_FADV_DONTNEED) :
		     result_of(readahead(c->fd, c->offset, c->page));
}

static int seal(const struct cell *c, int seals)
{
	return result_of(seals ? fcntl(c->fd, F_ADD_SEALS, seals) :
				 fcntl(c->fd, F_GET_SEALS));
}

static int lease(const struct cell *c, int type)
{
	return result_of(fcntl(c->fd, F_SETLEASE, type));
}

/* A lock of the descriptor; the inode is one that all anonymous files share. */
static int lock(const struct cell *c, int arg)
{
	int ret = result_of(flock(c->fd, LOCK_EX | LOCK_NB));

	flock(c->fd, LOCK_UN);
	return ret;
}

static int lock_range(const struct cell *c, int cmd)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int ret = result_of(fcntl(c->fd, cmd, &whole));

	whole.l_type = F_UNLCK;
	fcntl(c->fd, cmd, &whole);
	return ret;
}

static int get_pages(const struct cell *c, int arg)
{
	int block = 0;

	return result_of(ioctl(c->fd, FIBMAP, &block));
}

static int get_flags(const struct cell *c, int arg)
{
	long flags = 0;

	return result_of(ioctl(c->fd, FS_IOC_GETFLAGS, &flags));
}

static int set_flags(const struct cell *c, int arg)
{
	long flags = FS_IMMUTABLE_FL;

	return result_of(ioctl(c->fd, FS_IOC_SETFLAGS, &flags));
}

static int set_extended_flags(const struct cell *c, int arg)
{
	struct fsxattr attr = { .fsx_xflags = FS_XFLAG_IMMUTABLE };

	return result_of(ioctl(c->fd, FS_IOC_FSSETXATTR, &attr));
}

static int clone_from(const struct cell *c, int arg)
{
	return result_of(ioctl(some_file(c), FICLONE, c->fd));
}

static int freeze(const struct cell *c, int arg)
{
	return result_of(ioctl(c->fd, FIFREEZE, 0));
}

static int set_attribute(const struct cell *c, int arg)
{
	return result_of(fsetxattr(c->fd, "user.matrix", "x", 1, 0));
}

static int set_direct(const struct cell *c, int arg)
{
	return result_of(fcntl(c->fd, F_SETFL, O_DIRECT));
}

/* Another process's view of the descriptor. */
static int open_of_peer(const struct cell *c, int flags)
{
	pid_t peer = start_peer();
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", peer, c->fd);
	fd = open(path, flags | O_CLOEXEC);
	ret = result_of(fd);
	end_peer(peer);
	return ret;
}

/* The same open file, by a debugger's right: it has the same rights. */
static int take_over(const struct cell *c, int prot)
{
	pid_t peer = start_peer();
	int pidfd = syscall(SYS_pidfd_open, peer, 0);
	int fd = syscall(SYS_pidfd_getfd, pidfd, c->fd, 0);
	void *map = fd < 0 ? MAP_FAILED : map_over(c, prot, 0, fd);
	int ret = result_of((long)map);

	end_peer(peer);
	return ret;
}

static int execute(const struct cell *c, int arg)
{
	static const char *const words[] = { "zone", NULL };

	return result_of(syscall(SYS_execveat, c->fd, "", words, words, AT_EMPTY_PATH));
}

static int get_handle(const struct cell *c, int arg)
{
	struct {
		struct file_handle head;
		char rest[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	return result_of(name_to_handle_at(c->fd, "", &handle.head, &mount, AT_EMPTY_PATH));
}

/* The file behind the mapping, to which /proc/PID/map_files leads. */
static int open_mapped(const struct cell *c, int flags)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)c->map, (unsigned long)c->map + c->bytes);
	return open(path, flags | O_CLOEXEC);
}

static int mapped_open(const struct cell *c, int flags)
{
	return result_of(open_mapped(c, flags));
}

/* As on any descriptor, or the errno of open. */
#define with_mapped(c, flags, x)					\
({									\
	int fd = open_mapped(c, flags);					\
									\
	fd < 0 ? -errno : result_of(x);					\
})

static int mapped_read(const struct cell *c, int arg)
{
	char byte;

	return with_mapped(c, O_RDONLY, pread(fd, &byte, 1, hole_of(c) - c->map));
}

static int mapped_write(const struct cell *c, int arg)
{
	return with_mapped(c, O_RDWR, pwrite(fd, "x", 1, hole_of(c) - c->map));
}

static int mapped_truncate(const struct cell *c, int pages)
{
	return with_mapped(c, O_RDWR, ftruncate(fd, pages * c->page));
}

static int mapped_punch(const struct cell *c, int arg)
{
	return with_mapped(c, O_RDWR, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						hole_of(c) - c->map, c->page));
}

static int mapped_seal(const struct cell *c, int seals)
{
	return with_mapped(c, O_RDWR, fcntl(fd, F_ADD_SEALS, seals));
}

static int mapped_map(const struct cell *c, int prot)
{
	int fd = open_mapped(c, prot & PROT_WRITE ? O_RDWR : O_RDONLY);
	void *map;

	if (fd < 0)
		return -errno;
	map = mmap(NULL, c->page, prot, MAP_SHARED, fd, c->at - c->map);
	if (map == MAP_FAILED)
		return -errno;
	munmap(map, c->page);
	return 0;
}

#define PUNCH	(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

const struct action descriptor[] = {
	{ "`read`", read_it },
	{ "`write`", write_it },
	{ "`pread`", pread_it },
	{ "`pwrite`", pwrite_it },
	{ "`lseek`", seek, SEEK_SET },
	{ "`lseek` for data", seek, SEEK_DATA },
	{ "`ftruncate` to nothing", truncate_to, 0 },
	{ "`ftruncate` to more", truncate_to, 100000 },
	{ "`fallocate`", allocate, 0 },
	{ "`fallocate` of a hole", allocate, PUNCH },
	{ "`sendfile` from it", send_from },
	{ "`sendfile` to it", send_to },
	{ "`copy_file_range` from it", copy_from },
	{ "`copy_file_range` to it", copy_to },
	{ "`splice` from it", splice_from },
	{ "`splice` to it", splice_to },
	{ "`fsync`", synchronize, 0 },
	{ "`fdatasync`", synchronize, 1 },
	{ "`readahead`", range, 0 },
	{ "`posix_fadvise`", range, 1 },
	{ "`F_GET_SEALS`", seal, 0 },
	{ "`F_ADD_SEALS`", seal, F_SEAL_WRITE },
	{ "`F_SETLEASE` to read", lease, F_RDLCK },
	{ "`F_SETLEASE` to write", lease, F_WRLCK },
	{ "`flock`", lock },
	{ "`F_OFD_SETLK`", lock_range, F_OFD_SETLK },
	{ "`F_SETFL` with `O_DIRECT`", set_direct },
	{ "`FIBMAP`", get_pages },
	{ "`FS_IOC_GETFLAGS`", get_flags },
	{ "`FS_IOC_SETFLAGS`", set_flags },
	{ "`FS_IOC_FSSETXATTR`", set_extended_flags },
	{ "`FICLONE` from it", clone_from },
	{ "`FIFREEZE`", freeze },
	{ "`fsetxattr`", set_attribute },
	{ "`execveat`", execute },
	{ "`name_to_handle_at`", get_handle },
	{ "opening `/proc/PID/fd` to read", open_of_peer, O_RDONLY },
	{ "opening `/proc/PID/fd` to write", open_of_peer, O_RDWR },
	{ "`pidfd_getfd` and `mmap` to read", take_over, PROT_READ },
	{ "`pidfd_getfd` and `mmap` to write", take_over, RW },
	{ "opening `map_files` to read", mapped_open, O_RDONLY },
	{ "opening `map_files` to write", mapped_open, O_RDWR },
	{ "`map_files` `pread`", mapped_read },
	{ "`map_files` `pwrite`", mapped_write },
	{ "`map_files` `ftruncate` to nothing", mapped_truncate, 0 },
	{ "`map_files` `ftruncate` to more", mapped_truncate, 100000 },
	{ "`map_files` `fallocate` of a hole", mapped_punch },
	{ "`map_files` `F_ADD_SEALS`", mapped_seal, F_SEAL_FUTURE_WRITE },
	{ "`map_files` `mmap` to read", mapped_map, PROT_READ },
	{ "`map_files` `mmap` to write", mapped_map, RW },
	{}
};
