// SPDX-License-Identifier: GPL-2.0
/*
 * CREATE, and the life of zones: what is accepted, and that a zone goes when
 * its last descriptor and mapping have gone, and not before.
 */
#include <fcntl.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "utils.h"

FIXTURE(zone) {
	__u64 zones;		/* that existed before */
	int control;
};

FIXTURE_SETUP(zone)
{
	struct shmzone_info args;

	self->control = control_fd();
	info(self->control, &args);
	self->zones = args.out_zones;
}

FIXTURE_TEARDOWN(zone)
{
	EXPECT_TRUE(zones_become(self->control, self->zones));
	close(self->control);
}

static __u64 refusals(int control)
{
	struct shmzone_info args = {};

	_try_info(control, &args);
	return args.out_refused_calls;
}

TEST_F(zone, sizes_that_are_none)
{
	size_t page = page_bytes();
	const __u64 bad[] = { 0, 1, page - 1, page, page + 1, 2 * page - 1,
			      2 * page + 8, MIB + 1, MIB + page / 2 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		fail_create(EINVAL, self->control, bad[i]);
}

TEST_F(zone, sizes_beyond_the_largest)
{
	static const __u64 bad[] = { 16 * TIB + 4096, 32 * TIB, 1ULL << 62,
				     1ULL << 63, 0 - 4096ULL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		fail_create(EOVERFLOW, self->control, bad[i]);
}

TEST_F(zone, sizes_that_are_fine)
{
	const __u64 fine[] = { 2 * page_bytes(), 3 * page_bytes(), MIB,
			       5 * GIB + page_bytes(), TIB, 16 * TIB };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fine); i++) {
		int zone = create(self->control, fine[i]);

		ASSERT_EQ(fine[i], stat_of(zone).out_zone_bytes);
		close(zone);
	}
}

TEST_F(zone, limits)
{
	size_t page = page_bytes();
	const __u64 bad[] = { 1, page - 1, page + 8, MIB + page, 1ULL << 63,
			      0 - (__u64)page };
	const __u64 fine[] = { page, 2 * page, MIB - page, MIB };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ASSERT_EQ(-EINVAL, _try_create_limited(self->control, MIB, bad[i]));
	for (i = 0; i < ARRAY_SIZE(fine); i++) {
		int zone = create_limited(self->control, MIB, fine[i]);

		ASSERT_EQ(fine[i], stat_of(zone).out_limit_bytes);
		close(zone);
	}
}

TEST_F(zone, name_arguments_without_a_name)
{
	static const struct {
		struct shmzone_create args;
		int error;
	} bad[] = {
		{ { .flags = SHMZONE_CREATE_EXCL }, EINVAL },
		{ { .mode = 0600 }, EINVAL },
		{ { .name_len = 1 }, EINVAL },
		{ { .name = 4096, .name_len = 0 }, EINVAL },
	};
	__u64 before = refusals(self->control);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct shmzone_create args = bad[i].args;

		args.size = sizeof(args);
		args.zone_bytes = MIB;
		fail_call(bad[i].error, self->control, SHMZONE_CREATE, &args);
	}
	ASSERT_EQ(before + ARRAY_SIZE(bad), refusals(self->control));
}

TEST_F(zone, a_terabyte_costs_what_a_megabyte_does)
{
	int small = create(self->control, MIB);
	int large = create(self->control, TIB);
	int largest = create(self->control, 16 * TIB);
	__u64 offset = alloc(largest, 64);
	__u64 far = alloc(largest, 10 * TIB);
	char *data;

	ASSERT_GE(stat_of(small).out_kernel_bytes + 64 * KIB,
		  stat_of(large).out_kernel_bytes);
	ASSERT_GT(far + 10 * TIB, 10 * TIB);
	data = map_data_ok(largest, 16 * TIB, PROT_READ | PROT_WRITE);
	data[offset] = 1;
	data[far + 10 * TIB - 1] = 2;
	ASSERT_EQ(2 * page_bytes(), stat_of(largest).out_resident_bytes);
	free_at(largest, far);
	ASSERT_EQ(0, munmap(data, 16 * TIB));
	close(small);
	close(large);
	close(largest);
}

TEST_F(zone, a_whole_terabyte_as_one_span)
{
	int zone = create(self->control, TIB);
	__u64 span = alloc(zone, TIB - page_bytes());

	fail_alloc(ENOMEM, zone, 1, 1, &span);
	free_at(zone, page_bytes());
	ASSERT_EQ(0, stat_of(zone).out_taken_bytes);
	close(zone);
}

TEST_F(zone, descriptors_are_close_on_exec)
{
	const char *name = fresh_name();
	int fds[] = { create(self->control, MIB),
		      create_named(self->control, name, 0600),
		      create_named(self->control, name, 0600),
		      open_zone(self->control, name, 0),
		      open_zone(self->control, name, SHMZONE_OPEN_RDONLY) };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_EQ(FD_CLOEXEC, fcntl(fds[i], F_GETFD));
		close(fds[i]);
	}
}

