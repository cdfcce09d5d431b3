// SPDX-License-Identifier: GPL-2.0
/*
 * Committed zones: allocating brings the memory in, so a shortage is ENOMEM from
 * ALLOC, and nobody is killed for it, then or later.
 */
#include <poll.h>
#include <sched.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "group.h"

#define ZONE_BYTES	GIB
#define RW		(PROT_READ | PROT_WRITE)
#define COMMITTED	SHMZONE_CREATE_COMMITTED
/* Room for the process itself, and for what it allocates. */
#define GROUP_BYTES	(24 * MIB)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

FIXTURE(committed) {
	char *data;
	size_t page;
	int control;
	int zone;
};

FIXTURE_SETUP(committed)
{
	self->page = page_bytes();
	self->control = control_fd();
	self->zone = create_kind(self->control, COMMITTED, ZONE_BYTES, 0);
	self->data = map_data_ok(self->zone, ZONE_BYTES, RW);
}

FIXTURE_TEARDOWN(committed)
{
	EXPECT_TRUE(zone_consistent(self->zone));
	munmap(self->data, ZONE_BYTES);
	close(self->zone);
	close(self->control);
}

#define resident_bytes()	(stat_of(self->zone).out_resident_bytes)

/* In RAM or in swap. */
static __u64 bytes_there(int zone)
{
	struct shmzone_stat stat = {};

	_try_stat(zone, &stat);
	return stat.out_resident_bytes + stat.out_swapped_bytes;
}

TEST_F(committed, spans_are_brought_in)
{
	alloc(self->zone, 100 * self->page);
	ASSERT_EQ(100 * self->page, resident_bytes());
	alloc(self->zone, 3 * MIB);
	ASSERT_EQ(100 * self->page + 3 * MIB, resident_bytes());
}

TEST_F(committed, slabs_are_brought_in_as_a_whole)
{
	int i;

	for (i = 0; i < 3000; i++)
		alloc(self->zone, 8 << i % 12);
	ASSERT_EQ(stat_of(self->zone).out_taken_bytes, resident_bytes());
}

TEST_F(committed, memory_is_zero_at_first)
{
	__u64 offset = alloc(self->zone, MIB);

	ASSERT_TRUE(all_bytes(self->data + offset, MIB, 0));
	fill_pattern(self->data + offset, MIB, 1);
	ASSERT_TRUE(has_pattern(self->data + offset, MIB, 1));
}

TEST_F(committed, used_again_it_is_there_again)
{
	__u64 offset;
	int i;

	for (i = 0; i < 10; i++) {
		offset = alloc(self->zone, 2 * MIB);
		ASSERT_EQ(2 * MIB, resident_bytes());
		free_at(self->zone, offset);
	}
}

/* From Linux 6.12 on it is killed for that. */
static int poison(void *page)
{
	return madvise(page, page_bytes(), MADV_HWPOISON) ? 254 : 0;
}

/* First fit finds the same run again. */
TEST_F(committed, poisoned_memory_is_replaced)
{
	__u64 offset = alloc(self->zone, 20 * self->page);
	char *page = self->data + offset + 3 * self->page;

	ASSERT_EQ(0, touch_write(page));
	if (in_child(poison, page) == 254)
		SKIP(return, "no memory failures here");
	ASSERT_EQ(SIGBUS, touch_read(page));
	free_at(self->zone, offset);
	ASSERT_EQ(offset, alloc(self->zone, 20 * self->page));
	ASSERT_EQ(20 * self->page, resident_bytes());
	memset(self->data + offset, 1, 20 * self->page);
}

TEST_F(committed, limit_comes_first)
{
	int zone = create_kind(self->control, COMMITTED, 16 * MIB, MIB);
	__u64 offset;

	fail_alloc(ENOMEM, zone, 2 * MIB, 1, &offset);
	ASSERT_EQ(0, stat_of(zone).out_resident_bytes);
	alloc(zone, MIB);
	ASSERT_EQ(MIB, stat_of(zone).out_resident_bytes);
}

TEST_F(committed, the_kind_is_told)
{
	const char *name = fresh_name();
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = COMMITTED | SHMZONE_CREATE_EXCL,
		.zone_bytes = MIB,
		NAMED(name),
		.mode = 0600,
	};
	int plain = create(self->control, MIB);
	struct shmzone_entry entries[64];
	__u64 cursor = 0;
	char text[32];
	int named, i, n, seen = 0;

	ASSERT_EQ(COMMITTED, stat_of(self->zone).out_kind);
	ASSERT_EQ(0, stat_of(plain).out_kind);
	ASSERT_TRUE(fdinfo_text(self->zone, "kind", text, sizeof(text)));
	ASSERT_STREQ("committed", text);
	ASSERT_TRUE(fdinfo_text(plain, "kind", text, sizeof(text)));
	ASSERT_STREQ("plain", text);

	named = call(self->control, SHMZONE_CREATE, &args);
	ASSERT_EQ(COMMITTED, stat_of(open_zone(self->control, name, 0)).out_kind);
	do {
		n = not_negative(_try_list(self->control, &cursor, 64, entries));
		for (i = 0; i < n; i++)
			if (entries[i].id == stat_of(named).out_id)
				seen = entries[i].flags;
	} while (cursor);
	ASSERT_EQ(SHMZONE_ENTRY_COMMITTED, seen);
}

