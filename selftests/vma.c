// SPDX-License-Identifier: GPL-2.0
/*
 * Everything else that a program can do to a mapping: mremap and madvise with
 * every argument. Most of it is the kernel's business; what is asked here is
 * that nothing breaks, that no object's content is lost, that the zone can be
 * used on, and that it goes when all is unmapped.
 */
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(16 * MIB)
#define MAP_BYTES	(8 * MIB)
#define OBJECT_BYTES	20000
#define RW		(PROT_READ | PROT_WRITE)

FIXTURE(vma) {
	__u64 zones;
	__u64 object;
	size_t page;
	size_t bytes;		/* mapped at .map */
	char *map;
	int control;
	int zone;
	int fd;
};

FIXTURE_VARIANT(vma) {
	bool page_map;
	bool read_only;
};

FIXTURE_VARIANT_ADD(vma, data_writable) {
	.page_map = false,
	.read_only = false,
};

FIXTURE_VARIANT_ADD(vma, data_read_only) {
	.read_only = true,
};

FIXTURE_VARIANT_ADD(vma, page_map) {
	.page_map = true,
	.read_only = true,
};

FIXTURE_SETUP(vma)
{
	const char *name = fresh_name();
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.zone_bytes = ZONE_BYTES,
		NAMED(name),
		.mode = 0600,
	};
	struct shmzone_info zones;
	char *data;

	self->page = page_bytes();
	self->control = control_fd();
	info(self->control, &zones);
	self->zones = zones.out_zones;
	self->zone = call(self->control, SHMZONE_CREATE, &args);
	self->fd = open_zone(self->control, name,
			     variant->read_only ? SHMZONE_OPEN_RDONLY : 0);
	self->object = alloc(self->zone, OBJECT_BYTES);
	data = map_data_ok(self->zone, MAP_BYTES, RW);
	fill_pattern(data + self->object, OBJECT_BYTES, 5);
	ASSERT_EQ(0, munmap(data, MAP_BYTES));

	self->bytes = variant->page_map ? ZONE_BYTES / self->page * 4 : MAP_BYTES;
	self->map = mmap(NULL, self->bytes, variant->read_only ? PROT_READ : RW,
			 MAP_SHARED, self->fd,
			 variant->page_map ? SHMZONE_MMAP_PAGE_MAP : 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, touch_read(self->map + self->page));
}

static bool object_is_there(int zone, __u64 object)
{
	char *data = map_data(zone, MAP_BYTES, PROT_READ);
	bool there;

	if (data == MAP_FAILED)
		return false;
	there = has_pattern(data + object, OBJECT_BYTES, 5);
	munmap(data, MAP_BYTES);
	return there;
}

/* Whatever was done: the zone works, and goes with its last user. */
FIXTURE_TEARDOWN(vma)
{
	EXPECT_TRUE(object_is_there(self->zone, self->object));
	alloc(self->zone, 100);
	free_at(self->zone, self->object);
	munmap(self->map, self->bytes);
	close(self->fd);
	close(self->zone);
	EXPECT_TRUE(zones_become(self->control, self->zones));
	close(self->control);
}

/* Reads as it must: the object's pages, or their entries. */
static bool shows_the_zone(FIXTURE_DATA(vma) *self, bool page_map, const char *map)
{
	const __u32 *entries = (const __u32 *)map;

	if (page_map)
		return SHMZONE_PAGE_KIND(entries[self->object / self->page]) ==
		       SHMZONE_KIND_SLAB;
	return has_pattern(map + self->object, OBJECT_BYTES, 5);
}

TEST_F(vma, mremap_moves)
{
	char *moved = mremap(self->map, self->bytes, self->bytes, MREMAP_MAYMOVE);
	char *space = mmap(NULL, self->bytes, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(self->map, moved);
	moved = mremap(self->map, self->bytes, self->bytes,
		       MREMAP_MAYMOVE | MREMAP_FIXED, space);
	ASSERT_EQ(space, moved);
	self->map = moved;
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, moved));
}

