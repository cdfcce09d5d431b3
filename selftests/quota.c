// SPDX-License-Identifier: GPL-2.0
/*
 * The ceilings per user, on zones and on the bytes of their limits.
 */
#include <fcntl.h>
#include <sched.h>

#include "kselftest_harness.h"
#include "utils.h"

#define ZONES		5
#define BYTES		(10 * MIB)

FIXTURE(quota) {
	unsigned long long zones_max;
	unsigned long long bytes_max;
	__u64 zones;
	int control;
};

FIXTURE_SETUP(quota)
{
	struct shmzone_info args;

	self->control = control_fd();
	info(self->control, &args);
	self->zones = args.out_zones;
	self->zones_max = get_parameter("user_zones_max");
	self->bytes_max = get_parameter("user_bytes_max");
	ASSERT_TRUE(set_parameter("user_zones_max", ZONES));
	ASSERT_TRUE(set_parameter("user_bytes_max", BYTES));
}

FIXTURE_TEARDOWN(quota)
{
	EXPECT_TRUE(set_parameter("user_zones_max", self->zones_max));
	EXPECT_TRUE(set_parameter("user_bytes_max", self->bytes_max));
	EXPECT_TRUE(zones_become(self->control, self->zones));
	close(self->control);
}

/* How many zones of that limit are to be had; all are closed again. */
static int zones_to_be_had(int control, __u64 limit)
{
	int zones[64], n = 0, error;

	while (n < 64) {
		zones[n] = _try_create_limited(control, BYTES * 10, limit);
		if (zones[n] < 0)
			break;
		n++;
	}
	error = n < 64 ? zones[n] : 0;
	for (int i = 0; i < n; i++)
		close(zones[i]);
	return error && error != -EDQUOT ? 200 : n;
}

static int count_zones(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;

	return become(OWNER, GROUP) ? zones_to_be_had(self->control, 4096) : 255;
}

static int count_bytes(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;

	return become(OWNER, GROUP) ? zones_to_be_had(self->control, 4 * MIB) : 255;
}

/* Without a limit it is the size that counts. */
static int count_sizes(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;
	int zone;

	if (!become(OWNER, GROUP))
		return 255;
	if (_try_create(self->control, BYTES + 4096) != -EDQUOT)
		return 1;
	zone = _try_create(self->control, BYTES);
	if (zone < 0 || _try_create(self->control, 8192) != -EDQUOT)
		return 2;
	close(zone);
	return _try_create(self->control, BYTES) < 0 ? 3 : 0;
}

TEST_F(quota, defaults)
{
	ASSERT_EQ(1024, self->zones_max);
	ASSERT_EQ(16 * TIB, self->bytes_max);
}

TEST_F(quota, zones)
{
	ASSERT_EQ(ZONES, in_child(count_zones, self));
	/* They were the user's only as long as they existed. */
	ASSERT_EQ(ZONES, in_child(count_zones, self));
}

TEST_F(quota, bytes)
{
	ASSERT_EQ(2, in_child(count_bytes, self));
	ASSERT_EQ(2, in_child(count_bytes, self));
	ASSERT_EQ(0, in_child(count_sizes, self));
}

TEST_F(quota, changes_count_from_then_on)
{
	ASSERT_TRUE(set_parameter("user_zones_max", 0));
	ASSERT_EQ(0, in_child(count_zones, self));
	ASSERT_TRUE(set_parameter("user_zones_max", 20));
	ASSERT_TRUE(set_parameter("user_bytes_max", 20 * MIB));
	ASSERT_EQ(20, in_child(count_zones, self));
	ASSERT_EQ(5, in_child(count_bytes, self));
	ASSERT_TRUE(set_parameter("user_bytes_max", 0));
	ASSERT_EQ(0, in_child(count_bytes, self));
}

TEST_F(quota, root_is_exempt)
{
	int zones[2 * ZONES], i;

	for (i = 0; i < 2 * ZONES; i++)
		zones[i] = create(self->control, BYTES);
	for (i = 0; i < 2 * ZONES; i++)
		set_limit(zones[i], MIB);
	for (i = 0; i < 2 * ZONES; i++)
		set_limit(zones[i], BYTES);
	for (i = 0; i < 2 * ZONES; i++)
		close(zones[i]);
}

static int count_in_user_namespace(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;

	if (!become(OWNER, GROUP) || !enter_user_namespace(CLONE_NEWIPC))
		return 255;
	return zones_to_be_had(self->control, 4096);
}

static int count_as_root_in_user_namespace(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;

	return enter_user_namespace(CLONE_NEWIPC) ?
	       zones_to_be_had(self->control, 4096) : 255;
}

TEST_F(quota, root_of_a_user_namespace_is_not)
{
	ASSERT_EQ(ZONES, in_child(count_in_user_namespace, self));
	ASSERT_EQ(ZONES, in_child(count_as_root_in_user_namespace, self));
}

