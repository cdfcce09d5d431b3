// SPDX-License-Identifier: GPL-2.0
/*
 * LIST: every name once, in order, to those who may open it, whatever else
 * happens meanwhile.
 */
#include <sched.h>

#include "kselftest_harness.h"
#include "utils.h"

#define NAMES		200

/* Each test has a namespace of its own, where there are no other names. */
FIXTURE(list) {
	struct shmzone_entry entries[NAMES];
	int zones[NAMES];
	int control;
};

FIXTURE_SETUP(list)
{
	if (unshare(CLONE_NEWIPC))
		SKIP(return, "no IPC namespaces");
	self->control = control_fd();
}

FIXTURE_TEARDOWN(list)
{
	close(self->control);
}

/* All that is told, @piece at a time; or -errno. */
static int list_all(FIXTURE_DATA(list) *self, __u32 piece)
{
	__u64 cursor = 0;
	int n = 0, ret;

	do {
		if (n + piece > NAMES)
			piece = NAMES - n;
		ret = _try_list(self->control, &cursor, piece, self->entries + n);
		if (ret < 0)
			return ret;
		n += ret;
	} while (cursor && n < NAMES);
	return n;
}

static const char *numbered(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "number-%d", i);
	return name;
}

#define create_many(n, mode)						\
do {									\
	int _i;								\
									\
	for (_i = 0; _i < (n); _i++)					\
		self->zones[_i] = create_named(self->control,		\
					       numbered(_i), mode);	\
} while (0)

TEST_F(list, nothing_where_there_is_none)
{
	__u64 cursor = 12345;

	ASSERT_EQ(0, list_all(self, 1));
	ASSERT_EQ(0, _try_list(self->control, &cursor, 1, self->entries));
	ASSERT_EQ(0, cursor);
}

TEST_F(list, what_is_told_of_a_name)
{
	int zone = create_named(self->control, "brief", 0640);
	struct shmzone_entry *entry = &self->entries[0];
	int last;

	create_persistent(self->control, "long-lived", 0600);
	permit(self->control, "brief", SHMZONE_PERMIT_UID | SHMZONE_PERMIT_GID, 0,
	       OWNER, GROUP);
	last = list_all(self, NAMES);
	unlink_zone(self->control, "long-lived");
	ASSERT_EQ(2, last);
	ASSERT_EQ(stat_of(zone).out_id, entry->id);
	ASSERT_EQ(MIB, entry->zone_bytes);
	ASSERT_EQ(0, entry->flags);
	ASSERT_EQ(0640, entry->mode);
	ASSERT_EQ(OWNER, entry->uid);
	ASSERT_EQ(GROUP, entry->gid);
	ASSERT_EQ(strlen("brief"), entry->name_len);
	ASSERT_STREQ("brief", (char *)entry->name);
	ASSERT_TRUE(all_bytes(entry->name + 5, sizeof(entry->name) - 5, 0));
	ASSERT_STREQ("long-lived", (char *)entry[1].name);
	ASSERT_EQ(SHMZONE_ENTRY_PERSIST, entry[1].flags);
}

TEST_F(list, longest_name)
{
	char longest[SHMZONE_NAME_MAX + 1];

	memset(longest, 'z', sizeof(longest));
	longest[SHMZONE_NAME_MAX] = '\0';
	create_named(self->control, longest, 0600);
	ASSERT_EQ(1, list_all(self, 1));
	ASSERT_EQ(SHMZONE_NAME_MAX, self->entries[0].name_len);
	ASSERT_STREQ(longest, (char *)self->entries[0].name);
}

TEST_F(list, any_piece_tells_all_in_order)
{
	static const __u32 pieces[] = { 1, 2, 7, 8, 9, 63, 64, 65, NAMES };
	size_t i;
	int j;

	create_many(NAMES - 1, 0600);
	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		memset(self->entries, 0, sizeof(self->entries));
		ASSERT_EQ(NAMES - 1, list_all(self, pieces[i]));
		for (j = 0; j < NAMES - 1; j++)
			ASSERT_STREQ(numbered(j), (char *)self->entries[j].name);
	}
}

