// SPDX-License-Identifier: GPL-2.0
/*
 * Names: their form, who may do what with them, and how long they last.
 */
#include <sched.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "utils.h"

FIXTURE(names) {
	const char *name;
	int control;
};

FIXTURE_SETUP(names)
{
	self->control = control_fd();
	self->name = fresh_name();
}

FIXTURE_TEARDOWN(names)
{
	close(self->control);
}

TEST_F(names, open_what_was_created)
{
	int zone = create_named(self->control, self->name, 0600);
	int same = open_zone(self->control, self->name, 0);
	__u64 offset = alloc(zone, 64);

	ASSERT_EQ(stat_of(zone).out_id, stat_of(same).out_id);
	free_at(same, offset);
}

TEST_F(names, create_opens_what_exists)
{
	int zone = create_named(self->control, self->name, 0600);
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.zone_bytes = GIB,
		.limit_bytes = MIB,
		NAMED(self->name),
		.mode = 0666,
	};
	int same = call(self->control, SHMZONE_CREATE, &args);

	ASSERT_EQ(stat_of(zone).out_id, stat_of(same).out_id);
	ASSERT_EQ(MIB, stat_of(same).out_zone_bytes);
}

TEST_F(names, exclusive_create)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = SHMZONE_CREATE_EXCL,
		.zone_bytes = MIB,
		NAMED(self->name),
		.mode = 0600,
	};
	int zone = call(self->control, SHMZONE_CREATE, &args);

	fail_call(EEXIST, self->control, SHMZONE_CREATE, &args);
	close(zone);
	zone = call(self->control, SHMZONE_CREATE, &args);
	unlink_zone(self->control, self->name);
	call(self->control, SHMZONE_CREATE, &args);
}

TEST_F(names, nobody_has_it)
{
	fail_open_zone(ENOENT, self->control, self->name, 0);
	fail_open_zone(ENOENT, self->control, self->name, SHMZONE_OPEN_RDONLY);
	fail_unlink_zone(ENOENT, self->control, self->name);
}

TEST_F(names, goes_with_the_last_descriptor)
{
	int zone = create_named(self->control, self->name, 0600);
	int same = open_zone(self->control, self->name, 0);

	close(zone);
	close(open_zone(self->control, self->name, 0));
	close(same);
	fail_open_zone(ENOENT, self->control, self->name, 0);
}

TEST_F(names, goes_with_the_last_mapping)
{
	int zone = create_named(self->control, self->name, 0600);
	char *data = map_data_ok(zone, MIB, PROT_READ | PROT_WRITE);

	data[0] = 7;
	close(zone);
	zone = open_zone(self->control, self->name, 0);
	close(zone);
	ASSERT_EQ(0, munmap(data, MIB));
	fail_open_zone(ENOENT, self->control, self->name, 0);
}

TEST_F(names, free_again_after_unlink)
{
	int zone = create_named(self->control, self->name, 0600);
	__u64 offset = alloc(zone, 64);
	int next;

	unlink_zone(self->control, self->name);
	fail_open_zone(ENOENT, self->control, self->name, 0);
	fail_unlink_zone(ENOENT, self->control, self->name);
	next = create_named(self->control, self->name, 0600);
	ASSERT_NE(stat_of(zone).out_id, stat_of(next).out_id);
	free_at(zone, offset);
	/* The end of the old zone does not take the new one's name. */
	close(zone);
	close(open_zone(self->control, self->name, 0));
}

static const unsigned long named_commands[] = {
	SHMZONE_CREATE, SHMZONE_OPEN, SHMZONE_UNLINK,
};

/* Any of the commands that take a name, with that one. */
static int try_name(int control, unsigned long cmd, const void *name, __u32 len)
{
	struct shmzone_create create = {
		SIZED(shmzone_create),
		.zone_bytes = MIB,
		.name = to_u64(name),
		.name_len = len,
		.mode = 0600,
	};
	struct shmzone_open open = {
		SIZED(shmzone_open),
		.name = to_u64(name),
		.name_len = len,
	};

	/* UNLINK's structure is the same as OPEN's. */
	return _try_call(control, cmd, cmd == SHMZONE_CREATE ?
			 (void *)&create : (void *)&open);
}

TEST_F(names, forms_that_are_refused)
{
	static char longest[4096];
	static const struct {
		const void *name;
		__u32 len;
		int error;
	} bad[] = {
		{ "x", 0, EINVAL },
		{ longest, SHMZONE_NAME_MAX + 1, ENAMETOOLONG },
		{ longest, 4096, ENAMETOOLONG },
		{ longest, UINT32_MAX, ENAMETOOLONG },
		{ "/", 1, EINVAL },
		{ "a/b", 3, EINVAL },
		{ "ab/", 3, EINVAL },
		{ "\0", 1, EINVAL },
		{ "a\0b", 3, EINVAL },
		{ "ab", 3, EINVAL },
		{ (void *)8, 1, EFAULT },
		{ (void *)-1L, 1, EFAULT },
		{ (void *)-255L, 255, EFAULT },
	};
	size_t i, j;

	memset(longest, 'x', sizeof(longest));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		for (j = 0; j < ARRAY_SIZE(named_commands); j++)
			ASSERT_EQ(-bad[i].error,
				  try_name(self->control, named_commands[j],
					   bad[i].name, bad[i].len));
}

