// SPDX-License-Identifier: GPL-2.0
/*
 * ALLOC and QUERY: what is given for which size, alignment, group and count,
 * the limit, and pointers that fault half-way.
 */
#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(64 * MIB)

FIXTURE(alloc) {
	struct shmzone_class classes[SHMZONE_CLASSES];
	__u64 offsets[SHMZONE_BATCH_MAX + 1];
	int control;
	int zone;
};

FIXTURE_SETUP(alloc)
{
	struct shmzone_info args = {
		SIZED(shmzone_info),
		.classes = to_u64(self->classes),
		.class_count = SHMZONE_CLASSES,
		.class_size = sizeof(self->classes[0]),
	};

	self->control = control_fd();
	call(self->control, SHMZONE_INFO, &args);
	self->zone = create(self->control, ZONE_BYTES);
}

FIXTURE_TEARDOWN(alloc)
{
	close(self->zone);
	close(self->control);
}

/* One object; gives its offset or -errno. */
static __s64 try_aligned(int zone, __u64 bytes, __u32 align)
{
	__u64 offset = 0;
	struct shmzone_alloc args = {
		SIZED(shmzone_alloc),
		.bytes = bytes,
		.offsets = to_u64(&offset),
		.count = 1,
		.align = align,
	};
	int ret = _try_call(zone, SHMZONE_ALLOC, &args);

	if (ret < 0)
		return ret;
	return args.out_count == 1 ? (__s64)offset : 0;
}

/* The smallest class that fits by the documented rule; 0 for a span. */
static __u32 class_for(const struct shmzone_class *classes, __u64 bytes, __u32 align)
{
	__u32 class;

	for (class = 1; class < SHMZONE_CLASSES; class++)
		if (classes[class].slot_bytes >= bytes &&
		    classes[class].slot_bytes % align == 0)
			return class;
	return SHMZONE_CLASS_SPAN;
}

/* Few offsets and many, at each distance from where a word would be. */
TEST_F(alloc, offsets_anywhere_in_memory)
{
	char room[8 * 20 + 32], *place;
	__u64 offsets[20];
	__u32 shift, count, i;

	for (shift = 0; shift < 8; shift++) {
		for (count = 1; count <= 20; count += shift + 1) {
			memset(room, 0xa5, sizeof(room));
			place = room + 8 + shift;
			alloc_objects(self->zone, 64, count, (__u64 *)place);
			for (i = 0; i < 8; i++) {
				ASSERT_EQ((char)0xa5, place[-1 - (int)i]);
				ASSERT_EQ((char)0xa5, place[8 * count + i]);
			}
			memcpy(offsets, place, 8 * count);
			for (i = 0; i < count; i++)
				query(self->zone, offsets[i], &(struct shmzone_query){ 0 });
			ASSERT_EQ((int)count,
				  _try_free_all(self->zone, (__u64 *)place, count));
		}
	}
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

TEST_F(alloc, every_class_exactly_and_one_byte_less)
{
	struct shmzone_query query;
	__u32 class;

	for (class = 1; class < SHMZONE_CLASSES; class++) {
		__u32 bytes = self->classes[class].slot_bytes;

		query(self->zone, alloc(self->zone, bytes), &query);
		ASSERT_EQ(class, query.out_class);
		ASSERT_EQ(bytes, query.out_bytes);
		ASSERT_EQ(0, query.out_group);
		query(self->zone, alloc(self->zone, bytes - 1), &query);
		ASSERT_EQ(class, query.out_class);
	}
}

TEST_F(alloc, sizes_around_the_largest_slot)
{
	size_t page = page_bytes();
	struct shmzone_query query;
	__u64 bytes;

	for (bytes = 32 * KIB - 2; bytes <= 64 * KIB + 2; bytes += 511) {
		query(self->zone, alloc(self->zone, bytes), &query);
		if (bytes <= 32 * KIB) {
			ASSERT_EQ(SHMZONE_CLASSES - 1, query.out_class);
		} else {
			ASSERT_EQ(SHMZONE_CLASS_SPAN, query.out_class);
			ASSERT_EQ(0, query.offset % page);
			ASSERT_EQ((bytes + page - 1) / page * page, query.out_bytes);
		}
	}
}

TEST_F(alloc, small_sizes_at_default_alignment)
{
	struct shmzone_query query;
	__u64 bytes;

	for (bytes = 1; bytes <= 1200; bytes++) {
		__u64 offset = alloc(self->zone, bytes);
		__u32 align = bytes % 16 ? 8 : 16;

		query(self->zone, offset, &query);
		ASSERT_EQ(0, offset % align);
		ASSERT_LE(bytes, query.out_bytes);
		ASSERT_EQ(class_for(self->classes, bytes, align), query.out_class);
	}
}

TEST_F(alloc, every_alignment)
{
	static const __u64 sizes[] = { 1, 8, 24, 40, 56, 100, 1000, 4096, 5000,
				       20000, 32768, 40000, 100000 };
	struct shmzone_query query;
	__u32 align;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (align = 1; align <= page_bytes(); align *= 2) {
			__s64 offset = try_aligned(self->zone, sizes[i], align);

			ASSERT_LT(0, offset);
			ASSERT_EQ(0, offset % align);
			query(self->zone, offset, &query);
			ASSERT_LE(sizes[i], query.out_bytes);
			ASSERT_EQ(class_for(self->classes, sizes[i],
					    align < 8 ? 8 : align),
				  query.out_class);
		}
	}
}

