// SPDX-License-Identifier: GPL-2.0
/*
 * Zones that persist: they outlive all their users, and end by UNLINK or with
 * their IPC namespace.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "utils.h"

#define OBJECT_BYTES	5000

FIXTURE(persist) {
	const char *name;
	__u64 *shared;		/* with children */
	__u64 zones;		/* that existed before */
	int control;
};

FIXTURE_SETUP(persist)
{
	struct shmzone_info args;

	self->control = control_fd();
	self->name = fresh_name();
	info(self->control, &args);
	self->zones = args.out_zones;
	self->shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
}

/* No test may leave one behind: it would keep the module. */
FIXTURE_TEARDOWN(persist)
{
	_try_unlink_zone(self->control, self->name);
	EXPECT_TRUE(zones_become(self->control, self->zones));
	close(self->control);
}

TEST_F(persist, outlives_its_last_user)
{
	int zone = create_persistent(self->control, self->name, 0600);
	__u64 id = stat_of(zone).out_id;
	__u64 offset = alloc(zone, 100);

	close(zone);
	ASSERT_TRUE(zones_become(self->control, self->zones + 1));
	zone = open_zone(self->control, self->name, 0);
	ASSERT_EQ(id, stat_of(zone).out_id);
	free_at(zone, offset);
	close(zone);
}

TEST_F(persist, unlink_ends_it)
{
	close(create_persistent(self->control, self->name, 0600));
	unlink_zone(self->control, self->name);
	ASSERT_TRUE(zones_become(self->control, self->zones));
	fail_open_zone(ENOENT, self->control, self->name, 0);
	fail_unlink_zone(ENOENT, self->control, self->name);
}

TEST_F(persist, unlinked_it_lives_with_its_last_user)
{
	int zone = create_persistent(self->control, self->name, 0600);
	__u64 offset;

	unlink_zone(self->control, self->name);
	offset = alloc(zone, 100);
	free_at(zone, offset);
	ASSERT_TRUE(zones_become(self->control, self->zones + 1));
	close(zone);
	ASSERT_TRUE(zones_become(self->control, self->zones));
}

TEST_F(persist, needs_a_name)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = SHMZONE_CREATE_PERSIST,
		.zone_bytes = MIB,
	};

	fail_call(EINVAL, self->control, SHMZONE_CREATE, &args);
	args.flags |= SHMZONE_CREATE_EXCL;
	fail_call(EINVAL, self->control, SHMZONE_CREATE, &args);
}

TEST_F(persist, exclusive_create)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = SHMZONE_CREATE_PERSIST | SHMZONE_CREATE_EXCL,
		.zone_bytes = MIB,
		NAMED(self->name),
	};

	close(call(self->control, SHMZONE_CREATE, &args));
	fail_call(EEXIST, self->control, SHMZONE_CREATE, &args);
	ASSERT_TRUE(zones_become(self->control, self->zones + 1));
}

TEST_F(persist, opening_by_create_changes_nothing)
{
	int brief = create_named(self->control, self->name, 0600);

	close(create_persistent(self->control, self->name, 0600));
	close(brief);
	fail_open_zone(ENOENT, self->control, self->name, 0);

	close(create_persistent(self->control, self->name, 0600));
	close(create_named(self->control, self->name, 0600));
	close(open_zone(self->control, self->name, 0));
}

TEST_F(persist, many_times_over)
{
	int i;

	for (i = 0; i < 200; i++) {
		close(create_persistent(self->control, self->name, 0600));
		unlink_zone(self->control, self->name);
	}
}

/* A worker of the first generation: makes the zone and works in it. */
static int work(void *arg)
{
	FIXTURE_DATA(persist) *self = arg;
	int zone = _try_create_persistent(_try_control(), self->name, 0600);
	char *data = map_data(zone, MIB, PROT_READ | PROT_WRITE);
	__u64 offset;

	if (zone < 0 || data == MAP_FAILED ||
	    _try_alloc(zone, OBJECT_BYTES, 1, &offset) != 1)
		return 1;
	fill_pattern(data + offset, OBJECT_BYTES, getpid());
	*self->shared = offset;
	raise(SIGKILL);
	return 2;
}

/* One of the second generation finds what was there, and goes on with it. */
static int go_on(void *arg)
{
	FIXTURE_DATA(persist) *self = arg;
	int zone = _try_open_zone(_try_control(), self->name, 0);
	char *data = map_data(zone, MIB, PROT_READ | PROT_WRITE);
	struct shmzone_query query;
	__u64 offset = self->shared[0], more;

	if (zone < 0 || data == MAP_FAILED || _try_query(zone, offset, &query))
		return 1;
	if (!has_pattern(data + offset, OBJECT_BYTES, self->shared[1]))
		return 2;
	if (_try_alloc(zone, OBJECT_BYTES, 1, &more) != 1 || more == offset)
		return 3;
	return _try_free_at(zone, offset) == 1 ? 0 : 4;
}