TEST_F(zone, descriptor_modes)
{
	const char *name = fresh_name();
	int writer = create_named(self->control, name, 0600);
	int reader = open_zone(self->control, name, SHMZONE_OPEN_RDONLY);

	ASSERT_EQ(O_RDWR, fcntl(writer, F_GETFL) & O_ACCMODE);
	ASSERT_EQ(O_RDONLY, fcntl(reader, F_GETFL) & O_ACCMODE);
	close(writer);
	close(reader);
}

TEST_F(zone, no_descriptor_is_left)
{
	struct rlimit few = { .rlim_cur = 16, .rlim_max = 4096 };
	const char *name = fresh_name();
	int last = create_named(self->control, name, 0600);
	int fds[16], n = 0, ret;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	while ((ret = _try_create(self->control, MIB)) >= 0)
		fds[n++] = ret;
	ASSERT_EQ(-EMFILE, ret);
	fail_create_named(EMFILE, self->control, "selftest-never", 0600);
	fail_open_zone(EMFILE, self->control, name, 0);
	while (n)
		close(fds[--n]);
	/* What could not be had is not there. */
	fail_open_zone(ENOENT, self->control, "selftest-never", 0);
	close(last);
}

TEST_F(zone, goes_with_its_last_descriptor)
{
	int zone = create(self->control, MIB);
	int copy = dup(zone);
	__u64 offset = alloc(zone, 64);

	close(zone);
	free_at(copy, offset);
	ASSERT_TRUE(zones_become(self->control, self->zones + 1));
	close(copy);
	ASSERT_TRUE(zones_become(self->control, self->zones));
}

TEST_F(zone, stays_while_it_is_mapped)
{
	int zone = create(self->control, MIB);
	char *data = map_data_ok(zone, MIB, PROT_READ | PROT_WRITE);
	void *pages = map_pages_ok(zone, MIB, PROT_READ);
	int i;

	data[5 * page_bytes()] = 42;
	close(zone);
	ASSERT_EQ(42, data[5 * page_bytes()]);
	data[6 * page_bytes()] = 43;
	/* Neither part of it nor the page map may let it go. */
	ASSERT_EQ(0, munmap(data, 6 * page_bytes()));
	for (i = 0; i < 5; i++)
		ASSERT_TRUE(zones_become(self->control, self->zones + 1));
	ASSERT_EQ(43, data[6 * page_bytes()]);
	ASSERT_EQ(0, munmap(data, MIB));
	ASSERT_TRUE(zones_become(self->control, self->zones + 1));
	ASSERT_EQ(0, touch_read(pages));
	ASSERT_EQ(0, munmap(pages, page_bytes()));
	ASSERT_TRUE(zones_become(self->control, self->zones));
}

static int map_and_die(void *arg)
{
	int zone = *(int *)arg;
	char *data = map_data(zone, MIB, PROT_READ | PROT_WRITE);

	data[0] = 1;
	raise(SIGKILL);
	return 0;
}

TEST_F(zone, killed_users_let_go)
{
	int zone = create(self->control, MIB);
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(-SIGKILL, in_child(map_and_die, &zone));
	close(zone);
}

static int create_and_die(void *arg)
{
	int control = *(int *)arg;
	int i;

	for (i = 0; i < 5; i++) {
		int zone = _try_create(control, GIB);
		char *data = map_data(zone, GIB, PROT_READ | PROT_WRITE);
		__u64 offset;

		if (_try_alloc(zone, 100000, 1, &offset) == 1)
			memset(data + offset, 1, 100000);
	}
	raise(SIGKILL);
	return 0;
}

TEST_F(zone, zones_of_a_killed_process_go)
{
	ASSERT_EQ(-SIGKILL, in_child(create_and_die, &self->control));
	ASSERT_TRUE(zones_become(self->control, self->zones));
}

TEST_F(zone, live_objects_go_with_it)
{
	static __u64 offsets[SHMZONE_BATCH_MAX];
	int zone = create(self->control, GIB);
	__u32 group;

	for (group = 0; group < SHMZONE_GROUPS; group++)
		ASSERT_EQ(SHMZONE_BATCH_MAX,
			  _try_alloc_in(zone, group, 100, SHMZONE_BATCH_MAX, offsets));
	alloc_objects(zone, 50000, 100, offsets);
	close(zone);
	ASSERT_TRUE(zones_become(self->control, self->zones));
}

TEST_F(zone, many_zones_at_once)
{
	int zones[200], i;

	for (i = 0; i < 200; i++) {
		zones[i] = create(self->control, GIB);
		ASSERT_LT(0, alloc(zones[i], 1 + i));
	}
	for (i = 0; i < 200; i++)
		ASSERT_EQ(1, stat_of(zones[i]).out_live_objects);
	for (i = 0; i < 200; i++)
		close(zones[i]);
}

TEST_HARNESS_MAIN
