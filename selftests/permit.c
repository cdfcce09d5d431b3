// SPDX-License-Identifier: GPL-2.0
/*
 * PERMIT: who may change owner, group and mode of a name, and what that does.
 */
#include <sched.h>

#include "kselftest_harness.h"
#include "utils.h"

#define UID	SHMZONE_PERMIT_UID
#define GID	SHMZONE_PERMIT_GID
#define MODE	SHMZONE_PERMIT_MODE

FIXTURE(permit) {
	const char *name;
	int control;
	int zone;
};

/* The name of a zone of OWNER and GROUP. */
static int create_as_owner(void *arg)
{
	FIXTURE_DATA(permit) *self = arg;

	if (!become(OWNER, GROUP))
		return 255;
	return _try_create_persistent(self->control, self->name, 0600) < 0;
}

FIXTURE_SETUP(permit)
{
	self->control = control_fd();
	self->name = fresh_name();
	ASSERT_EQ(0, in_child(create_as_owner, self));
	self->zone = open_zone(self->control, self->name, 0);
}

FIXTURE_TEARDOWN(permit)
{
	EXPECT_EQ(0, _try_unlink_zone(self->control, self->name));
	close(self->zone);
	close(self->control);
}

/* A call by another identity. */
struct attempt {
	FIXTURE_DATA(permit) *self;
	uid_t uid;
	gid_t gid;
	int (*make)(int control, const char *name);
};

static int make_attempt(void *arg)
{
	struct attempt *a = arg;
	int ret;

	if (!become(a->uid, a->gid))
		return 255;
	ret = a->make(a->self->control, a->self->name);
	return ret < 0 ? -ret : 0;
}

static int errno_for(FIXTURE_DATA(permit) *self, uid_t uid, gid_t gid,
		     int (*make)(int control, const char *name))
{
	struct attempt attempt = { self, uid, gid, make };

	return in_child(make_attempt, &attempt);
}

static int open_it(int control, const char *name)
{
	return _try_open_zone(control, name, 0);
}

static int open_all(int control, const char *name)
{
	return _try_chmod_name(control, name, 0666);
}

static int close_all(int control, const char *name)
{
	return _try_chmod_name(control, name, 0);
}

static int take_over(int control, const char *name)
{
	return _try_permit(control, name, UID | GID, 0, geteuid(), getegid());
}

static int give_to_stranger(int control, const char *name)
{
	return _try_permit(control, name, UID, 0, STRANGER, 0);
}

TEST_F(permit, only_creator_owner_and_root_may)
{
	static int (*const changes[])(int control, const char *name) = {
		open_all, close_all, take_over,
	};
	size_t i;

	chmod_name(self->control, self->name, 0666);
	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		ASSERT_EQ(EPERM, errno_for(self, MEMBER, GROUP, changes[i]));
		ASSERT_EQ(EPERM, errno_for(self, STRANGER, STRANGER, changes[i]));
		ASSERT_EQ(0, errno_for(self, OWNER, STRANGER, changes[i]));
		ASSERT_LE(0, changes[i](self->control, self->name));
	}
}

TEST_F(permit, mode)
{
	ASSERT_EQ(EACCES, errno_for(self, STRANGER, STRANGER, open_it));
	ASSERT_EQ(0, errno_for(self, OWNER, GROUP, open_all));
	ASSERT_EQ(0, errno_for(self, STRANGER, STRANGER, open_it));
	chmod_name(self->control, self->name, 0060);
	ASSERT_EQ(EACCES, errno_for(self, STRANGER, STRANGER, open_it));
	ASSERT_EQ(EACCES, errno_for(self, OWNER, GROUP, open_it));
	ASSERT_EQ(0, errno_for(self, MEMBER, GROUP, open_it));
	/* Even then the owner may give himself the right back. */
	ASSERT_EQ(0, errno_for(self, OWNER, GROUP, open_all));
}

TEST_F(permit, a_new_owner_is_one_and_the_creator_remains_one)
{
	ASSERT_EQ(0, errno_for(self, OWNER, GROUP, give_to_stranger));
	ASSERT_EQ(0, errno_for(self, STRANGER, STRANGER, open_it));
	ASSERT_EQ(0, errno_for(self, STRANGER, STRANGER, open_all));
	chmod_name(self->control, self->name, 0600);
	ASSERT_EQ(0, errno_for(self, OWNER, GROUP, open_it));
	ASSERT_EQ(0, errno_for(self, OWNER, GROUP, open_all));
	ASSERT_EQ(EPERM, errno_for(self, MEMBER, GROUP, open_all));
}

TEST_F(permit, a_new_group_is_one_and_the_creators_remains_one)
{
	permit(self->control, self->name, GID | MODE, 0660, 0, STRANGER);
	ASSERT_EQ(0, errno_for(self, STRANGER, STRANGER, open_it));
	ASSERT_EQ(0, errno_for(self, MEMBER, GROUP, open_it));
	ASSERT_EQ(EACCES, errno_for(self, MEMBER, MEMBER, open_it));
}

TEST_F(permit, unlink_is_for_a_new_owner_too)
{
	ASSERT_EQ(EPERM, errno_for(self, STRANGER, STRANGER, _try_unlink_zone));
	ASSERT_EQ(0, errno_for(self, OWNER, GROUP, give_to_stranger));
	ASSERT_EQ(0, errno_for(self, STRANGER, STRANGER, _try_unlink_zone));
	ASSERT_EQ(ENOENT, errno_for(self, STRANGER, STRANGER, open_all));
	create_persistent(self->control, self->name, 0);
}