/* What is not dirty would be dropped, as there is nothing to lose. */
TEST_F(committed, reclaim_takes_nothing_away)
{
	__u64 offset = alloc(self->zone, 4 * MIB);
	size_t at;

	for (at = 0; at < 4 * MIB; at += self->page)
		ASSERT_EQ(0, touch_read(self->data + offset + at));
	ASSERT_EQ(0, madvise(self->data + offset, 4 * MIB, MADV_PAGEOUT));
	ASSERT_EQ(4 * MIB, bytes_there(self->zone));
	ASSERT_TRUE(all_bytes(self->data + offset, 4 * MIB, 0));
}

static int allocate_unprivileged(void *arg)
{
	__u64 offset;

	if (!become(STRANGER, STRANGER))
		return 255;
	return _try_alloc(*(int *)arg, MIB, 1, &offset) == 1 ? 0 : 1;
}

static int allocate_elsewhere(void *arg)
{
	return enter_user_namespace(CLONE_NEWIPC) ? allocate_unprivileged(arg) : 254;
}

TEST_F(committed, for_ordinary_users_too)
{
	int ret;

	ASSERT_EQ(0, in_child(allocate_unprivileged, &self->zone));
	ASSERT_EQ(MIB, resident_bytes());
	ret = in_child(allocate_elsewhere, &self->zone);
	if (ret == 254)
		SKIP(return, "no user namespaces");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(2 * MIB, resident_bytes());
}

static int allocate_much(void *arg)
{
	__u64 offset;

	return _try_alloc(*(int *)arg, 512 * MIB, 1, &offset) == 1 ? 0 : 1;
}

TEST_F(committed, killed_meanwhile_nothing_is_left)
{
	pid_t child;
	int delay;

	for (delay = 1000; delay < 300 * 1000; delay *= 4) {
		child = start_child(allocate_much, &self->zone);
		usleep(delay);
		ASSERT_EQ(0, kill(child, SIGKILL));
		/* Unless it was done before; so much memory takes longer at first. */
		if (end_child(child) != -SIGKILL && delay > 16 * 1000)
			break;
		if (stat_of(self->zone).out_live_objects && delay > 16 * 1000)
			break;
		ASSERT_EQ(0, stat_of(self->zone).out_taken_bytes);
		ASSERT_EQ(0, bytes_there(self->zone));
	}
	alloc(self->zone, MIB);
}

/* Memory cgroups. */

/* Page tables are the process's own memory: they are made outside. */
static bool join_with_tables(char *data)
{
	size_t at;

	for (at = 0; at < 4 * GROUP_BYTES; at += 2 * MIB)
		touch_read(data + at);
	return join_group();
}

/* A span that is too large for the group, and then one that fits. */
static int crowd_with_spans(void *arg)
{
	int zone = *(int *)arg;
	char *data = map_data(zone, ZONE_BYTES, RW);
	__u64 offset, before;

	if (data == MAP_FAILED || !join_with_tables(data))
		return 255;
	before = bytes_there(zone);
	if (_try_alloc(zone, 2 * GROUP_BYTES, 1, &offset) != -ENOMEM)
		return 1;
	if (bytes_there(zone) > before)
		return 2;
	if (_try_alloc(zone, GROUP_BYTES / 4, 1, &offset) != 1)
		return 3;
	memset(data + offset, 1, GROUP_BYTES / 4);
	return 0;
}

/* Slots until there is no more; then all of them can be written. */
static int crowd_with_slots(void *arg)
{
	int zone = *(int *)arg;
	char *data = map_data(zone, ZONE_BYTES, RW);
	static __u64 offsets[64 * 1024];
	int got = 0, ret = 0, i;

	if (data == MAP_FAILED || !join_with_tables(data))
		return 255;
	memset(offsets, 1, sizeof(offsets));
	while (got < 64 * 1000 && (ret = _try_alloc(zone, 1000, 64, offsets + got)) > 0)
		got += ret;
	if (ret != -ENOMEM || got < 1000)
		return 1;
	for (i = 0; i < got; i++)
		memset(data + offsets[i], 1, 1000);
	return _try_free_all(zone, offsets, 64) == 64 ? 0 : 2;
}

TEST_F(committed, shortage_of_a_group_is_enomem_for_spans)
{
	if (!make_group(GROUP_BYTES))
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, in_child(crowd_with_spans, &self->zone));
	ASSERT_EQ(0, group_kills());
	end_group();
}

/* No free is to come: those who poll are told to look again nevertheless. */
static int crowd_and_poll(void *arg)
{
	struct pollfd poller = { .fd = *(int *)arg, .events = POLLOUT };
	char *data = map_data(poller.fd, ZONE_BYTES, RW);
	__u64 offset;

	if (data == MAP_FAILED || !join_with_tables(data) || poll(&poller, 1, 0) != 1)
		return 255;
	if (_try_alloc(poller.fd, 2 * GROUP_BYTES, 1, &offset) != -ENOMEM)
		return 1;
	if (poll(&poller, 1, 0))
		return 2;
	return poll(&poller, 1, 30 * 1000) == 1 ? 0 : 3;
}

TEST_F(committed, shortage_of_a_group_is_not_for_ever)
{
	if (!make_group(GROUP_BYTES))
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, in_child(crowd_and_poll, &self->zone));
	end_group();
}

TEST_F(committed, shortage_of_a_group_is_enomem_for_slots)
{
	if (!make_group(GROUP_BYTES))
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, in_child(crowd_with_slots, &self->zone));
	ASSERT_EQ(0, group_kills());
	end_group();
}

TEST_HARNESS_MAIN
