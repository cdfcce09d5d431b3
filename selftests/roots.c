// SPDX-License-Identifier: GPL-2.0
/*
 * Roots: ROOT_GET, ROOT_SET and ROOT_LIST, alone and between processes.
 */
#include <grp.h>

#include "kselftest_harness.h"
#include "utils.h"

#define NOBODY	65534

#define ROOTS_MAX	SHMZONE_ROOTS_MAX

static int try_get(int zone, const char *name, __u64 *offset)
{
	struct shmzone_root_get args = { SIZED(shmzone_root_get), NAMED(name) };
	int ret = _try_call(zone, SHMZONE_ROOT_GET, &args);

	*offset = args.out_offset;
	return ret;
}

static int try_change(int zone, __u32 flags, const char *name, __u64 expected,
		      __u64 offset, __u64 *old)
{
	struct shmzone_root_set args = {
		SIZED(shmzone_root_set),
		.flags = flags,
		NAMED(name),
		.expected = expected,
		.offset = offset,
		.out_old = 12345,
	};
	int ret = _try_call(zone, SHMZONE_ROOT_SET, &args);

	if (old)
		*old = args.out_old;
	return ret;
}

static int try_set(int zone, const char *name, __u64 offset)
{
	return try_change(zone, 0, name, 0, offset, NULL);
}

static int try_cas(int zone, const char *name, __u64 expected, __u64 offset, __u64 *old)
{
	return try_change(zone, SHMZONE_ROOT_SET_CAS, name, expected, offset, old);
}

static int try_list(int zone, const char *after, struct shmzone_root *roots, __u32 count)
{
	struct shmzone_root_list args = {
		SIZED(shmzone_root_list),
		.roots = to_u64(roots),
		.count = count,
		.root_size = sizeof(*roots),
		.after = to_u64(after),
		.after_len = strlen(after),
	};
	int ret = _try_call(zone, SHMZONE_ROOT_LIST, &args);

	return ret < 0 ? ret : (int)args.out_count;
}

#define set(...)	ASSERT_EQ(0, try_set(__VA_ARGS__))
#define swap(...)	ASSERT_EQ(0, try_cas(__VA_ARGS__))

#define has_value(zone, name, value)					\
do {									\
	__u64 _value = 12345;						\
									\
	ASSERT_EQ(0, try_get(zone, name, &_value));			\
	ASSERT_EQ(value, _value);					\
} while (0)

FIXTURE(roots) {
	struct shmzone_root list[ROOTS_MAX + 1];
	__u64 a;
	__u64 b;
	int control;
	int zone;
};

FIXTURE_SETUP(roots)
{
	self->control = control_fd();
	self->zone = create(self->control, 64 * MIB);
	self->a = alloc(self->zone, 100);
	self->b = alloc(self->zone, 100000);
}

FIXTURE_TEARDOWN(roots)
{
	close(self->zone);
	close(self->control);
}

TEST_F(roots, absent_is_zero)
{
	has_value(self->zone, "a", 0);
	ASSERT_EQ(0, try_list(self->zone, "", self->list, 10));
	/* Nothing is there to be removed, which is fine. */
	set(self->zone, "a", 0);
	has_value(self->zone, "a", 0);
}

TEST_F(roots, set_get_change_remove)
{
	__u64 old;

	ASSERT_EQ(0, try_change(self->zone, 0, "a", 0, self->a, &old));
	ASSERT_EQ(0, old);
	has_value(self->zone, "a", self->a);
	has_value(self->zone, "aa", 0);
	ASSERT_EQ(0, try_change(self->zone, 0, "a", 0, self->b, &old));
	ASSERT_EQ(self->a, old);
	has_value(self->zone, "a", self->b);
	ASSERT_EQ(0, try_change(self->zone, 0, "a", 0, 0, &old));
	ASSERT_EQ(self->b, old);
	has_value(self->zone, "a", 0);
}

TEST_F(roots, each_zone_has_its_own)
{
	int other = create(self->control, MIB);

	set(self->zone, "a", self->a);
	has_value(other, "a", 0);
	ASSERT_EQ(0, try_list(other, "", self->list, 10));
}

