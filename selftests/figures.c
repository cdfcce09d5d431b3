// SPDX-License-Identifier: GPL-2.0
/*
 * STAT and CLASS_STAT: the figures agree with what was done.
 */
#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(64 * MIB)

FIXTURE(figures) {
	struct shmzone_class classes[SHMZONE_CLASSES];
	__u64 offsets[SHMZONE_BATCH_MAX];
	int control;
	int zone;
};

FIXTURE_SETUP(figures)
{
	struct shmzone_info args = {
		SIZED(shmzone_info),
		.classes = to_u64(self->classes),
		.class_count = SHMZONE_CLASSES,
		.class_size = sizeof(self->classes[0]),
	};

	self->control = control_fd();
	call(self->control, SHMZONE_INFO, &args);
	self->zone = create_limited(self->control, ZONE_BYTES, ZONE_BYTES / 2);
}

FIXTURE_TEARDOWN(figures)
{
	close(self->zone);
	close(self->control);
}

TEST_F(figures, empty_zone)
{
	struct shmzone_stat stat;
	char *figures = (char *)&stat;

	stat = stat_of(self->zone);
	ASSERT_LT(0, stat.out_id);
	ASSERT_EQ(ZONE_BYTES, stat.out_zone_bytes);
	ASSERT_EQ(ZONE_BYTES / 2, stat.out_limit_bytes);
	ASSERT_GT(64 * KIB, stat.out_kernel_bytes);
	stat.out_kernel_bytes = 0;
	ASSERT_TRUE(all_bytes(figures + offsetof(struct shmzone_stat, out_taken_bytes),
			      sizeof(stat) - offsetof(struct shmzone_stat,
						      out_taken_bytes), 0));
}

TEST_F(figures, no_limit_is_the_size)
{
	int zone = create(self->control, ZONE_BYTES);

	ASSERT_EQ(ZONE_BYTES, stat_of(zone).out_limit_bytes);
}

TEST_F(figures, an_empty_slab_is_held_for_a_while_only)
{
	struct shmzone_stat stat;
	__u64 offset = alloc(self->zone, 64);

	free_at(self->zone, offset);
	stat = stat_of(self->zone);
	/* It may be gone already, where time is slow. */
	ASSERT_GE(1, stat.out_slabs);
	ASSERT_EQ(stat.out_slabs * 4 * page_bytes(), stat.out_taken_bytes);
	ASSERT_TRUE(slabs_become(self->zone, 0));
	ASSERT_EQ(0, stat_of(self->zone).out_taken_bytes);
	offset = alloc(self->zone, 64);
	ASSERT_EQ(1, stat_of(self->zone).out_slabs);
	ASSERT_TRUE(zone_consistent(self->zone));
}

TEST_F(figures, check_is_there_where_it_was_built)
{
	struct shmzone_check check = { SIZED(shmzone_check), .out_text = "?" };

	if (!kernel_debugs()) {
		fail_call(ENOTTY, self->zone, SHMZONE_CHECK, &check);
		return;
	}
	alloc(self->zone, 64);
	call(self->zone, SHMZONE_CHECK, &check);
	ASSERT_STREQ("", check.out_text);
	fail_call(ENOTTY, self->control, SHMZONE_CHECK, &check);
	check.flags = 1;
	fail_call(EOPNOTSUPP, self->zone, SHMZONE_CHECK, &check);
}

TEST_F(figures, ids_are_not_used_again)
{
	__u64 last = stat_of(self->zone).out_id;
	int i;

	for (i = 0; i < 20; i++) {
		int zone = create(self->control, MIB);
		__u64 id = stat_of(zone).out_id;

		ASSERT_LT(last, id);
		last = id;
		close(zone);
	}
}

TEST_F(figures, one_slot)
{
	__u64 slot = alloc(self->zone, 50);
	struct shmzone_stat stat;

	stat = stat_of(self->zone);
	EXPECT_EQ(1, stat.out_live_objects);
	EXPECT_EQ(56, stat.out_live_bytes);
	EXPECT_EQ(1, stat.out_slabs);
	EXPECT_EQ(0, stat.out_spans);
	EXPECT_EQ(7 * page_bytes(), stat.out_taken_bytes);
	EXPECT_EQ(1, stat.out_requests);
	EXPECT_EQ(0, stat.out_failures);
	free_at(self->zone, slot);
	stat = stat_of(self->zone);
	EXPECT_EQ(0, stat.out_live_objects);
	EXPECT_EQ(0, stat.out_live_bytes);
	EXPECT_EQ(1, stat.out_requests);
	EXPECT_EQ(1, stat.out_frees);
}

TEST_F(figures, one_span)
{
	__u64 span = alloc(self->zone, 50000);
	__u64 bytes = 13 * page_bytes();
	struct shmzone_stat stat;

	stat = stat_of(self->zone);
	EXPECT_EQ(1, stat.out_live_objects);
	EXPECT_EQ(bytes, stat.out_live_bytes);
	EXPECT_EQ(0, stat.out_slabs);
	EXPECT_EQ(1, stat.out_spans);
	EXPECT_EQ(bytes, stat.out_taken_bytes);
	free_at(self->zone, span);
	stat = stat_of(self->zone);
	EXPECT_EQ(0, stat.out_spans);
	EXPECT_EQ(0, stat.out_taken_bytes);
}

