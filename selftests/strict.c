// SPDX-License-Identifier: GPL-2.0
/*
 * Strict zones: what is not allocated cannot be touched by any way, what is
 * freed is gone at once, and the limit holds whatever is touched.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(64 * MIB)
#define LIMIT_BYTES	(4 * MIB)
#define RW		(PROT_READ | PROT_WRITE)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

FIXTURE(strict) {
	char *data;
	size_t page;
	int control;
	int zone;
};

FIXTURE_VARIANT(strict) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(strict, alone) {
	.kind = SHMZONE_CREATE_STRICT,
};

FIXTURE_VARIANT_ADD(strict, and_committed) {
	.kind = SHMZONE_CREATE_STRICT | SHMZONE_CREATE_COMMITTED,
};

FIXTURE_SETUP(strict)
{
	self->page = page_bytes();
	self->control = control_fd();
	self->zone = create_kind(self->control, variant->kind, ZONE_BYTES, LIMIT_BYTES);
	self->data = map_data_ok(self->zone, ZONE_BYTES, RW);
}

/* Resident beyond what is taken are at most pages that faults are at work on. */
FIXTURE_TEARDOWN(strict)
{
	struct shmzone_stat stat = stat_of(self->zone);

	EXPECT_LE(stat.out_resident_bytes + stat.out_swapped_bytes, stat.out_taken_bytes);
	EXPECT_TRUE(zone_consistent(self->zone));
	munmap(self->data, ZONE_BYTES);
	close(self->zone);
	close(self->control);
}

#define is_hole(address)						\
do {									\
	ASSERT_EQ(SIGBUS, touch_read(address));				\
	ASSERT_EQ(SIGBUS, touch_write(address));			\
} while (0)

#define is_memory(address)						\
do {									\
	ASSERT_EQ(0, touch_read(address));				\
	ASSERT_EQ(0, touch_write(address));				\
} while (0)

TEST_F(strict, only_what_is_allocated_can_be_touched)
{
	__u64 span = alloc(self->zone, 40 * self->page), at;

	/* All pages around it, and some of the others. */
	for (at = 0; at < ZONE_BYTES; at += (at < MIB ? 1 : 16) * self->page) {
		if (at >= span && at < span + 40 * self->page)
			is_memory(self->data + at);
		else
			is_hole(self->data + at);
	}
	ASSERT_EQ(40 * self->page, stat_of(self->zone).out_resident_bytes);
}

TEST_F(strict, page_0_and_the_last_are_holes)
{
	is_hole(self->data);
	is_hole(self->data + ZONE_BYTES - 1);
	ASSERT_EQ(0, stat_of(self->zone).out_resident_bytes);
}

TEST_F(strict, slabs_can_be_touched_as_a_whole)
{
	__u64 slot = alloc(self->zone, 100), other = alloc(self->zone, 100);

	is_memory(self->data + slot);
	free_at(self->zone, slot);
	/* Its page is still part of a slab with a live slot. */
	is_memory(self->data + slot);
	is_memory(self->data + other);
	free_at(self->zone, other);
	ASSERT_TRUE(slabs_become(self->zone, 0));
	while (stat_of(self->zone).out_taken_bytes)
		usleep(1000);
	is_hole(self->data + slot);
	ASSERT_EQ(0, stat_of(self->zone).out_resident_bytes);
}

TEST_F(strict, freed_it_is_a_hole_at_once)
{
	__u64 offset;
	int i;

	for (i = 1; i < 30; i++) {
		offset = alloc(self->zone, i * 9 * self->page);
		fill_pattern(self->data + offset, i * 9 * self->page, i);
		free_at(self->zone, offset);
		ASSERT_EQ(0, stat_of(self->zone).out_resident_bytes);
		is_hole(self->data + offset);
		is_hole(self->data + offset + (i * 9 - 1) * self->page);
	}
}

TEST_F(strict, allocated_again_it_is_zero)
{
	__u64 first = alloc(self->zone, MIB), again;

	fill_pattern(self->data + first, MIB, 1);
	free_at(self->zone, first);
	again = alloc(self->zone, MIB);
	ASSERT_EQ(first, again);
	ASSERT_TRUE(all_bytes(self->data + again, MIB, 0));
}

