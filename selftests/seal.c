// SPDX-License-Identifier: GPL-2.0
/*
 * Seals: what each forbids and what it leaves, that they are for good, and
 * that a seal against writing leaves no way to a new writable mapping.
 */
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "utils.h"

#define RW		(PROT_READ | PROT_WRITE)

static const __u32 all_seals[] = { SHMZONE_SEAL_SEAL, SHMZONE_SEAL_ALLOC,
				   SHMZONE_SEAL_LIMIT, SHMZONE_SEAL_WRITE };

FIXTURE(seal) {
	__u64 object;
	int control;
	int zone;
};

FIXTURE_SETUP(seal)
{
	self->control = control_fd();
	self->zone = create(self->control, MIB);
	self->object = alloc(self->zone, 100);
}

FIXTURE_TEARDOWN(seal)
{
	close(self->zone);
	close(self->control);
}

TEST_F(seal, none_at_first)
{
	ASSERT_EQ(0, get_seals(self->zone));
	add_seals(self->zone, 0);
	ASSERT_EQ(0, get_seals(self->zone));
}

TEST_F(seal, are_only_ever_added)
{
	add_seals(self->zone, SHMZONE_SEAL_ALLOC);
	ASSERT_EQ(SHMZONE_SEAL_ALLOC, get_seals(self->zone));
	add_seals(self->zone, SHMZONE_SEAL_LIMIT);
	ASSERT_EQ(SHMZONE_SEAL_ALLOC | SHMZONE_SEAL_LIMIT, get_seals(self->zone));
	add_seals(self->zone, 0);
	add_seals(self->zone, SHMZONE_SEAL_LIMIT);
	ASSERT_EQ(SHMZONE_SEAL_ALLOC | SHMZONE_SEAL_LIMIT, get_seals(self->zone));
}

TEST_F(seal, seal_against_sealing)
{
	size_t i;

	add_seals(self->zone, SHMZONE_SEAL_SEAL | SHMZONE_SEAL_WRITE);
	fail_add_seals(EPERM, self->zone, 0);
	for (i = 0; i < ARRAY_SIZE(all_seals); i++)
		fail_add_seals(EPERM, self->zone, all_seals[i]);
	ASSERT_EQ(SHMZONE_SEAL_SEAL | SHMZONE_SEAL_WRITE, get_seals(self->zone));
	/* It says nothing on anything else. */
	alloc(self->zone, 100);
	set_limit(self->zone, 2 * page_bytes());
}

TEST_F(seal, seal_against_allocation)
{
	__u64 offset;

	add_seals(self->zone, SHMZONE_SEAL_ALLOC);
	fail_alloc(EPERM, self->zone, 100, 1, &offset);
	fail_alloc(EPERM, self->zone, 100000, 1, &offset);
	set_limit(self->zone, MIB);
	fail_alloc(EPERM, self->zone, 100, 1, &offset);
	ASSERT_NE(MAP_FAILED, map_data(self->zone, MIB, RW));
	free_at(self->zone, self->object);
	fail_alloc(EPERM, self->zone, 100, 1, &offset);
	add_seals(self->zone, SHMZONE_SEAL_WRITE);
}

static int wait_for_more(void *arg)
{
	__u64 offset;

	return -_try_alloc_wait(*(int *)arg, 500 * KIB, 1, 0, &offset);
}

TEST_F(seal, who_waits_for_memory_learns_of_it)
{
	pid_t waiter;

	alloc(self->zone, 600 * KIB);
	waiter = start_child(wait_for_more, &self->zone);
	ASSERT_TRUE(falls_asleep(waiter));
	add_seals(self->zone, SHMZONE_SEAL_ALLOC);
	ASSERT_EQ(EPERM, end_child(waiter));
}

TEST_F(seal, a_malformed_allocation_is_malformed_still)
{
	__u64 offset;

	add_seals(self->zone, SHMZONE_SEAL_ALLOC);
	fail_alloc(EINVAL, self->zone, 0, 1, &offset);
	fail_alloc(EINVAL, self->zone, 100, 0, &offset);
}

TEST_F(seal, seal_against_another_limit)
{
	add_seals(self->zone, SHMZONE_SEAL_LIMIT);
	fail_set_limit(EPERM, self->zone, MIB / 2);
	fail_set_limit(EPERM, self->zone, MIB);
	fail_set_limit(EPERM, self->zone, 0);
	ASSERT_EQ(MIB, stat_of(self->zone).out_limit_bytes);
	alloc(self->zone, 100);
}

TEST_F(seal, seal_against_writing)
{
	char *data;

	add_seals(self->zone, SHMZONE_SEAL_WRITE);
	ASSERT_EQ(MAP_FAILED, map_data(self->zone, MIB, RW));
	ASSERT_EQ(EPERM, errno);
	ASSERT_EQ(MAP_FAILED, map_data(self->zone, MIB, PROT_WRITE));
	ASSERT_EQ(EPERM, errno);
	data = map_data_ok(self->zone, MIB, PROT_READ);
	ASSERT_EQ(-1, mprotect(data, MIB, RW));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(0, touch_read(data));
	ASSERT_EQ(SIGSEGV, touch_write(data));
	/* The rest goes on. */
	alloc(self->zone, 100);
	ASSERT_NE(MAP_FAILED, map_pages(self->zone, MIB, PROT_READ));
	/* PROT_NONE is no way around. */
	data = map_data_ok(self->zone, MIB, PROT_NONE);
	ASSERT_EQ(-1, mprotect(data, MIB, RW));
	ASSERT_EQ(EACCES, errno);
}