TEST_F(alloc, bad_alignment)
{
	const __u32 bad[] = { 3, 5, 6, 7, 12, 24, 4095, 4097, 2 * page_bytes(),
			      1U << 31, UINT32_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ASSERT_EQ(-EINVAL, try_aligned(self->zone, 100, bad[i]));
	ASSERT_LT(0, try_aligned(self->zone, 100, page_bytes()));
}

TEST_F(alloc, no_bytes)
{
	fail_alloc(EINVAL, self->zone, 0, 1, self->offsets);
	fail_alloc(EINVAL, self->zone, 0, 2, self->offsets);
}

TEST_F(alloc, more_than_the_zone)
{
	static const __u64 huge[] = {
		ZONE_BYTES, ZONE_BYTES + 1, 1ULL << 32, 1ULL << 44,
		(1ULL << 44) + 1, 1ULL << 63, (1ULL << 63) + 1,
		UINT64_MAX - 4096, UINT64_MAX - 4094, UINT64_MAX,
	};
	struct shmzone_stat stat;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(huge); i++) {
		fail_alloc(ENOMEM, self->zone, huge[i], 1, self->offsets);
		fail_alloc(ENOMEM, self->zone, huge[i], 4096, self->offsets);
		ASSERT_EQ(-ENOMEM, try_aligned(self->zone, huge[i], page_bytes()));
	}
	stat = stat_of(self->zone);
	ASSERT_EQ(0, stat.out_taken_bytes);
	ASSERT_EQ(ARRAY_SIZE(huge) * 4098, stat.out_failures);
}

TEST_F(alloc, all_of_the_zone_but_page_0)
{
	size_t page = page_bytes();
	__u64 offset = alloc(self->zone, ZONE_BYTES - page);

	ASSERT_EQ(page, offset);
	fail_alloc(ENOMEM, self->zone, 1, 1, self->offsets);
	free_at(self->zone, offset);
	alloc(self->zone, 1);
	fail_alloc(ENOMEM, self->zone, ZONE_BYTES - page, 1, self->offsets);
}

TEST_F(alloc, nothing_fits_into_the_smallest_zone)
{
	int zone = create(self->control, 2 * page_bytes());

	fail_alloc(ENOMEM, zone, page_bytes() + 1, 1, self->offsets);
	fail_alloc(ENOMEM, zone, 40 * KIB, 1, self->offsets);
	ASSERT_EQ(0, stat_of(zone).out_live_objects);
}