/* Neither namespaces nor other processes give a user more. */
static int hold_some_and_count(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;
	int zones[ZONES - 1], i;

	if (!become(OWNER, GROUP))
		return 255;
	for (i = 0; i < ZONES - 1; i++)
		zones[i] = _try_create_limited(self->control, MIB, 4096);
	if (zones[ZONES - 2] < 0)
		return 200;
	if (!enter_user_namespace(CLONE_NEWIPC))
		return 255;
	return zones_to_be_had(self->control, 4096);
}

TEST_F(quota, is_the_users_not_the_processs)
{
	ASSERT_EQ(1, in_child(hold_some_and_count, self));
	ASSERT_EQ(ZONES, in_child(count_zones, self));
}

struct held {
	FIXTURE_DATA(quota) *self;
	int zone;
};

/* Another user's zones are no matter. */
static int count_as_other(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;

	return become(STRANGER, STRANGER) ? zones_to_be_had(self->control, 4096) : 255;
}

/* The real user counts, and what is closed is given back at once. */
static int hold_while_others_count(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;
	int zones[ZONES], i;

	if (setresuid(OWNER, 0, 0))
		return 255;
	for (i = 0; i < ZONES; i++)
		zones[i] = _try_create_limited(self->control, MIB, 4096);
	if (zones[ZONES - 1] < 0)
		return 1;
	if (in_child(count_as_other, self) != ZONES)
		return 2;
	if (in_child(count_zones, self) != 0)
		return 3;
	close(zones[0]);
	for (i = 0; i < 2; i++)
		if (in_child(count_zones, self) != 1)
			return 4;
	return 0;
}

TEST_F(quota, each_user_has_its_own)
{
	ASSERT_EQ(0, in_child(hold_while_others_count, self));
}

/* SET_LIMIT adjusts what is charged: see the header on lowering. */
static int change_limits(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;
	int a, b;
	__u64 object;

	if (!become(OWNER, GROUP))
		return 255;
	a = _try_create_limited(self->control, BYTES, 6 * MIB);
	b = _try_create_limited(self->control, BYTES, 2 * MIB);
	if (a < 0 || b < 0)
		return 1;
	if (_try_set_limit(b, 4 * MIB + 4096) != -EDQUOT ||
	    _try_set_limit(b, 0) != -EDQUOT || _try_set_limit(b, 4 * MIB))
		return 2;
	if (_try_set_limit(a, MIB) || _try_set_limit(b, 9 * MIB) ||
	    _try_set_limit(b, 9 * MIB + 4096) != -EDQUOT)
		return 3;
	/* What is taken stays charged whatever the limit. */
	if (_try_alloc(b, 5 * MIB, 1, &object) != 1 || _try_set_limit(b, 4096))
		return 4;
	if (_try_set_limit(a, 5 * MIB + 4096) != -EDQUOT ||
	    _try_set_limit(a, 5 * MIB))
		return 5;
	if (_try_free_at(b, object) != 1 || _try_set_limit(b, 4096))
		return 6;
	return _try_set_limit(a, BYTES - 4096) ? 7 : 0;
}

TEST_F(quota, set_limit)
{
	ASSERT_EQ(0, in_child(change_limits, self));
	ASSERT_EQ(2, in_child(count_bytes, self));
}

/* The creator is charged, even for what others raise. */
static int raise_anothers(void *arg)
{
	struct held *held = arg;

	if (!become(STRANGER, STRANGER))
		return 255;
	if (_try_set_limit(held->zone, BYTES + 4096) != -EDQUOT)
		return 1;
	if (_try_set_limit(held->zone, BYTES))
		return 2;
	/* And not who raised it. */
	return zones_to_be_had(held->self->control, 4096) == ZONES ? 0 : 3;
}

static int create_and_have_raised(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;
	struct held held = { .self = self };

	if (setresuid(OWNER, 0, 0))
		return 255;
	held.zone = _try_create_limited(self->control, 2 * BYTES, MIB);
	if (held.zone < 0)
		return 10;
	return in_child(raise_anothers, &held);
}

TEST_F(quota, the_creator_is_charged)
{
	ASSERT_EQ(0, in_child(create_and_have_raised, self));
}

static int leave_persistent(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;
	int zone;

	if (!become(OWNER, GROUP))
		return 255;
	zone = _try_create_persistent(self->control, "selftest-charged", 0600);
	return zone < 0;
}

TEST_F(quota, charged_for_as_long_as_it_persists)
{
	ASSERT_EQ(0, in_child(leave_persistent, self));
	EXPECT_EQ(ZONES - 1, in_child(count_zones, self));
	unlink_zone(self->control, "selftest-charged");
	ASSERT_EQ(ZONES, in_child(count_zones, self));
}

static int fill_to_the_brim(void *arg)
{
	FIXTURE_DATA(quota) *self = arg;
	int i;

	if (!become(OWNER, GROUP))
		return 255;
	for (i = 0; i < 300; i++) {
		int had = zones_to_be_had(self->control, 4096);

		if (had > ZONES)
			return had;
	}
	return 0;
}

TEST_F(quota, in_a_race)
{
	pid_t racers[4];
	int i;

	for (i = 0; i < 4; i++)
		racers[i] = start_child(fill_to_the_brim, self);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, end_child(racers[i]));
	ASSERT_EQ(ZONES, in_child(count_zones, self));
}

TEST_HARNESS_MAIN