TEST_F(list, names_that_come_and_go_meanwhile)
{
	__u64 cursor = 0;

	create_many(20, 0600);
	ASSERT_EQ(10, _try_list(self->control, &cursor, 10, self->entries));
	/* One that was told, the one of the cursor, and one that was not. */
	close(self->zones[3]);
	close(self->zones[9]);
	unlink_zone(self->control, numbered(10));
	create_named(self->control, "late", 0600);
	ASSERT_EQ(10, _try_list(self->control, &cursor, NAMES, self->entries));
	ASSERT_EQ(0, cursor);
	ASSERT_STREQ(numbered(11), (char *)self->entries[0].name);
	ASSERT_STREQ("late", (char *)self->entries[9].name);
	ASSERT_EQ(18, list_all(self, 3));
}

static int list_as_stranger(void *arg)
{
	return become(STRANGER, STRANGER) ? list_all(arg, 5) : 255;
}

static int list_as_member(void *arg)
{
	return become(MEMBER, GROUP) ? list_all(arg, 5) : 255;
}

static int list_as_root_of_a_user_namespace(void *arg)
{
	FIXTURE_DATA(list) *self = arg;

	if (!become(STRANGER, STRANGER) || !enter_user_namespace(0))
		return 255;
	return list_all(self, 5);
}

TEST_F(list, only_what_one_may_read)
{
	int i;

	create_many(NAMES - 2, 0600);
	create_named(self->control, "others-read", 0604);
	create_named(self->control, "group-reads", 0640);
	for (i = 0; i < NAMES - 2; i++)
		chmod_name(self->control, numbered(i), i % 2 ? 0000 : 0222);
	permit(self->control, "group-reads", SHMZONE_PERMIT_GID, 0, 0, GROUP);
	/* Root sees them all, the others have to look past many. */
	ASSERT_EQ(NAMES, list_all(self, 5));
	ASSERT_EQ(1, in_child(list_as_stranger, self));
	ASSERT_EQ(2, in_child(list_as_member, self));
	ASSERT_EQ(1, in_child(list_as_root_of_a_user_namespace, self));
}

static int list_elsewhere(void *arg)
{
	return unshare(CLONE_NEWIPC) ? 255 : list_all(arg, 5);
}

TEST_F(list, nothing_of_other_namespaces)
{
	create_many(5, 0666);
	ASSERT_EQ(0, in_child(list_elsewhere, self));
}

static int ids_inside(void *arg)
{
	FIXTURE_DATA(list) *self = arg;

	if (!become(STRANGER, STRANGER) || !enter_user_namespace(0))
		return 255;
	if (list_all(self, 5) != 2)
		return 1;
	/* Its own user is root there; others have no number. */
	return self->entries[0].uid == 0 && self->entries[0].gid == 65534 &&
	       self->entries[1].uid == 65534 && self->entries[1].gid == 0 ? 0 : 2;
}

TEST_F(list, ids_are_those_of_the_callers_namespace)
{
	create_many(2, 0666);
	permit(self->control, numbered(0), SHMZONE_PERMIT_UID | SHMZONE_PERMIT_GID, 0,
	       STRANGER, GROUP);
	permit(self->control, numbered(1), SHMZONE_PERMIT_UID | SHMZONE_PERMIT_GID, 0,
	       OWNER, STRANGER);
	ASSERT_EQ(0, in_child(ids_inside, self));
}