TEST_F(alloc, bad_group)
{
	static const __u32 bad[] = { SHMZONE_GROUPS, 255, SHMZONE_GROUP_ALL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ASSERT_EQ(-EINVAL, _try_alloc_in(self->zone, bad[i], 64, 1,
						 self->offsets));
	ASSERT_EQ(1, _try_alloc_in(self->zone, SHMZONE_GROUPS - 1, 64, 1,
				   self->offsets));
}

TEST_F(alloc, bad_count)
{
	fail_alloc(EINVAL, self->zone, 64, 0, self->offsets);
	fail_alloc(EINVAL, self->zone, 64, SHMZONE_BATCH_MAX + 1, self->offsets);
	fail_alloc(EINVAL, self->zone, 64, UINT32_MAX, self->offsets);
	alloc_objects(self->zone, 64, SHMZONE_BATCH_MAX, self->offsets);
}

struct interval {
	__u64 start;
	__u64 end;
};

static int by_start(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* All inside the zone, behind page 0, and none overlapping another. */
static bool disjoint(struct interval *intervals, size_t n)
{
	__u64 end = page_bytes();
	size_t i;

	qsort(intervals, n, sizeof(*intervals), by_start);
	for (i = 0; i < n; i++) {
		if (intervals[i].start < end)
			return false;
		end = intervals[i].end;
	}
	return end <= ZONE_BYTES;
}

TEST_F(alloc, objects_of_all_sizes_are_disjoint)
{
	struct interval *all = calloc(9000, sizeof(*all));
	struct shmzone_query query;
	size_t n = 0;
	int i, j;

	for (i = 0; i < 300; i++) {
		__u64 bytes = 1ULL + (__u64)i * i * i % 9000 * (i % 7 ? 1 : 11);
		int count = 1 + i % 17;

		alloc_objects(self->zone, bytes, count, self->offsets);
		for (j = 0; j < count; j++) {
			query(self->zone, self->offsets[j], &query);
			all[n].start = self->offsets[j];
			all[n].end = self->offsets[j] + query.out_bytes;
			n++;
		}
		/* Leave holes for those that follow. */
		if (i % 3 == 0 && n > 5) {
			free_at(self->zone, all[n / 2].start);
			n--;
			all[(n + 1) / 2] = all[n];
		}
	}
	ASSERT_TRUE(disjoint(all, n));
	ASSERT_EQ(n, stat_of(self->zone).out_live_objects);
	free(all);
}

TEST_F(alloc, largest_batch_is_disjoint)
{
	static struct interval all[SHMZONE_BATCH_MAX];
	int i;

	alloc_objects(self->zone, 40, SHMZONE_BATCH_MAX, self->offsets);
	for (i = 0; i < SHMZONE_BATCH_MAX; i++) {
		all[i].start = self->offsets[i];
		all[i].end = self->offsets[i] + 40;
	}
	ASSERT_TRUE(disjoint(all, SHMZONE_BATCH_MAX));
}

TEST_F(alloc, only_the_entries_asked_for_are_written)
{
	memset(self->offsets, 0xa5, sizeof(self->offsets));
	alloc_objects(self->zone, 64, 5, self->offsets + 1);
	ASSERT_TRUE(all_bytes(self->offsets, 8, 0xa5));
	ASSERT_TRUE(all_bytes(self->offsets + 6, 8, 0xa5));
}

TEST_F(alloc, groups_never_share_a_page)
{
	static unsigned char group_of_page[ZONE_BYTES / 4096];
	struct shmzone_query query;
	__u32 group;
	int i, round;

	for (round = 0; round < 30; round++) {
		for (group = 0; group < SHMZONE_GROUPS; group++) {
			ASSERT_EQ(20, _try_alloc_in(self->zone, group,
						    8 + round * 90, 20,
						    self->offsets));
			for (i = 0; i < 20; i++) {
				__u64 page = self->offsets[i] / page_bytes();

				if (group_of_page[page])
					ASSERT_EQ(group + 1, group_of_page[page]);
				group_of_page[page] = group + 1;
			}
			query(self->zone, self->offsets[0], &query);
			ASSERT_EQ(group, query.out_group);
		}
	}
}

TEST_F(alloc, query_of_what_is_no_object)
{
	__u64 slot = alloc(self->zone, 64);
	__u64 span = alloc(self->zone, 100000);
	struct shmzone_query query;

	fail_query(EINVAL, self->zone, 0, &query);
	fail_query(EINVAL, self->zone, slot + 1, &query);
	fail_query(EINVAL, self->zone, slot + 8, &query);
	fail_query(EINVAL, self->zone, slot + 64, &query);
	fail_query(EINVAL, self->zone, span + page_bytes(), &query);
	fail_query(EINVAL, self->zone, ZONE_BYTES - page_bytes(), &query);
	fail_query(EINVAL, self->zone, ZONE_BYTES, &query);
	fail_query(EINVAL, self->zone, UINT64_MAX, &query);
	query(self->zone, slot, &query);
	free_at(self->zone, slot);
	fail_query(EINVAL, self->zone, slot, &query);
	query(self->zone, span, &query);
	ASSERT_EQ(0, stat_of(self->zone).out_bad_interior);
}

TEST_F(alloc, limit_is_reached_and_left_again)
{
	size_t page = page_bytes();
	int zone = create_limited(self->control, GIB, 90 * page);
	__u64 *spans = self->offsets;

	/* Ten spans of nine pages. */
	alloc_objects(zone, 9 * page, 10, spans);
	fail_alloc(ENOMEM, zone, 9 * page, 1, spans + 10);
	fail_alloc(ENOMEM, zone, 1, 1, spans + 10);
	ASSERT_EQ(90 * page, stat_of(zone).out_taken_bytes);
	ASSERT_EQ(90 * page, stat_of(zone).out_limit_bytes);
	free_at(zone, spans[3]);
	alloc_objects(zone, 9 * page, 1, spans + 3);
	fail_alloc(ENOMEM, zone, 1, 1, spans + 10);
}

TEST_F(alloc, batch_at_the_limit_is_partial)
{
	size_t page = page_bytes();
	int zone = create_limited(self->control, GIB, 90 * page);
	struct shmzone_stat stat;

	ASSERT_EQ(10, _try_alloc(zone, 9 * page, 25, self->offsets));
	stat = stat_of(zone);
	ASSERT_EQ(10, stat.out_live_objects);
	ASSERT_EQ(25, stat.out_requests);
	ASSERT_EQ(15, stat.out_failures);
	free_all(zone, self->offsets, 10);
	ASSERT_EQ(0, stat_of(zone).out_taken_bytes);
	/* Two slabs of four pages, with a slot each page. */
	zone = create_limited(self->control, GIB, 8 * page);
	ASSERT_EQ(8, _try_alloc(zone, page, 4096, self->offsets));
	ASSERT_EQ(-ENOMEM, _try_alloc(zone, page, 1, self->offsets));
}

TEST_F(alloc, read_only_descriptor)
{
	const char *name = fresh_name();
	int zone = create_named(self->control, name, 0600);
	int reader = open_zone(self->control, name, SHMZONE_OPEN_RDONLY);
	__u64 offset = alloc(zone, 64);
	struct shmzone_class_figures figures;
	struct shmzone_query query;

	fail_alloc(EACCES, reader, 64, 1, self->offsets);
	fail_free_at(EACCES, reader, offset);
	ASSERT_EQ(2, stat_of(reader).out_refused_calls);
	query(reader, offset, &query);
	class_stat(reader, 0, 0, &figures);
	free_at(zone, offset);
}

TEST_F(alloc, array_nowhere)
{
	const void *hole = page_before_hole();
	void *fixed = mmap(NULL, page_bytes(), PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	fail_alloc(EFAULT, self->zone, 64, 1, NULL);
	fail_alloc(EFAULT, self->zone, 64, 1, (void *)8);
	fail_alloc(EFAULT, self->zone, 64, 4096, (void *)hole);
	fail_alloc(EFAULT, self->zone, 64, 10, fixed);
	fail_alloc(EFAULT, self->zone, 100000, 10, fixed);
	fail_alloc(EFAULT, self->zone, 64, 10, (void *)-80L);
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
	ASSERT_EQ(0, stat_of(self->zone).out_live_bytes);
}

TEST_F(alloc, array_reaches_into_a_hole)
{
	static const int fits[] = { 1, 3, 32, 64, 100, 511 };
	__u64 *end = page_before_hole();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fits); i++) {
		fail_alloc(EFAULT, self->zone, 64, fits[i] + 1, end - fits[i]);
		fail_alloc(EFAULT, self->zone, 64, 4096, end - fits[i]);
		ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
		alloc_objects(self->zone, 64, fits[i], end - fits[i]);
		free_all(self->zone, end - fits[i], fits[i]);
	}
}

TEST_F(alloc, array_inside_the_zone_itself)
{
	__u64 *data = map_data_ok(self->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	__u64 at = alloc(self->zone, 512 * sizeof(__u64));

	alloc_objects(self->zone, 64, 512, data + at / 8);
	free_all(self->zone, data + at / 8, 512);
	free_all(self->zone, &at, 1);
}

TEST_HARNESS_MAIN