TEST_F(persist, restart_of_all_workers)
{
	pid_t worker = start_child(work, self);
	int zone;

	ASSERT_EQ(-SIGKILL, end_child(worker));
	self->shared[1] = worker;
	ASSERT_EQ(0, in_child(go_on, self));
	/* The second generation is gone as well. */
	zone = open_zone(self->control, self->name, 0);
	ASSERT_EQ(1, stat_of(zone).out_live_objects);
	close(zone);
	ASSERT_TRUE(zones_become(self->control, self->zones + 1));
}

TEST_F(persist, the_module_stays)
{
	close(create_persistent(self->control, self->name, 0600));
	close(self->control);
	ASSERT_EQ(-1, syscall(SYS_delete_module, "shmzone", O_NONBLOCK));
	ASSERT_TRUE(errno == EWOULDBLOCK || errno == EBUSY);
	self->control = control_fd();
	close(open_zone(self->control, self->name, 0));
}

static bool fill_namespace(int control, int n)
{
	char name[32];
	int i;

	for (i = 0; i < n; i++) {
		int zone;

		snprintf(name, sizeof(name), "left-%d", i);
		zone = _try_create_persistent(control, name, 0600);
		if (zone < 0)
			return false;
		close(zone);
	}
	return true;
}

static int end_with_namespace(void *arg)
{
	FIXTURE_DATA(persist) *self = arg;

	if (unshare(CLONE_NEWIPC))
		return 255;
	return fill_namespace(self->control, 100) ? 0 : 1;
}

TEST_F(persist, ends_with_its_namespace)
{
	ASSERT_EQ(0, in_child(end_with_namespace, self));
	ASSERT_TRUE(zones_become(self->control, self->zones));
}

static int end_with_namespaces(void *arg)
{
	int i;

	for (i = 0; i < 10; i++)
		if (end_with_namespace(arg))
			return 1;
	return 0;
}

TEST_F(persist, many_namespaces_end)
{
	pid_t children[4];
	int i;

	for (i = 0; i < 4; i++)
		children[i] = start_child(end_with_namespaces, self);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, end_child(children[i]));
	ASSERT_TRUE(zones_become(self->control, self->zones));
}

static int end_with_own_namespace(void *arg)
{
	FIXTURE_DATA(persist) *self = arg;

	if (!become(STRANGER, STRANGER) || !enter_user_namespace(CLONE_NEWIPC))
		return 255;
	return fill_namespace(self->control, 10) ? 0 : 1;
}

TEST_F(persist, ends_with_a_namespace_of_an_ordinary_user)
{
	ASSERT_EQ(0, in_child(end_with_own_namespace, self));
	ASSERT_TRUE(zones_become(self->control, self->zones));
}

TEST_F(persist, names_of_a_namespace_go_though_a_zone_is_in_use)
{
	int home = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
	int zone;

	ASSERT_EQ(0, unshare(CLONE_NEWIPC));
	zone = create_persistent(self->control, "used", 0600);
	ASSERT_TRUE(fill_namespace(self->control, 3));
	ASSERT_EQ(0, setns(home, CLONE_NEWIPC));
	ASSERT_TRUE(zones_become(self->control, self->zones + 1));
	free_at(zone, alloc(zone, 100));
	close(zone);
}

/* As does any reference to it. */
TEST_F(persist, an_open_file_keeps_a_namespace_without_processes)
{
	int home = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
	int other, i;

	ASSERT_EQ(0, unshare(CLONE_NEWIPC));
	ASSERT_TRUE(fill_namespace(self->control, 3));
	other = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, setns(home, CLONE_NEWIPC));
	/* Longer than the kernel waits before it looks for ended ones. */
	for (i = 0; i < 30; i++) {
		fail_open_zone(ENOENT, self->control, "left-0", 0);
		usleep(100 * 1000);
	}
	ASSERT_EQ(0, setns(other, CLONE_NEWIPC));
	close(open_zone(self->control, "left-2", 0));
	ASSERT_EQ(0, setns(home, CLONE_NEWIPC));
	close(other);
	ASSERT_TRUE(zones_become(self->control, self->zones));
}

static int race_for_name(void *arg)
{
	FIXTURE_DATA(persist) *self = arg;
	int i;

	for (i = 0; i < 300; i++) {
		int zone = i % 2 ? _try_create_named(self->control, self->name, 0600) :
				   _try_create_persistent(self->control, self->name, 0600);
		__u64 offset;

		if (zone < 0 || _try_alloc(zone, 64, 1, &offset) != 1 ||
		    _try_free_at(zone, offset) != 1)
			return 1;
		if (i % 3 == 0)
			_try_unlink_zone(self->control, self->name);
		close(zone);
	}
	return 0;
}

TEST_F(persist, create_open_unlink_and_end_race)
{
	pid_t racers[4];
	int i;

	for (i = 0; i < 4; i++)
		racers[i] = start_child(race_for_name, self);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, end_child(racers[i]));
}

TEST_HARNESS_MAIN