TEST_F(roots, compare_and_swap)
{
	__u64 old;

	/* From absent; not if there is one; from what is there; to absent. */
	swap(self->zone, "a", 0, self->a, &old);
	ASSERT_EQ(0, old);
	ASSERT_EQ(-EAGAIN, try_cas(self->zone, "a", 0, self->b, &old));
	ASSERT_EQ(self->a, old);
	ASSERT_EQ(-EAGAIN, try_cas(self->zone, "a", self->b, self->b, &old));
	ASSERT_EQ(self->a, old);
	has_value(self->zone, "a", self->a);
	swap(self->zone, "a", self->a, self->b, &old);
	ASSERT_EQ(self->a, old);
	ASSERT_EQ(-EAGAIN, try_cas(self->zone, "a", self->a, 0, &old));
	has_value(self->zone, "a", self->b);
	swap(self->zone, "a", self->b, 0, &old);
	has_value(self->zone, "a", 0);
	/* Absent is not just any value. */
	ASSERT_EQ(-EAGAIN, try_cas(self->zone, "a", self->a, self->b, &old));
	ASSERT_EQ(0, old);
	has_value(self->zone, "a", 0);
	swap(self->zone, "a", 0, 0, &old);
}

TEST_F(roots, expected_value_without_compare_and_swap)
{
	ASSERT_EQ(-EINVAL, try_change(self->zone, 0, "a", self->a, self->b, NULL));
	has_value(self->zone, "a", 0);
}

TEST_F(roots, only_live_objects)
{
	const __u64 bad[] = {
		1, 8, self->a + 1, self->a + 8, self->b + page_bytes(),
		64 * MIB - page_bytes(), 64 * MIB, UINT64_MAX,
	};
	struct shmzone_stat before = stat_of(self->zone), after;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(-EINVAL, try_set(self->zone, "a", bad[i]));
		ASSERT_EQ(-EINVAL, try_cas(self->zone, "a", 0, bad[i], NULL));
	}
	free_at(self->zone, self->a);
	ASSERT_EQ(-EINVAL, try_set(self->zone, "a", self->a));
	has_value(self->zone, "a", 0);
	/* These are no bad frees, and no refused calls either. */
	after = stat_of(self->zone);
	ASSERT_EQ(before.out_bad_interior, after.out_bad_interior);
	ASSERT_EQ(before.out_refused_calls, after.out_refused_calls);
}

TEST_F(roots, free_does_not_look_at_roots)
{
	__u64 old;

	set(self->zone, "a", self->a);
	free_at(self->zone, self->a);
	has_value(self->zone, "a", self->a);
	/* It can still be compared with, and removed. */
	swap(self->zone, "a", self->a, self->b, &old);
	has_value(self->zone, "a", self->b);
}

static const unsigned long commands[] = { SHMZONE_ROOT_GET, SHMZONE_ROOT_SET };

static int try_name(int zone, unsigned long cmd, const void *name, __u32 len)
{
	struct shmzone_root_get get = {
		SIZED(shmzone_root_get),
		.name = to_u64(name),
		.name_len = len,
	};
	struct shmzone_root_set set = {
		SIZED(shmzone_root_set),
		.name = to_u64(name),
		.name_len = len,
	};

	return _try_call(zone, cmd, cmd == SHMZONE_ROOT_GET ? (void *)&get : (void *)&set);
}

TEST_F(roots, names_that_are_refused)
{
	static char longest[4096];
	static const struct {
		const void *name;
		__u32 len;
		int error;
	} bad[] = {
		{ "x", 0, EINVAL },
		{ longest, SHMZONE_ROOT_NAME_MAX + 1, ENAMETOOLONG },
		{ longest, 4096, ENAMETOOLONG },
		{ longest, UINT32_MAX, ENAMETOOLONG },
		{ "\0", 1, EINVAL },
		{ "a\0b", 3, EINVAL },
		{ "ab", 3, EINVAL },
		{ NULL, 1, EFAULT },
		{ (void *)8, 1, EFAULT },
		{ (void *)-1L, 1, EFAULT },
		{ (void *)-63L, 63, EFAULT },
	};
	__u64 refused = stat_of(self->zone).out_refused_calls;
	size_t i, j;

	memset(longest, 'x', sizeof(longest));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		for (j = 0; j < ARRAY_SIZE(commands); j++)
			ASSERT_EQ(-bad[i].error, try_name(self->zone, commands[j],
							  bad[i].name, bad[i].len));
	ASSERT_EQ(refused + ARRAY_SIZE(bad) * 2, stat_of(self->zone).out_refused_calls);
}