TEST_F(names, name_reaches_into_a_hole)
{
	char *end = page_before_hole();
	size_t j;

	memset(end - 10, 'y', 10);
	for (j = 0; j < ARRAY_SIZE(named_commands); j++) {
		ASSERT_EQ(-EFAULT, try_name(self->control, named_commands[j],
					    end - 10, 11));
		ASSERT_LE(0, try_name(self->control, named_commands[j],
				      end - 10, 10));
	}
}

TEST_F(names, longest_and_shortest_and_strangest)
{
	static const char *const fine[] = { "a", ".", "..", " ", "\n", "\377\376",
					    "selftest name with spaces" };
	char longest[SHMZONE_NAME_MAX + 1];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fine); i++) {
		int zone = create_named(self->control, fine[i], 0600);

		ASSERT_EQ(stat_of(zone).out_id,
			  stat_of(open_zone(self->control, fine[i], 0)).out_id);
	}
	memset(longest, 'z', sizeof(longest));
	longest[SHMZONE_NAME_MAX] = '\0';
	create_named(self->control, longest, 0600);
	open_zone(self->control, longest, 0);
	longest[SHMZONE_NAME_MAX - 1] = '\0';
	fail_open_zone(ENOENT, self->control, longest, 0);
}

TEST_F(names, bytes_behind_the_name_do_not_matter)
{
	int zone = try_name(self->control, SHMZONE_CREATE, "selftest-abc", 11);

	ASSERT_LE(0, zone);
	ASSERT_LE(0, try_name(self->control, SHMZONE_OPEN, "selftest-abX", 11));
	ASSERT_EQ(-ENOENT, try_name(self->control, SHMZONE_OPEN, "selftest-abc", 12));
}

TEST_F(names, mode_bits_that_are_none)
{
	static const __u32 bad[] = { 01000, 02000, 04000, 0100, 0010, 0001,
				     0777, 1U << 31, UINT32_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		fail_create_named(EINVAL, self->control, self->name, bad[i]);
	create_named(self->control, self->name, 0);
}

/* One call, made in a child of another identity. */
struct attempt {
	int control;
	const char *name;
	__u32 mode;
	uid_t uid;
	gid_t gid;
	int (*make)(const struct attempt *attempt);
};

static int make_attempt(void *arg)
{
	const struct attempt *attempt = arg;
	int ret;

	if (!become(attempt->uid, attempt->gid))
		return 255;
	ret = attempt->make(attempt);
	return ret < 0 ? -ret : 0;
}

static int attempt_open(const struct attempt *a)
{
	return _try_open_zone(a->control, a->name, 0);
}

static int attempt_read(const struct attempt *a)
{
	return _try_open_zone(a->control, a->name, SHMZONE_OPEN_RDONLY);
}

static int attempt_create(const struct attempt *a)
{
	return _try_create_named(a->control, a->name, 0600);
}

static int attempt_unlink(const struct attempt *a)
{
	return _try_unlink_zone(a->control, a->name);
}

/* The errno that identity gets, or 0. */
static int errno_for(FIXTURE_DATA(names) *self, uid_t uid, gid_t gid,
		     int (*make)(const struct attempt *attempt))
{
	struct attempt attempt = {
		.control = self->control,
		.name = self->name,
		.uid = uid,
		.gid = gid,
		.make = make,
	};

	return in_child(make_attempt, &attempt);
}

/* A zone of OWNER and GROUP, made by a child that stays to keep it. */
static pid_t start_owner(FIXTURE_DATA(names) *self, __u32 mode)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (pid == 0) {
		if (!become(OWNER, GROUP) ||
		    _try_create_named(self->control, self->name, mode) < 0)
			_exit(1);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	close(ready[0]);
	return pid;
}

static void end_owner(pid_t pid)
{
	kill(pid, SIGKILL);
	end_child(pid);
}

/* Three identities, whose rights are the owner's, the group's, the others'. */
static const struct {
	uid_t uid;
	gid_t gid;
	int shift;
} identities[] = {
	{ OWNER, STRANGER, 6 },
	{ MEMBER, GROUP, 3 },
	{ STRANGER, STRANGER, 0 },
};

TEST_F(names, permissions_by_owner_group_and_others)
{
	static const __u32 modes[] = { 0600, 0640, 0660, 0644, 0666, 0000, 0400,
				       0066, 0604, 0060, 0006, 0200, 0222 };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		pid_t owner = start_owner(self, modes[i]);

		ASSERT_LT(0, owner);
		for (j = 0; j < ARRAY_SIZE(identities); j++) {
			__u32 bits = modes[i] >> identities[j].shift & 7;
			uid_t uid = identities[j].uid;
			gid_t gid = identities[j].gid;
			int read_error = bits & 4 ? 0 : EACCES;
			int write_error = (bits & 6) == 6 ? 0 : EACCES;

			ASSERT_EQ(read_error, errno_for(self, uid, gid, attempt_read));
			ASSERT_EQ(write_error, errno_for(self, uid, gid, attempt_open));
			ASSERT_EQ(write_error, errno_for(self, uid, gid, attempt_create));
		}
		/* Root may, whatever the mode. */
		close(open_zone(self->control, self->name, 0));
		end_owner(owner);
	}
}

