// SPDX-License-Identifier: GPL-2.0
/*
 * The matrix: where the memory of mappings is, in RAM, on which node, or in
 * swap; and userfaultfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "matrix.h"

/* "yes" is that it is not locked after all: VM_SPECIAL mappings never are. */
static int locks_nothing(const struct cell *c, int ret)
{
	if (ret)
		return -errno;
	return vma_has(c->at, " lo ") ? _wrong("locked in memory") : 0;
}

static int lock(const struct cell *c, int arg)
{
	return locks_nothing(c, mlock(c->map, c->bytes));
}

static int lock_on_fault(const struct cell *c, int arg)
{
	return locks_nothing(c, mlock2(c->map, c->bytes, MLOCK_ONFAULT));
}

static int lock_all(const struct cell *c, int flags)
{
	int ret = locks_nothing(c, mlockall(flags));

	if (ret || !(flags & MCL_FUTURE))
		return ret;
	return map_over(c, c->prot, 0, c->fd) == MAP_FAILED ? -errno : locks_nothing(c, 0);
}

static int unlock(const struct cell *c, int arg)
{
	mlock(c->map, c->bytes);
	return result_of(munlock(c->map, c->bytes));
}

static int unlock_all(const struct cell *c, int arg)
{
	mlockall(MCL_CURRENT);
	return result_of(munlockall());
}

static int synchronize(const struct cell *c, int flags)
{
	return result_of(msync(c->map, c->bytes, flags));
}

static int in_core(const struct cell *c, int arg)
{
	size_t page = (c->at - c->map) / c->page;
	unsigned char *present = calloc(c->bytes / c->page, 1);

	if (mincore(c->map, c->bytes, present))
		return -errno;
	return present[page] & 1 ? 0 : NO;
}

static int populate(const struct cell *c, int arg)
{
	return result_of((long)mmap(c->map, c->bytes, c->prot,
				    MAP_SHARED | MAP_FIXED | MAP_POPULATE, c->fd, c->start));
}

static bool has_numa(void)
{
	return !syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
}

/* result_of() in a kernel that has NUMA: it is asked first. */
#define numa(x)		(has_numa() ? result_of(x) : ABSENT)

static int bind_it(const struct cell *c, int flags)
{
	unsigned long nodes = 1;

	return numa(syscall(SYS_mbind, c->map, c->bytes, MPOL_BIND, &nodes, 8, flags));
}

static int interleave(const struct cell *c, int arg)
{
	unsigned long nodes = 1;

	return numa(syscall(SYS_mbind, c->map, c->bytes, MPOL_INTERLEAVE, &nodes, 8, 0));
}

static int set_policy(const struct cell *c, int arg)
{
	unsigned long nodes = 1;
	int ret = numa(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 8));

	if (ret)
		return ret;
	return touch_read(hole_of(c)) == hole_signal(c) ? 0 : NO;
}

static int get_policy(const struct cell *c, int arg)
{
	int node = -1;

	return numa(syscall(SYS_get_mempolicy, &node, NULL, 0, c->at,
			    MPOL_F_NODE | MPOL_F_ADDR));
}

static bool has_second_node(void)
{
	return !access("/sys/devices/system/node/node1", F_OK);
}

/* Without @move it asks where the page is: the status is a node, or -errno. */
static int move_page(const struct cell *c, int move)
{
	void *page = c->at;
	int node = 1, status = -1;
	int ret;

	if (move && !has_second_node())
		return ABSENT;
	ret = numa(syscall(SYS_move_pages, 0, 1, &page, move ? &node : NULL, &status,
			   move ? MPOL_MF_MOVE_ALL : 0));
	return ret ? ret : status < 0 ? status : 0;
}

static int migrate(const struct cell *c, int arg)
{
	unsigned long from = 1, to = 2;
	long left;

	if (!has_second_node())
		return ABSENT;
	/* How many pages stayed where they were. */
	left = syscall(SYS_migrate_pages, 0, 8, &from, &to);
	return left > 0 ? NO : result_of(left);
}

/* Of the whole mapping; -1 if this kernel's userfaultfd has not got @feature. */
static int faults_to_user(const struct cell *c, __u64 mode, __u64 feature, int *ret)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = {
		.range = { (uintptr_t)c->map, c->bytes },
		.mode = mode,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	*ret = ABSENT;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || (api.features & feature) != feature)
		return -1;
	*ret = result_of(ioctl(fd, UFFDIO_REGISTER, &area));
	return fd;
}