TEST_F(roots, longest_and_shortest_and_strangest)
{
	static const char *const names[] = {
		"\001", "\n", "/", "a", "a ", "aa", "b", "\177", "\200", "\377\376",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx2",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		set(self->zone, names[i], i % 2 ? self->a : self->b);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		has_value(self->zone, names[i], i % 2 ? self->a : self->b);
	ASSERT_EQ(ARRAY_SIZE(names), try_list(self->zone, "", self->list, 100));
	for (i = 1; i < ARRAY_SIZE(names); i++)
		ASSERT_GT(0, strcmp(self->list[i - 1].name, self->list[i].name));
}

TEST_F(roots, full_table)
{
	__u64 kernel = stat_of(self->zone).out_kernel_bytes;
	char name[16];
	int i;

	for (i = 0; i < ROOTS_MAX; i++) {
		snprintf(name, sizeof(name), "root-%d", i);
		set(self->zone, name, self->a);
	}
	ASSERT_LT(kernel, stat_of(self->zone).out_kernel_bytes);
	ASSERT_EQ(-ENOSPC, try_set(self->zone, "one more", self->a));
	ASSERT_EQ(-ENOSPC, try_cas(self->zone, "one more", 0, self->a, NULL));
	/* What exists can be changed; what is removed makes room. */
	set(self->zone, "root-7", self->b);
	set(self->zone, "root-8", 0);
	set(self->zone, "one more", self->a);
	ASSERT_EQ(-ENOSPC, try_set(self->zone, "root-8", self->a));
	ASSERT_EQ(ROOTS_MAX, try_list(self->zone, "", self->list, ROOTS_MAX + 1));
	for (i = 0; i < ROOTS_MAX; i++)
		set(self->zone, self->list[i].name, 0);
	ASSERT_EQ(kernel, stat_of(self->zone).out_kernel_bytes);
}

TEST_F(roots, list_in_order_and_in_pieces)
{
	static const char *const names[] = { "d", "b", "a", "c", "bb" };
	static const char *const sorted[] = { "a", "b", "bb", "c", "d" };
	size_t i;

	for (i = 0; i < 5; i++)
		set(self->zone, names[i], self->a);
	memset(self->list, 0xa5, sizeof(self->list));
	ASSERT_EQ(5, try_list(self->zone, "", self->list, 6));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, strcmp(sorted[i], self->list[i].name));
		ASSERT_EQ(strlen(sorted[i]), self->list[i].name_len);
		ASSERT_EQ(self->a, self->list[i].offset);
		ASSERT_EQ(0, self->list[i].__reserved);
		ASSERT_TRUE(all_bytes(self->list[i].name + self->list[i].name_len,
				      64 - self->list[i].name_len, 0));
	}
	ASSERT_TRUE(all_bytes(&self->list[5], sizeof(self->list[5]), 0xa5));
	/* Go on after a name, be it there or not. */
	ASSERT_EQ(2, try_list(self->zone, "", self->list, 2));
	ASSERT_EQ(2, try_list(self->zone, self->list[1].name, self->list, 2));
	ASSERT_EQ(0, strcmp("bb", self->list[0].name));
	set(self->zone, "c", 0);
	ASSERT_EQ(1, try_list(self->zone, "c", self->list, 2));
	ASSERT_EQ(0, strcmp("d", self->list[0].name));
	ASSERT_EQ(0, try_list(self->zone, "d", self->list, 2));
	ASSERT_EQ(0, try_list(self->zone, "zzz", self->list, 2));
}

TEST_F(roots, list_that_is_refused)
{
	struct shmzone_root_list fine = {
		SIZED(shmzone_root_list),
		.roots = to_u64(self->list),
		.count = 1,
		.root_size = sizeof(self->list[0]),
	}, args = fine;

	set(self->zone, "a", self->a);
	args.count = 0;
	fail_call(EINVAL, self->zone, SHMZONE_ROOT_LIST, &args);
	args = fine;
	args.root_size = sizeof(self->list[0]) - 1;
	fail_call(EINVAL, self->zone, SHMZONE_ROOT_LIST, &args);
	args.root_size = page_bytes() + 1;
	fail_call(E2BIG, self->zone, SHMZONE_ROOT_LIST, &args);
	args = fine;
	args.after_len = 1;
	fail_call(EFAULT, self->zone, SHMZONE_ROOT_LIST, &args);
	args.after = to_u64("\0");
	fail_call(EINVAL, self->zone, SHMZONE_ROOT_LIST, &args);
	args.after_len = SHMZONE_ROOT_NAME_MAX + 1;
	fail_call(ENAMETOOLONG, self->zone, SHMZONE_ROOT_LIST, &args);
	args = fine;
	args.roots = 8;
	fail_call(EFAULT, self->zone, SHMZONE_ROOT_LIST, &args);
	call(self->zone, SHMZONE_ROOT_LIST, &fine);
	ASSERT_EQ(1, fine.out_count);
}