TEST_F(permit, descriptors_keep_their_rights)
{
	__u64 offset;

	chmod_name(self->control, self->name, 0);
	offset = alloc(self->zone, 100);
	free_at(self->zone, offset);
	map_data_ok(self->zone, MIB, PROT_READ | PROT_WRITE);
}

TEST_F(permit, values_that_are_refused)
{
	static const struct {
		__u32 which, mode, uid, gid;
	} bad[] = {
		{ 0, 0, 0, 0 },
		{ 0, 0600, 0, 0 },
		{ MODE, 01000, 0, 0 },
		{ MODE, 0100, 0, 0 },
		{ MODE, 0777, 0, 0 },
		{ MODE, UINT32_MAX, 0, 0 },
		{ UID, 0600, 0, 0 },
		{ MODE | UID, 0600, 5, 5 },
		{ MODE | GID, 0600, 5, 5 },
		{ UID, 0, UINT32_MAX, 0 },
		{ GID, 0, 0, UINT32_MAX },
		/* All or nothing. */
		{ UID | GID | MODE, 0666, UINT32_MAX, 5 },
		{ UID | GID | MODE, 0666, 5, UINT32_MAX },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		fail_permit(EINVAL, self->control, self->name, bad[i].which,
			    bad[i].mode, bad[i].uid, bad[i].gid);
	ASSERT_EQ(EACCES, errno_for(self, MEMBER, GROUP, open_it));
	ASSERT_EQ(EACCES, errno_for(self, STRANGER, STRANGER, open_it));
	ASSERT_EQ(0, errno_for(self, OWNER, GROUP, open_it));
}

TEST_F(permit, names_that_are_not_there)
{
	fail_permit(ENOENT, self->control, "selftest-nobody", MODE, 0600, 0, 0);
	fail_permit(EINVAL, self->control, "", MODE, 0600, 0, 0);
	fail_permit(EINVAL, self->control, "a/b", MODE, 0600, 0, 0);
}

static int permit_in_other_ipc_namespace(void *arg)
{
	FIXTURE_DATA(permit) *self = arg;

	if (unshare(CLONE_NEWIPC))
		return 255;
	return -open_all(self->control, self->name);
}

TEST_F(permit, names_of_another_namespace)
{
	ASSERT_EQ(ENOENT, in_child(permit_in_other_ipc_namespace, self));
}

/* Capabilities over a user namespace do not reach the IPC namespace outside. */
static int permit_as_root_inside(void *arg)
{
	FIXTURE_DATA(permit) *self = arg;

	if (!enter_user_namespace(0))
		return 255;
	if (open_it(self->control, self->name) != -EACCES)
		return 1;
	if (open_all(self->control, self->name) != -EPERM)
		return 2;
	return _try_unlink_zone(self->control, self->name) == -EPERM ? 0 : 3;
}

static int permit_as_unprivileged_root_inside(void *arg)
{
	return become(STRANGER, STRANGER) ? permit_as_root_inside(arg) : 255;
}

static int permit_as_full_root_inside(void *arg)
{
	return permit_as_root_inside(arg);
}

TEST_F(permit, root_of_a_user_namespace_is_nobody_outside)
{
	ASSERT_EQ(0, in_child(permit_as_unprivileged_root_inside, self));
	ASSERT_EQ(0, in_child(permit_as_full_root_inside, self));
}

static int own_inside(void *arg)
{
	FIXTURE_DATA(permit) *self = arg;
	int zone;

	if (!enter_user_namespace(CLONE_NEWIPC))
		return 255;
	zone = _try_create_named(self->control, self->name, 0);
	if (zone < 0 || open_all(self->control, self->name))
		return 1;
	/* Nobody but root has a number there. */
	if (_try_permit(self->control, self->name, UID, 0, OWNER, 0) != -EINVAL ||
	    _try_permit(self->control, self->name, GID, 0, 0, GROUP) != -EINVAL)
		return 2;
	if (_try_permit(self->control, self->name, UID | GID | MODE, 0, 0, 0))
		return 3;
	/* The capability over this namespace opens what the mode does not. */
	return open_it(self->control, self->name) < 0 ? 4 : 0;
}

static int own_inside_as_stranger(void *arg)
{
	return become(STRANGER, STRANGER) ? own_inside(arg) : 255;
}

TEST_F(permit, root_of_ones_own_namespaces)
{
	ASSERT_EQ(0, in_child(own_inside_as_stranger, self));
}

static int others_inside(void *arg)
{
	FIXTURE_DATA(permit) *self = arg;

	if (!enter_user_namespace(CLONE_NEWIPC))
		return 255;
	if (_try_create_named(self->control, self->name, 0600) < 0)
		return 1;
	if (errno_for(self, STRANGER, STRANGER, open_it) != EACCES ||
	    errno_for(self, STRANGER, STRANGER, open_all) != EPERM)
		return 2;
	if (_try_permit(self->control, self->name, UID, 0, STRANGER, 0))
		return 3;
	if (errno_for(self, STRANGER, STRANGER, open_it) ||
	    errno_for(self, MEMBER, GROUP, open_it) != EACCES)
		return 4;
	/* 65536 and above are not mapped. */
	return -_try_permit(self->control, self->name, UID, 0, 65536, 0);
}

TEST_F(permit, users_of_a_user_namespace)
{
	ASSERT_EQ(EINVAL, in_child(others_inside, self));
}

TEST_HARNESS_MAIN