TEST_F(strict, batches_of_spans)
{
	__u64 offsets[70];
	int i;

	alloc_objects(self->zone, 10 * self->page, 70, offsets);
	for (i = 0; i < 70; i++)
		memset(self->data + offsets[i], 1, 10 * self->page);
	/* All but one, and one of them twice. */
	offsets[0] = offsets[1];
	ASSERT_EQ(69, _try_free_all(self->zone, offsets, 70));
	ASSERT_EQ(10 * self->page, stat_of(self->zone).out_resident_bytes);
	for (i = 0; i < 70; i++)
		is_hole(self->data + offsets[i]);
}

TEST_F(strict, read_only_descriptors_touch_no_holes)
{
	int reader = reopen(self->zone, SHMZONE_OPEN_RDONLY);
	char *data = map_data_ok(reader, ZONE_BYTES, PROT_READ);
	__u64 offset = alloc(self->zone, MIB);

	ASSERT_EQ(SIGBUS, touch_read(data));
	ASSERT_EQ(0, touch_read(data + offset));
	free_at(self->zone, offset);
	ASSERT_EQ(SIGBUS, touch_read(data + offset));
}

TEST_F(strict, system_calls_touch_no_holes)
{
	char *hole = self->data + 20 * MIB, bytes[16] = "";
	struct iovec here = { .iov_base = bytes, .iov_len = 16 };
	struct iovec there = { .iov_base = hole, .iov_len = 16 };
	int memory = not_negative(open("/proc/self/mem", O_RDWR));
	int null = not_negative(open("/dev/zero", O_RDWR));
	int pipes[2];

	ASSERT_EQ(-1, process_vm_readv(getpid(), &here, 1, &there, 1, 0));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(-1, process_vm_writev(getpid(), &here, 1, &there, 1, 0));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(-1, pread(memory, bytes, 16, (uintptr_t)hole));
	ASSERT_EQ(EIO, errno);
	ASSERT_EQ(-1, pwrite(memory, bytes, 16, (uintptr_t)hole));
	ASSERT_EQ(EIO, errno);
	ASSERT_EQ(-1, read(null, hole, 16));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(-1, write(pipes[1], hole, 16));
	ASSERT_EQ(EFAULT, errno);
	there.iov_base = self->data + alloc(self->zone, MIB);
	ASSERT_EQ(16, process_vm_writev(getpid(), &here, 1, &there, 1, 0));
	ASSERT_EQ(16, pread(memory, bytes, 16, (uintptr_t)there.iov_base));
}

TEST_F(strict, commands_touch_no_holes)
{
	__u64 *hole = (__u64 *)(self->data + 20 * MIB);

	fail_alloc(EFAULT, self->zone, 100, 1, hole);
	ASSERT_EQ(-EFAULT, _try_free_all(self->zone, hole, 1));
	fail_call(EFAULT, self->zone, SHMZONE_STAT, hole);
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

TEST_F(strict, holes_are_not_populated)
{
	__u64 offset = alloc(self->zone, MIB), taken = stat_of(self->zone).out_taken_bytes;
	char *map;

	ASSERT_EQ(-1, madvise(self->data, ZONE_BYTES, MADV_POPULATE_READ));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(-1, madvise(self->data + 20 * MIB, MIB, MADV_POPULATE_WRITE));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(0, madvise(self->data + offset, MIB, MADV_POPULATE_WRITE));
	ASSERT_EQ(-1, mlock(self->data, ZONE_BYTES));
	ASSERT_EQ(0, munlock(self->data, ZONE_BYTES));
	ASSERT_EQ(0, mlock(self->data + offset, MIB));
	map = mmap(NULL, ZONE_BYTES, RW, MAP_SHARED | MAP_POPULATE, self->zone, 0);
	ASSERT_NE(MAP_FAILED, map);
	mlockall(MCL_CURRENT);
	munlockall();
	is_hole(map);
	is_memory(map + offset);
	ASSERT_GE(taken, stat_of(self->zone).out_resident_bytes);
	/* Locked or not. */
	ASSERT_EQ(0, mlock(self->data + offset, MIB));
	free_at(self->zone, offset);
	is_hole(self->data + offset);
}

TEST_F(strict, advice_makes_no_memory)
{
	__u64 offset = alloc(self->zone, MIB);
	int advice;

	fill_pattern(self->data + offset, MIB, 9);
	for (advice = 0; advice < 30; advice++) {
		madvise(self->data, ZONE_BYTES, advice);
		is_hole(self->data + ZONE_BYTES / 2);
		ASSERT_GE(stat_of(self->zone).out_taken_bytes,
			  stat_of(self->zone).out_resident_bytes);
	}
	ASSERT_EQ(0, madvise(self->data, ZONE_BYTES, MADV_NOHUGEPAGE));
	ASSERT_EQ(0, madvise(self->data, ZONE_BYTES, MADV_DOFORK));
	ASSERT_TRUE(has_pattern(self->data + offset, MIB, 9));
}

static bool set_huge(const char *when)
{
	int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_WRONLY);
	bool done = fd >= 0 && write(fd, when, strlen(when)) > 0;

	close(fd);
	return done;
}