TEST_F(roots, entries_longer_than_the_kernel_knows)
{
	char *entries = malloc(200);
	struct shmzone_root_list args = {
		SIZED(shmzone_root_list),
		.roots = to_u64(entries),
		.count = 2,
		.root_size = 100,
	};

	memset(entries, 0xa5, 200);
	set(self->zone, "a", self->a);
	call(self->zone, SHMZONE_ROOT_LIST, &args);
	ASSERT_EQ(1, args.out_count);
	ASSERT_TRUE(all_bytes(entries + 80, 20, 0));
	ASSERT_TRUE(all_bytes(entries + 100, 100, 0xa5));
	free(entries);
}

TEST_F(roots, read_only_descriptor)
{
	const char *name = fresh_name();
	int zone = create_named(self->control, name, 0600);
	int reader = open_zone(self->control, name, SHMZONE_OPEN_RDONLY);
	__u64 offset = alloc(zone, 64);

	set(zone, "a", offset);
	has_value(reader, "a", offset);
	ASSERT_EQ(1, try_list(reader, "", self->list, 10));
	ASSERT_EQ(-EACCES, try_set(reader, "a", 0));
	ASSERT_EQ(-EACCES, try_set(reader, "b", offset));
	ASSERT_EQ(-EACCES, try_cas(reader, "a", offset, 0, NULL));
	has_value(reader, "a", offset);
}

/* The descriptor is all that it takes. */
static int use_as_nobody(void *arg)
{
	FIXTURE_DATA(roots) *self = arg;
	__u64 offset = 0;

	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	if (try_get(self->zone, "a", &offset) || offset != self->a)
		return 2;
	if (try_cas(self->zone, "a", self->a, self->b, NULL))
		return 3;
	return try_list(self->zone, "", self->list, 10) == 1 ? 0 : 4;
}

TEST_F(roots, unprivileged_user_with_a_descriptor)
{
	set(self->zone, "a", self->a);
	ASSERT_EQ(0, in_child(use_as_nobody, self));
	has_value(self->zone, "a", self->b);
}

/* One object each; 0 if its own became the root, 1 if it was another's. */
static int race_for_root(void *arg)
{
	FIXTURE_DATA(roots) *self = arg;
	__u64 offset, old;
	int ret;

	if (_try_alloc(self->zone, 64, 1, &offset) != 1)
		return 10;
	ret = try_cas(self->zone, "race", 0, offset, &old);
	if (!ret)
		return 0;
	if (ret != -EAGAIN || !old || old == offset)
		return 11;
	return _try_free_at(self->zone, offset) == 1 ? 1 : 12;
}

TEST_F(roots, one_of_many_processes_wins)
{
	pid_t children[8];
	int i, round, results;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 8; i++)
			children[i] = start_child(race_for_root, self);
		for (results = 0, i = 0; i < 8; i++)
			results += end_child(children[i]);
		ASSERT_EQ(7, results);
		ASSERT_EQ(3 + round, stat_of(self->zone).out_live_objects);
		set(self->zone, "race", 0);
	}
}

/* Swap for a thousand times what is there between two objects. */
static int swap_about(void *arg)
{
	FIXTURE_DATA(roots) *self = arg;
	__u64 value = 0, old;
	int i, ret, swaps = 0;

	for (i = 0; i < 2000; i++) {
		ret = try_cas(self->zone, "shared", value,
			      value == self->a ? self->b : self->a, &old);
		if (ret && ret != -EAGAIN)
			return 255;
		swaps += !ret;
		value = ret ? old : value == self->a ? self->b : self->a;
		if (value && value != self->a && value != self->b)
			return 254;
		if (!ret && i % 7 == 0) {
			if (try_set(self->zone, "shared", 0))
				return 253;
			value = 0;
		}
	}
	return swaps ? 0 : 252;
}

TEST_F(roots, swaps_sets_and_lists_at_the_same_time)
{
	pid_t children[3];
	int i, n;

	for (i = 0; i < 3; i++)
		children[i] = start_child(swap_about, self);
	set(self->zone, "always", self->a);
	for (i = 0; i < 1000; i++) {
		n = try_list(self->zone, "", self->list, 10);
		ASSERT_TRUE(n == 1 || n == 2);
		ASSERT_EQ(0, strcmp("always", self->list[0].name));
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, end_child(children[i]));
}

TEST_HARNESS_MAIN