TEST_F(figures, requests_and_failures)
{
	struct shmzone_class_figures spans;
	struct shmzone_stat stat;

	alloc_objects(self->zone, 64, 100, self->offsets);
	fail_alloc(ENOMEM, self->zone, ZONE_BYTES, 7, self->offsets);
	free_all(self->zone, self->offsets, 60);
	stat = stat_of(self->zone);
	EXPECT_EQ(107, stat.out_requests);
	EXPECT_EQ(7, stat.out_failures);
	EXPECT_EQ(60, stat.out_frees);
	EXPECT_EQ(40, stat.out_live_objects);
	class_stat(self->zone, SHMZONE_CLASS_SPAN, SHMZONE_GROUP_ALL, &spans);
	EXPECT_EQ(7, spans.requests);
	EXPECT_EQ(7, spans.failures);
	EXPECT_EQ(0, spans.used);
}

TEST_F(figures, refused_calls_ask_for_nothing)
{
	fail_alloc(EINVAL, self->zone, 64, 0, self->offsets);
	fail_alloc(EINVAL, self->zone, 0, 1, self->offsets);
	EXPECT_EQ(0, stat_of(self->zone).out_requests);
	EXPECT_EQ(0, stat_of(self->zone).out_failures);
	EXPECT_EQ(2, stat_of(self->zone).out_refused_calls);
}

TEST_F(figures, classes_with_nothing)
{
	struct shmzone_class_figures figures;
	__u32 class, group;

	for (class = 0; class < SHMZONE_CLASSES; class += 4) {
		for (group = 0; group < SHMZONE_GROUPS; group++) {
			memset(&figures, 0xa5, sizeof(figures));
			class_stat(self->zone, class, group, &figures);
			ASSERT_TRUE(all_bytes(&figures, sizeof(figures), 0));
		}
	}
}

TEST_F(figures, each_class)
{
	struct shmzone_class_figures figures;
	__u32 class;

	for (class = 1; class < SHMZONE_CLASSES; class++) {
		struct shmzone_class *row = &self->classes[class];
		__u32 n = row->slab_slots + 1;

		/* Two slabs. */
		alloc_objects(self->zone, row->slot_bytes, n, self->offsets);
		class_stat(self->zone, class, 0, &figures);
		ASSERT_EQ(2, figures.slabs);
		ASSERT_EQ(2 * row->slab_slots, figures.total);
		ASSERT_EQ(n, figures.used);
		ASSERT_EQ(n, figures.requests);
		ASSERT_EQ(0, figures.failures);
		ASSERT_EQ(0, figures.frees);
		free_all(self->zone, self->offsets, n);
		class_stat(self->zone, class, 0, &figures);
		ASSERT_EQ(0, figures.used);
		ASSERT_EQ(n, figures.requests);
		ASSERT_EQ(n, figures.frees);
	}
}

TEST_F(figures, spans_are_class_0)
{
	struct shmzone_class_figures figures;

	alloc_objects(self->zone, 50000, 3, self->offsets);
	class_stat(self->zone, SHMZONE_CLASS_SPAN, 0, &figures);
	EXPECT_EQ(3, figures.slabs);
	EXPECT_EQ(39, figures.total);
	EXPECT_EQ(39, figures.used);
	EXPECT_EQ(3, figures.requests);
	free_at(self->zone, self->offsets[0]);
	class_stat(self->zone, SHMZONE_CLASS_SPAN, 0, &figures);
	EXPECT_EQ(2, figures.slabs);
	EXPECT_EQ(26, figures.used);
	EXPECT_EQ(1, figures.frees);
}

TEST_F(figures, groups_add_up)
{
	struct shmzone_class_figures one, sum = {}, all;
	__u32 group;

	for (group = 0; group < SHMZONE_GROUPS; group++)
		ASSERT_EQ(group + 1, _try_alloc_in(self->zone, group, 100,
						   group + 1, self->offsets));
	for (group = 0; group < SHMZONE_GROUPS; group++) {
		/* 100 bytes are in class 11, of 112. */
		class_stat(self->zone, 11, group, &one);
		ASSERT_EQ(group + 1, one.used);
		ASSERT_EQ(group + 1, one.requests);
		sum.slabs += one.slabs;
		sum.total += one.total;
		sum.used += one.used;
		sum.requests += one.requests;
	}
	class_stat(self->zone, 11, SHMZONE_GROUP_ALL, &all);
	ASSERT_EQ(0, memcmp(&sum, &all, sizeof(all)));
}