/* No matter who wants them. */
TEST_F(strict, huge_pages_show_no_holes)
{
	static const char *const when[] = { "advise", "within_size", "always", "force" };
	__u64 offset, at;
	int i;

	for (i = 0; i < 4; i++) {
		if (!set_huge(when[i]))
			SKIP(return, "no huge pages for shared memory");
		ASSERT_EQ(0, madvise(self->data, ZONE_BYTES,
				     i ? MADV_NOHUGEPAGE : MADV_HUGEPAGE));
		if (_try_alloc(self->zone, 3 * MIB, 1, &offset) == 1) {
			for (at = 0; at < ZONE_BYTES; at += 64 * KIB)
				if (at < offset || at >= offset + 3 * MIB)
					is_hole(self->data + at);
				else
					touch_write(self->data + at);
			free_at(self->zone, offset);
		}
		ASSERT_EQ(0, stat_of(self->zone).out_resident_bytes);
	}
	set_huge("never");
	ASSERT_EQ(0, madvise(self->data, ZONE_BYTES, MADV_NOHUGEPAGE));
}

TEST_F(strict, userfaultfd_fills_no_holes)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { .start = to_u64(self->data), .len = ZONE_BYTES },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
	ASSERT_EQ(-1, ioctl(fd, UFFDIO_REGISTER, &range));
}