static int missing(const struct cell *c, int arg)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)hole_of(c),
		.len = c->page,
	};
	int ret, fd = faults_to_user(c, UFFDIO_REGISTER_MODE_MISSING,
				     UFFD_FEATURE_MISSING_SHMEM, &ret);
	char *page = mmap(NULL, c->page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ret)
		return ret;
	memset(page, 7, c->page);
	copy.src = (uintptr_t)page;
	ret = result_of(ioctl(fd, UFFDIO_COPY, &copy));
	return ret ? ret : memcmp(hole_of(c), page, c->page) ? NO : 0;
}

static int write_protect(const struct cell *c, int arg)
{
	struct uffdio_writeprotect protect = {
		.range = { (uintptr_t)c->at, c->page },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int ret, fd = faults_to_user(c, UFFDIO_REGISTER_MODE_WP,
				     UFFD_FEATURE_WP_HUGETLBFS_SHMEM, &ret);

	return ret ? ret : result_of(ioctl(fd, UFFDIO_WRITEPROTECT, &protect));
}

static int minor(const struct cell *c, int arg)
{
	int ret;

	faults_to_user(c, UFFDIO_REGISTER_MODE_MINOR, UFFD_FEATURE_MINOR_SHMEM, &ret);
	return ret;
}

/* A disk with a swap area, that nothing else uses; see selftests/vm/run. */
#define SWAP_DISK	"/dev/vda"

static __u64 swapped_bytes(const struct cell *c)
{
	struct shmzone_stat stat;

	return _try_stat(c->zone, &stat) ? 0 : stat.out_swapped_bytes;
}

/* Into swap, and all of it back at once. */
static int swap_out_and_off(const struct cell *c, int arg)
{
	__u64 swapped;

	if (swapon(SWAP_DISK, 0))
		return ABSENT;
	madvise(c->map, c->bytes, MADV_PAGEOUT);
	swapped = swapped_bytes(c);
	if (swapoff(SWAP_DISK))
		return -errno;
	if (swapped_bytes(c))
		return _wrong("something stayed in swap");
	return swapped ? 0 : NO;
}

/* Into swap, and back by touching it. */
static int swap_out_and_touch(const struct cell *c, int arg)
{
	__u64 swapped;
	size_t at;
	int signal;

	if (swapon(SWAP_DISK, 0))
		return ABSENT;
	madvise(c->map, c->bytes, MADV_PAGEOUT);
	swapped = swapped_bytes(c);
	for (at = 0; at < c->bytes; at += c->page) {
		signal = touch_read(c->map + at);
		if (signal && (signal != hole_signal(c) || c->map + at == c->at))
			return _wrong("not readable");
	}
	return swapoff(SWAP_DISK) ? -errno : swapped ? 0 : NO;
}

const struct action memory[] = {
	{ "`mlock`", lock },
	{ "`mlock2` with `MLOCK_ONFAULT`", lock_on_fault },
	{ "`mlockall` of what there is", lock_all, MCL_CURRENT },
	{ "`mlockall` of what will be", lock_all, MCL_CURRENT | MCL_FUTURE },
	{ "`munlock`", unlock },
	{ "`munlockall`", unlock_all },
	{ "`msync` with `MS_SYNC`", synchronize, MS_SYNC },
	{ "`msync` with `MS_ASYNC`", synchronize, MS_ASYNC },
	{ "`msync` with `MS_INVALIDATE`", synchronize, MS_INVALIDATE },
	{ "`mincore`", in_core },
	{ "`MAP_POPULATE`", populate },
	{ "`mbind`", bind_it, 0 },
	{ "`mbind` with `MPOL_MF_STRICT`", bind_it, MPOL_MF_STRICT },
	{ "`mbind` with `MPOL_MF_MOVE`", bind_it, MPOL_MF_MOVE },
	{ "`mbind` to interleave", interleave },
	{ "`set_mempolicy`", set_policy },
	{ "`get_mempolicy`", get_policy },
	{ "`move_pages` to ask", move_page, 0 },
	{ "`move_pages` to another node", move_page, 1 },
	{ "`migrate_pages`", migrate },
	{ "`userfaultfd` of missing pages", missing },
	{ "`userfaultfd` of writes", write_protect },
	{ "`userfaultfd` of minor faults", minor },
	{ "swapping out and `swapoff`", swap_out_and_off },
	{ "swapping out and in", swap_out_and_touch },
	{}
};