/* Gives the number of rows filled, or -errno. */
static int try_rows(int zone, void *rows, __u32 first, __u32 count, __u32 group,
		    __u32 row_bytes)
{
	struct shmzone_class_stat args = {
		SIZED(shmzone_class_stat),
		.figures = to_u64(rows),
		.first_class = first,
		.count = count,
		.group = group,
		.figures_size = row_bytes,
	};
	int ret = _try_call(zone, SHMZONE_CLASS_STAT, &args);

	return ret < 0 ? ret : (int)args.out_count;
}

TEST_F(figures, classes_add_up_to_the_zone)
{
	static struct shmzone_class_figures rows[SHMZONE_CLASSES];
	__u64 slabs = 0, live_bytes = 0, requests = 0;
	struct shmzone_stat stat;
	int i;

	for (i = 0; i < 200; i++)
		alloc(self->zone, 1 + i * 300);
	ASSERT_EQ(SHMZONE_CLASSES, try_rows(self->zone, rows, 0, SHMZONE_CLASSES,
					    SHMZONE_GROUP_ALL, sizeof(rows[0])));
	for (i = 0; i < SHMZONE_CLASSES; i++) {
		__u64 unit = i ? self->classes[i].slot_bytes : page_bytes();

		slabs += i ? rows[i].slabs : 0;
		live_bytes += rows[i].used * unit;
		requests += rows[i].requests;
	}
	stat = stat_of(self->zone);
	EXPECT_EQ(200, requests);
	EXPECT_EQ(slabs, stat.out_slabs);
	EXPECT_EQ(rows[0].slabs, stat.out_spans);
	EXPECT_EQ(live_bytes, stat.out_live_bytes);
	EXPECT_EQ(200, stat.out_live_objects);
}

TEST_F(figures, some_of_the_classes)
{
	struct shmzone_class_figures rows[5];
	__u32 first = SHMZONE_CLASSES - 3;

	memset(rows, 0xa5, sizeof(rows));
	EXPECT_EQ(2, try_rows(self->zone, rows, first, 2, 0, sizeof(rows[0])));
	EXPECT_TRUE(all_bytes(rows + 2, 3 * sizeof(rows[0]), 0xa5));
	EXPECT_EQ(3, try_rows(self->zone, rows, first, UINT32_MAX, 0,
			      sizeof(rows[0])));
	EXPECT_TRUE(all_bytes(rows + 3, 2 * sizeof(rows[0]), 0xa5));
}

TEST_F(figures, larger_rows_than_the_kernel_knows)
{
	struct {
		struct shmzone_class_figures known;
		__u64 more[2];
	} rows[SHMZONE_CLASSES];

	memset(rows, 0xa5, sizeof(rows));
	ASSERT_EQ(SHMZONE_CLASSES, try_rows(self->zone, rows, 0, SHMZONE_CLASSES,
					    0, sizeof(rows[0])));
	ASSERT_TRUE(all_bytes(rows, sizeof(rows), 0));
}

TEST_F(figures, bad_class_stat_arguments)
{
	static struct shmzone_class_figures rows[SHMZONE_CLASSES];
	static const struct {
		void *rows;
		__u32 first;
		__u32 count;
		__u32 group;
		__u32 row_bytes;
		int error;
	} bad[] = {
		{ rows, 0, 0, 0, 48, EINVAL },
		{ rows, SHMZONE_CLASSES, 1, 0, 48, EINVAL },
		{ rows, UINT32_MAX, 2, 0, 48, EINVAL },
		{ rows, 0, 1, SHMZONE_GROUPS, 48, EINVAL },
		{ rows, 0, 1, SHMZONE_GROUP_ALL - 1, 48, EINVAL },
		{ rows, 0, 1, 0, 0, EINVAL },
		{ rows, 0, 1, 0, 40, EINVAL },
		{ rows, 0, 1, 0, 47, EINVAL },
		{ NULL, 0, 1, 0, 48, EFAULT },
		{ (void *)8, 0, 45, 0, 48, EFAULT },
		{ (void *)-48L, 0, 1, 0, 48, EFAULT },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ASSERT_EQ(-bad[i].error,
			  try_rows(self->zone, bad[i].rows, bad[i].first,
				   bad[i].count, bad[i].group, bad[i].row_bytes));
	ASSERT_EQ(ARRAY_SIZE(bad), stat_of(self->zone).out_refused_calls);
	ASSERT_EQ(1, try_rows(self->zone, rows, SHMZONE_CLASSES - 1, 9, 0, 48));
}

TEST_F(figures, kernel_memory_is_small_and_comes_back)
{
	__u64 empty = stat_of(self->zone).out_kernel_bytes;
	int huge = create(self->control, 16 * TIB);
	__u64 used;

	ASSERT_GT(64 * KIB, stat_of(huge).out_kernel_bytes);
	alloc_objects(self->zone, 8, SHMZONE_BATCH_MAX, self->offsets);
	used = stat_of(self->zone).out_kernel_bytes;
	ASSERT_LT(empty, used);
	ASSERT_GT(empty + 64 * KIB, used);
	free_all(self->zone, self->offsets, SHMZONE_BATCH_MAX);
	ASSERT_GE(used, stat_of(self->zone).out_kernel_bytes);
}

TEST_HARNESS_MAIN