TEST_F(strict, moved_and_remapped)
{
	__u64 offset = alloc(self->zone, MIB);
	char *space = mmap(NULL, ZONE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	fill_pattern(self->data + offset, MIB, 2);
	self->data = mremap(self->data, ZONE_BYTES, ZONE_BYTES,
			    MREMAP_MAYMOVE | MREMAP_FIXED, space);
	ASSERT_EQ(space, self->data);
	ASSERT_TRUE(has_pattern(self->data + offset, MIB, 2));
	is_hole(self->data);
	/* Another page of the zone in the place of this one. */
	if (!syscall(SYS_remap_file_pages, self->data + offset, self->page, 0,
		     ZONE_BYTES / self->page - 1, 0))
		is_hole(self->data + offset);
	free_at(self->zone, offset);
	is_hole(self->data + offset + self->page);
}

struct peer {
	char *data;
	int zone;
	__u64 offset;
	bool elsewhere;
};

static int look_on(void *arg)
{
	const struct peer *peer = arg;

	if (peer->elsewhere && !enter_user_namespace(CLONE_NEWIPC))
		return 254;
	if (!become(STRANGER, STRANGER))
		return 255;
	if (touch_read(peer->data) != SIGBUS || touch_write(peer->data) != SIGBUS)
		return 1;
	if (touch_write(peer->data + peer->offset))
		return 2;
	if (_try_free_at(peer->zone, peer->offset) != 1)
		return 3;
	return touch_read(peer->data + peer->offset) == SIGBUS ? 0 : 4;
}

/* An ordinary user, after a fork, and in other namespaces too. */
TEST_F(strict, children_are_held_to_it)
{
	struct peer peer = { self->data, self->zone };
	int ret = 0, i;

	for (i = 0; i < 2 && !ret; i++) {
		peer.elsewhere = i;
		peer.offset = alloc(self->zone, MIB);
		is_memory(self->data + peer.offset);
		ret = in_child(look_on, &peer);
		if (!ret)
			is_hole(self->data + peer.offset);
	}
	if (ret == 254)
		SKIP(return, "no user namespaces");
	ASSERT_EQ(0, ret);
}

/* A zone of one's own there. */
static int make_and_use(void *arg)
{
	const FIXTURE_VARIANT(strict) *variant = arg;
	int control = _try_control(), zone;
	__u64 offset, more;
	char *data;

	if (!enter_user_namespace(CLONE_NEWIPC))
		return 254;
	zone = _try_create_kind(control, variant->kind, MIB, 64 * KIB);
	data = map_data(zone, MIB, RW);
	if (data == MAP_FAILED || _try_alloc(zone, 64 * KIB, 1, &offset) != 1)
		return 1;
	if (_try_alloc(zone, 8, 1, &more) != -ENOMEM)
		return 2;
	if (touch_write(data + offset) || touch_read(data) != SIGBUS ||
	    touch_write(data + MIB - 1) != SIGBUS)
		return 3;
	return _try_free_at(zone, offset) == 1 && touch_read(data + offset) == SIGBUS ? 0 : 4;
}

TEST_F(strict, made_in_other_namespaces)
{
	int ret = in_child(make_and_use, (void *)variant);

	if (ret == 254)
		SKIP(return, "no user namespaces");
	ASSERT_EQ(0, ret);
}

TEST_F(strict, the_kind_is_told)
{
	const char *both = variant->kind & SHMZONE_CREATE_COMMITTED ? "committed,strict" :
								      "strict";
	char text[32];

	ASSERT_EQ(variant->kind, stat_of(self->zone).out_kind);
	ASSERT_TRUE(fdinfo_text(self->zone, "kind", text, sizeof(text)));
	ASSERT_STREQ(both, text);
}

/* Stress: owners take, check, fill and free; others touch all there is. */

static unsigned int seconds_of_stress(void)
{
	return kernel_debugs() ? 8 : 4;
}

static int own(void *arg)
{
	const struct peer *peer = arg;
	time_t end = time(NULL) + seconds_of_stress();
	unsigned int seed = getpid();
	__u64 offset, bytes;

	while (time(NULL) < end) {
		bytes = (9 + rand_r(&seed) % 20) * page_bytes();
		if (_try_alloc(peer->zone, bytes, 1, &offset) != 1)
			continue;
		if (!all_bytes(peer->data + offset, bytes, 0))
			return 1;
		memset(peer->data + offset, seed | 1, bytes);
		if (!all_bytes(peer->data + offset, bytes, seed | 1))
			return 2;
		if (_try_free_at(peer->zone, offset) != 1)
			return 3;
	}
	return 0;
}

static int touch_all(void *arg)
{
	const struct peer *peer = arg;
	time_t end = time(NULL) + seconds_of_stress();
	unsigned int seed = getpid();

	while (time(NULL) < end)
		touch_read(peer->data + rand_r(&seed) % (LIMIT_BYTES / 2));
	return 0;
}

TEST_F(strict, faults_against_frees)
{
	struct peer peer = { self->data, self->zone, 0 };
	__u64 resident_max = 0;
	pid_t child[6];
	int i;

	set_limit(self->zone, MIB);
	for (i = 0; i < 6; i++)
		child[i] = start_child(i % 3 == 2 ? touch_all : own, &peer);
	for (i = 0; i < 200; i++) {
		__u64 resident = stat_of(self->zone).out_resident_bytes;

		if (resident > resident_max)
			resident_max = resident;
		usleep(10 * 1000);
	}
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, end_child(child[i]));
	/* One page at most for each fault under way. */
	ASSERT_GE(MIB + 6 * self->page, resident_max);
	ASSERT_EQ(0, stat_of(self->zone).out_resident_bytes);
}

TEST_HARNESS_MAIN