static int attempt_exclusive(const struct attempt *a)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = SHMZONE_CREATE_EXCL,
		.zone_bytes = MIB,
		NAMED(a->name),
	};

	return _try_call(a->control, SHMZONE_CREATE, &args);
}

TEST_F(names, exclusive_create_of_what_one_may_not_open)
{
	pid_t owner = start_owner(self, 0600);

	ASSERT_LT(0, owner);
	ASSERT_EQ(EEXIST, errno_for(self, STRANGER, STRANGER, attempt_exclusive));
	end_owner(owner);
}

TEST_F(names, unlink_is_for_the_owner)
{
	pid_t owner = start_owner(self, 0666);

	ASSERT_LT(0, owner);
	ASSERT_EQ(EPERM, errno_for(self, STRANGER, STRANGER, attempt_unlink));
	ASSERT_EQ(EPERM, errno_for(self, MEMBER, GROUP, attempt_unlink));
	close(open_zone(self->control, self->name, 0));
	ASSERT_EQ(0, errno_for(self, OWNER, STRANGER, attempt_unlink));
	ASSERT_EQ(ENOENT, errno_for(self, OWNER, STRANGER, attempt_unlink));
	end_owner(owner);

	owner = start_owner(self, 0000);
	ASSERT_LT(0, owner);
	unlink_zone(self->control, self->name);
	end_owner(owner);
}

TEST_F(names, refused_for_a_missing_right_is_counted)
{
	pid_t owner = start_owner(self, 0600);
	struct shmzone_info before, after;

	ASSERT_LT(0, owner);
	info(self->control, &before);
	ASSERT_EQ(EACCES, errno_for(self, STRANGER, STRANGER, attempt_open));
	ASSERT_EQ(EPERM, errno_for(self, STRANGER, STRANGER, attempt_unlink));
	info(self->control, &after);
	ASSERT_EQ(before.out_refused_calls + 2, after.out_refused_calls);
	end_owner(owner);
}

static int use_name_elsewhere(void *arg)
{
	FIXTURE_DATA(names) *self = arg;
	int control;

	if (unshare(CLONE_NEWIPC))
		return 255;
	control = _try_control();
	if (_try_open_zone(self->control, self->name, 0) != -ENOENT ||
	    _try_open_zone(control, self->name, 0) != -ENOENT ||
	    _try_unlink_zone(control, self->name) != -ENOENT)
		return 1;
	if (_try_create_named(control, self->name, 0600) < 0 ||
	    _try_open_zone(self->control, self->name, 0) < 0 ||
	    _try_unlink_zone(control, self->name))
		return 2;
	/* One that the namespace ends with. */
	return _try_create_named(control, "selftest-left", 0600) < 0 ? 3 : 0;
}

TEST_F(names, each_ipc_namespace_has_its_own)
{
	int zone = create_named(self->control, self->name, 0600);
	struct shmzone_info args;
	int i;

	info(self->control, &args);
	for (i = 0; i < 10; i++) {
		int ret = in_child(use_name_elsewhere, self);

		if (ret == 255)
			SKIP(return, "no IPC namespaces");
		ASSERT_EQ(0, ret);
	}
	ASSERT_EQ(stat_of(zone).out_id,
		  stat_of(open_zone(self->control, self->name, 0)).out_id);
	fail_open_zone(ENOENT, self->control, "selftest-left", 0);
	ASSERT_TRUE(zones_become(self->control, args.out_zones));
}

static int race_for_name(void *arg)
{
	FIXTURE_DATA(names) *self = arg;
	int i;

	for (i = 0; i < 300; i++) {
		int zone = _try_create_named(self->control, self->name, 0600);
		__u64 offset;

		/* Whoever it was made by, it is complete. */
		if (zone < 0 || _try_alloc(zone, 64, 1, &offset) != 1 ||
		    _try_free_at(zone, offset) != 1)
			return 1;
		if (i % 3 == 0)
			_try_unlink_zone(self->control, self->name);
		close(zone);
	}
	return 0;
}

TEST_F(names, create_open_unlink_and_end_race)
{
	struct shmzone_info args;
	pid_t racers[4];
	int i;

	info(self->control, &args);
	for (i = 0; i < 4; i++)
		racers[i] = start_child(race_for_name, self);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, end_child(racers[i]));
	ASSERT_TRUE(zones_become(self->control, args.out_zones));
	fail_open_zone(ENOENT, self->control, self->name, 0);
}

TEST_HARNESS_MAIN
