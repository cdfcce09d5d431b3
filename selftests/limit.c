// SPDX-License-Identifier: GPL-2.0
/*
 * SET_LIMIT: the limit is raised and lowered while the zone is in use.
 */
#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(16 * MIB)

FIXTURE(limit) {
	__u64 page;
	char *data;
	int control;
	int zone;
};

FIXTURE_SETUP(limit)
{
	self->page = page_bytes();
	self->control = control_fd();
	self->zone = create_limited(self->control, ZONE_BYTES, MIB);
	self->data = map_data_ok(self->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
}

FIXTURE_TEARDOWN(limit)
{
	munmap(self->data, ZONE_BYTES);
	close(self->zone);
	close(self->control);
}

TEST_F(limit, raised_there_is_room_where_there_was_none)
{
	__u64 first = alloc(self->zone, MIB), second;

	fail_alloc(ENOMEM, self->zone, 1, 1, &second);
	set_limit(self->zone, 2 * MIB);
	ASSERT_EQ(2 * MIB, stat_of(self->zone).out_limit_bytes);
	second = alloc(self->zone, MIB);
	/* Within the mapping from before. */
	memset(self->data + first, 1, MIB);
	memset(self->data + second, 2, MIB);
	fail_alloc(ENOMEM, self->zone, 1, 1, &second);
}

static int wait_for_a_mebibyte(void *arg)
{
	__u64 offset;

	return _try_alloc_wait(*(int *)arg, MIB, 1, 0, &offset) == 1 ? 0 : 1;
}

TEST_F(limit, raised_it_wakes_who_waits)
{
	pid_t waiter;

	alloc(self->zone, MIB);
	waiter = start_child(wait_for_a_mebibyte, &self->zone);
	ASSERT_TRUE(falls_asleep(waiter));
	set_limit(self->zone, 2 * MIB);
	ASSERT_EQ(0, end_child(waiter));
	ASSERT_EQ(2 * MIB, stat_of(self->zone).out_taken_bytes);
}

TEST_F(limit, lowered_what_is_there_stays)
{
	__u64 objects[4], more;
	int i;

	alloc_objects(self->zone, 200 * KIB, 4, objects);
	for (i = 0; i < 4; i++)
		fill_pattern(self->data + objects[i], 200 * KIB, i);
	set_limit(self->zone, self->page);
	ASSERT_EQ(self->page, stat_of(self->zone).out_limit_bytes);
	ASSERT_EQ(800 * KIB, stat_of(self->zone).out_taken_bytes);
	fail_alloc(ENOMEM, self->zone, 100 * KIB, 1, &more);
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(has_pattern(self->data + objects[i], 200 * KIB, i));
	/* Nor is there room before it is below the limit. */
	free_at(self->zone, objects[0]);
	fail_alloc(ENOMEM, self->zone, 100 * KIB, 1, &more);
	set_limit(self->zone, 700 * KIB);
	more = alloc(self->zone, 100 * KIB);
	fail_alloc(ENOMEM, self->zone, 100 * KIB, 1, &more);
}

TEST_F(limit, zero_is_the_size)
{
	set_limit(self->zone, 0);
	ASSERT_EQ(ZONE_BYTES, stat_of(self->zone).out_limit_bytes);
	alloc(self->zone, ZONE_BYTES - self->page);
}

TEST_F(limit, values_that_are_none)
{
	const __u64 bad[] = { 1, self->page - 1, self->page + 8,
			      ZONE_BYTES + self->page, ZONE_BYTES + 1, 1ULL << 63,
			      0 - self->page, UINT64_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		fail_set_limit(EINVAL, self->zone, bad[i]);
	ASSERT_EQ(MIB, stat_of(self->zone).out_limit_bytes);
	set_limit(self->zone, ZONE_BYTES);
	set_limit(self->zone, self->page);
}

TEST_F(limit, not_through_a_read_only_descriptor)
{
	int reader = reopen(self->zone, SHMZONE_OPEN_RDONLY);

	fail_set_limit(EACCES, reader, MIB);
	fail_set_limit(EACCES, reader, 2 * MIB);
	ASSERT_EQ(MIB, stat_of(reader).out_limit_bytes);
}

static int alloc_and_free(void *arg)
{
	int zone = *(int *)arg;
	__u64 offsets[8];
	int i, n;

	for (i = 0; i < 1000; i++) {
		n = _try_alloc(zone, 20 * KIB * (1 + i % 4), 8, offsets);
		if (n != -ENOMEM && (n < 0 || _try_free_all(zone, offsets, n) != n))
			return 1;
	}
	return 0;
}

TEST_F(limit, changed_while_others_allocate)
{
	pid_t children[3];
	int i;

	for (i = 0; i < 3; i++)
		children[i] = start_child(alloc_and_free, &self->zone);
	for (i = 0; i < 500; i++)
		set_limit(self->zone, (1 + i * 37 % 200) * self->page);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, end_child(children[i]));
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

TEST_HARNESS_MAIN