TEST_F(vma, mremap_moves_a_part)
{
	char *space = mmap(NULL, self->page, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(space, mremap(self->map + self->page, self->page, self->page,
				MREMAP_MAYMOVE | MREMAP_FIXED, space));
	ASSERT_EQ(0, touch_read(space));
	ASSERT_EQ(SIGSEGV, touch_read(self->map + self->page));
	ASSERT_EQ(0, munmap(space, self->page));
}

TEST_F(vma, mremap_does_not_grow)
{
	char *before = self->map;

	self->map = mremap(before, self->bytes, 2 * self->bytes, MREMAP_MAYMOVE);
	ASSERT_EQ(MAP_FAILED, self->map);
	ASSERT_EQ(EFAULT, errno);
	self->map = before;
	ASSERT_EQ(MAP_FAILED, mremap(self->map, self->page, 2 * self->page,
				     MREMAP_MAYMOVE));
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
}

TEST_F(vma, mremap_shrinks)
{
	ASSERT_EQ(self->map, mremap(self->map, self->bytes, 2 * self->page, 0));
	ASSERT_EQ(0, touch_read(self->map + self->page));
	ASSERT_EQ(SIGSEGV, touch_read(self->map + 2 * self->page));
}

TEST_F(vma, mremap_old_len_0_makes_no_second_mapping)
{
	char *copy = mremap(self->map, 0, self->page, MREMAP_MAYMOVE);

	/* It would be growth; were it allowed, it would have to behave. */
	if (copy == MAP_FAILED)
		return;
	ASSERT_EQ(0, touch_read(copy));
	ASSERT_EQ(0, munmap(copy, self->page));
}

TEST_F(vma, mremap_dontunmap)
{
	char *copy = mremap(self->map, self->bytes, self->bytes,
			    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	if (copy == MAP_FAILED)
		return;
	ASSERT_EQ(0, touch_read(copy + self->page));
	ASSERT_EQ(0, touch_read(self->map + self->page));
	ASSERT_EQ(0, munmap(copy, self->bytes));
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/*
 * Not among them are MADV_HWPOISON and MADV_SOFT_OFFLINE (100 and 101): they
 * would test how the kernel loses pages, and leave the machine without them.
 */
static const int all_advice[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
	20, 21, 22, 23, 24, 25, 26, 27, 99, 1000, -1,
};

TEST_F(vma, every_advice)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all_advice); i++) {
		madvise(self->map, self->bytes, all_advice[i]);
		ASSERT_EQ(0, touch_read(self->map));
		ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
		ASSERT_TRUE(object_is_there(self->zone, self->object));
	}
}

TEST_F(vma, every_advice_on_a_part)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all_advice); i++) {
		madvise(self->map + self->page, self->page, all_advice[i]);
		ASSERT_EQ(0, touch_read(self->map + self->page));
		ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
	}
}

TEST_F(vma, every_advice_by_process_madvise)
{
	struct iovec part = { .iov_base = self->map, .iov_len = self->bytes };
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	size_t i;

	ASSERT_LE(0, pidfd);
	for (i = 0; i < ARRAY_SIZE(all_advice); i++) {
		syscall(SYS_process_madvise, pidfd, &part, 1, all_advice[i], 0);
		ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
	}
}

TEST_F(vma, remove_punches_nothing)
{
	ASSERT_EQ(-1, madvise(self->map, self->bytes, MADV_REMOVE));
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
}

TEST_F(vma, dodump_is_refused)
{
	ASSERT_EQ(-1, madvise(self->map, self->bytes, MADV_DODUMP));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(0, madvise(self->map, self->bytes, MADV_DONTDUMP));
}

static int expect_nothing_there(void *arg)
{
	return touch_read(*(char **)arg) == SIGSEGV ? 0 : 1;
}

TEST_F(vma, dontfork)
{
	ASSERT_EQ(0, madvise(self->map, self->bytes, MADV_DONTFORK));
	ASSERT_EQ(0, in_child(expect_nothing_there, &self->map));
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
}

static int use_and_unmap(void *arg)
{
	FIXTURE_DATA(vma) *self = arg;

	if (touch_read(self->map) || touch_read(self->map + self->page))
		return 1;
	if (munmap(self->map + self->page, self->page))
		return 2;
	if (madvise(self->map, self->page, MADV_DONTNEED))
		return 3;
	return touch_read(self->map);
}

TEST_F(vma, fork_has_a_mapping_of_its_own)
{
	int i;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, in_child(use_and_unmap, self));
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
}

TEST_F(vma, vfork_shares_it)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(*(volatile char *)self->map == 1 ? 1 : 0);
	ASSERT_EQ(0, end_child(pid));
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
}

TEST_F(vma, locked_and_unlocked)
{
	ASSERT_EQ(0, mlock(self->map, self->bytes));
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
	ASSERT_EQ(0, munlock(self->map, self->bytes));
	ASSERT_EQ(0, syscall(SYS_mlock2, self->map, self->bytes, 1));
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	ASSERT_EQ(0, munlockall());
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
}

TEST_F(vma, msync_and_mincore)
{
	unsigned char *present = malloc(self->bytes / self->page);

	ASSERT_EQ(0, msync(self->map, self->bytes, MS_SYNC));
	ASSERT_EQ(0, msync(self->map, self->bytes, MS_ASYNC));
	ASSERT_EQ(0, msync(self->map, self->bytes, MS_INVALIDATE));
	ASSERT_EQ(0, mincore(self->map, self->bytes, present));
	free(present);
}

TEST_F(vma, numa_policy)
{
	unsigned long nodes = 1;

	/* MPOL_BIND with MPOL_MF_MOVE; kernels without NUMA have none of it. */
	syscall(SYS_mbind, self->map, self->bytes, 2, &nodes, 2, 2);
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
	syscall(SYS_migrate_pages, 0, 2, &nodes, &nodes);
	ASSERT_TRUE(shows_the_zone(self, variant->page_map, self->map));
}

TEST_HARNESS_MAIN