TEST_F(list, arguments_that_are_refused)
{
	static const struct {
		__u32 count;
		__u32 entry_size;
		int error;
	} bad[] = {
		{ 0, sizeof(struct shmzone_entry), EINVAL },
		{ SHMZONE_LIST_MAX + 1, sizeof(struct shmzone_entry), EINVAL },
		{ UINT32_MAX, sizeof(struct shmzone_entry), EINVAL },
		{ 1, 0, EINVAL },
		{ 1, sizeof(struct shmzone_entry) - 1, EINVAL },
		{ 1, 4097, E2BIG },
		{ 1, UINT32_MAX, E2BIG },
	};
	size_t i;

	create_many(1, 0600);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct shmzone_list args = {
			SIZED(shmzone_list),
			.entries = to_u64(self->entries),
			.count = bad[i].count,
			.entry_size = bad[i].entry_size,
		};

		fail_call(bad[i].error, self->control, SHMZONE_LIST, &args);
	}
}

TEST_F(list, longer_entries_are_zeroed)
{
	const __u32 size = sizeof(struct shmzone_entry) + 104;
	unsigned char *longer = malloc(3 * size);
	struct shmzone_list args = {
		SIZED(shmzone_list),
		.entries = to_u64(longer),
		.count = 3,
		.entry_size = size,
	};
	int i;

	create_many(2, 0600);
	memset(longer, 0xa5, 3 * size);
	call(self->control, SHMZONE_LIST, &args);
	ASSERT_EQ(2, args.out_count);
	for (i = 0; i < 2; i++) {
		struct shmzone_entry *entry = (void *)(longer + i * size);

		ASSERT_STREQ(numbered(i), (char *)entry->name);
		ASSERT_TRUE(all_bytes(entry + 1, 104, 0));
	}
	ASSERT_TRUE(all_bytes(longer + 2 * size, size, 0xa5));
}

TEST_F(list, entries_reach_into_a_hole)
{
	struct shmzone_entry *end = page_before_hole();
	__u64 cursor = 0;

	create_many(2, 0600);
	ASSERT_EQ(-EFAULT, _try_list(self->control, &cursor, 2, end - 1));
	ASSERT_EQ(1, _try_list(self->control, &cursor, 1, end - 1));
	ASSERT_EQ(-EFAULT, _try_list(self->control, &cursor, 1, NULL));
}

TEST_F(list, cursors_of_ones_own_making)
{
	static const __u64 cursors[] = { 1ULL << 31, 1ULL << 62, 1ULL << 63,
					 UINT64_MAX - 1, UINT64_MAX };
	size_t i;

	create_many(3, 0600);
	for (i = 0; i < ARRAY_SIZE(cursors); i++) {
		__u64 cursor = cursors[i];

		ASSERT_EQ(0, _try_list(self->control, &cursor, NAMES, self->entries));
		ASSERT_EQ(0, cursor);
	}
}

static int come_and_go(void *arg)
{
	FIXTURE_DATA(list) *self = arg;
	char name[32];
	int i;

	snprintf(name, sizeof(name), "racer-%d", getpid());
	for (i = 0; i < 200; i++) {
		int zone = _try_create_named(self->control, name, 0600);

		if (zone < 0)
			return 1;
		if (i % 2)
			_try_unlink_zone(self->control, name);
		close(zone);
	}
	return 0;
}

/* How many of create_many()'s are told, or -1 if one is told twice. */
static int count_numbered(FIXTURE_DATA(list) *self, int n)
{
	int found = 0, i;

	for (i = 0; i < n; i++) {
		if (strncmp((char *)self->entries[i].name, "number-", 7))
			continue;
		if (strcmp((char *)self->entries[i].name, numbered(found++)))
			return -1;
	}
	return found;
}

TEST_F(list, those_that_stay_are_told_once_in_a_race)
{
	pid_t racers[3];
	int i;

	create_many(50, 0600);
	for (i = 0; i < 3; i++)
		racers[i] = start_child(come_and_go, self);
	for (i = 0; i < 30; i++)
		EXPECT_EQ(50, count_numbered(self, list_all(self, 4)));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, end_child(racers[i]));
}

TEST_HARNESS_MAIN