TEST_F(seal, mappings_of_before_stay_and_can_what_they_could)
{
	char *writable = map_data_ok(self->zone, MIB, RW);
	char *readable = map_data_ok(self->zone, MIB, PROT_READ);

	add_seals(self->zone, SHMZONE_SEAL_WRITE);
	ASSERT_EQ(0, touch_write(writable));
	ASSERT_EQ(0, mprotect(readable, MIB, RW));
	ASSERT_EQ(0, touch_write(readable + page_bytes()));
	ASSERT_EQ(0, mprotect(writable, MIB, PROT_READ));
	ASSERT_EQ(0, mprotect(writable, MIB, RW));
}

/* It maps the file anew, under all rules of mmap. */
TEST_F(seal, remap_file_pages_after_the_seal)
{
	size_t page = page_bytes();
	char *data = map_data_ok(self->zone, MIB, RW);

	ASSERT_EQ(0, syscall(SYS_remap_file_pages, data, page, 0, 3, 0));
	add_seals(self->zone, SHMZONE_SEAL_WRITE);
	ASSERT_EQ(-1, syscall(SYS_remap_file_pages, data + page, page, 0, 5, 0));
}

TEST_F(seal, all_descriptors_are_under_it)
{
	int other = reopen(self->zone, 0);
	int reader = reopen(self->zone, SHMZONE_OPEN_RDONLY);
	__u64 offset;

	add_seals(self->zone, SHMZONE_SEAL_WRITE | SHMZONE_SEAL_ALLOC);
	ASSERT_EQ(SHMZONE_SEAL_WRITE | SHMZONE_SEAL_ALLOC, get_seals(reader));
	ASSERT_EQ(MAP_FAILED, map_data(other, MIB, RW));
	ASSERT_EQ(EPERM, errno);
	fail_alloc(EPERM, other, 100, 1, &offset);
	/* A descriptor may still be had, and is under it too. */
	other = reopen(self->zone, 0);
	ASSERT_EQ(MAP_FAILED, map_data(other, MIB, RW));
	ASSERT_EQ(EPERM, errno);
	ASSERT_NE(MAP_FAILED, map_data(reader, MIB, PROT_READ));
}

TEST_F(seal, a_read_only_descriptor_lacks_the_right)
{
	int reader = reopen(self->zone, SHMZONE_OPEN_RDONLY);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all_seals); i++)
		fail_add_seals(EACCES, reader, all_seals[i]);
	fail_add_seals(EACCES, reader, 0);
	ASSERT_EQ(0, get_seals(reader));
	/* Nor do they say EPERM to whom they would not say anything else. */
	add_seals(self->zone, SHMZONE_SEAL_WRITE | SHMZONE_SEAL_SEAL);
	fail_add_seals(EACCES, reader, SHMZONE_SEAL_ALLOC);
	ASSERT_EQ(MAP_FAILED, map_data(reader, MIB, RW));
	ASSERT_EQ(EACCES, errno);
}

TEST_F(seal, unknown_seals)
{
	int bit;

	for (bit = 4; bit < 32; bit++)
		fail_add_seals(EOPNOTSUPP, self->zone, 1U << bit | SHMZONE_SEAL_ALLOC);
	ASSERT_EQ(0, get_seals(self->zone));
}

TEST_F(seal, what_a_seal_forbids_is_counted_as_refused)
{
	__u64 before, offset;

	add_seals(self->zone, SHMZONE_SEAL_ALLOC | SHMZONE_SEAL_LIMIT |
			      SHMZONE_SEAL_WRITE | SHMZONE_SEAL_SEAL);
	before = stat_of(self->zone).out_refused_calls;
	fail_alloc(EPERM, self->zone, 100, 1, &offset);
	fail_set_limit(EPERM, self->zone, MIB);
	fail_add_seals(EPERM, self->zone, 0);
	map_data(self->zone, MIB, RW);
	ASSERT_EQ(before + 4, stat_of(self->zone).out_refused_calls);
	ASSERT_EQ(0, stat_of(self->zone).out_failures);
}

static int as_stranger(void *arg)
{
	int zone = *(int *)arg;
	__u64 offset;

	if (!become(STRANGER, STRANGER))
		return 255;
	if (_try_alloc(zone, 100, 1, &offset) != -EPERM)
		return 1;
	return _try_add_seals(zone, SHMZONE_SEAL_WRITE) ? 2 : 0;
}

TEST_F(seal, who_has_the_descriptor_may)
{
	add_seals(self->zone, SHMZONE_SEAL_ALLOC);
	ASSERT_EQ(0, in_child(as_stranger, &self->zone));
	ASSERT_EQ(SHMZONE_SEAL_ALLOC | SHMZONE_SEAL_WRITE, get_seals(self->zone));
}

TEST_HARNESS_MAIN
