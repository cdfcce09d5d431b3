// SPDX-License-Identifier: GPL-2.0
/*
 * FREE: what is no live object is refused, counted by its reason, and harms
 * nothing.
 */
#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(64 * MIB)

/* The objects every test starts with. */
enum {
	SLOT_8,
	SLOT_64,
	SLOT_24_ALIGNED,	/* 24 bytes at 16: a slot of 32 */
	SLOT_5000,
	SLOT_32K,
	SPAN,			/* 100000 bytes */
	OBJECTS
};

static const struct {
	__u64 bytes;
	__u32 align;
} objects[OBJECTS] = {
	[SLOT_8] = { 8, 0 },
	[SLOT_64] = { 64, 0 },
	[SLOT_24_ALIGNED] = { 24, 16 },
	[SLOT_5000] = { 5000, 0 },
	[SLOT_32K] = { 32768, 0 },
	[SPAN] = { 100000, 0 },
};

FIXTURE(freeing) {
	__u64 at[OBJECTS];
	struct figures before;
	int control;
	int zone;
};

FIXTURE_SETUP(freeing)
{
	int i;

	self->control = control_fd();
	self->zone = create(self->control, ZONE_BYTES);
	for (i = 0; i < OBJECTS; i++) {
		struct shmzone_alloc args = {
			SIZED(shmzone_alloc),
			.bytes = objects[i].bytes,
			.offsets = to_u64(&self->at[i]),
			.count = 1,
			.align = objects[i].align,
		};

		call(self->zone, SHMZONE_ALLOC, &args);
	}
	figures_of(self->control, self->zone, &self->before);
}

FIXTURE_TEARDOWN(freeing)
{
	EXPECT_TRUE(zone_consistent(self->zone));
	close(self->zone);
	close(self->control);
}

#define COUNTER(name)	offsetof(struct shmzone_stat, out_bad_##name)

/* The figures are those of the start, but for one counter that rose by one. */
static bool only_counted(FIXTURE_DATA(freeing) *self, size_t counter)
{
	struct figures after;
	__u64 value;

	if (_try_figures(self->control, self->zone, &after))
		return false;
	memcpy(&value, (char *)&after.stat + counter, sizeof(value));
	value--;
	memcpy((char *)&after.stat + counter, &value, sizeof(value));
	if (after.stat.out_refused_calls != self->before.stat.out_refused_calls)
		return false;
	return same_figures(&self->before, &after);
}

#define bad_free(name, offset)						\
do {									\
	fail_free_at(EINVAL, self->zone, offset);			\
	ASSERT_TRUE(only_counted(self, COUNTER(name)));			\
	figures_of(self->control, self->zone, &self->before);		\
} while (0)

TEST_F(freeing, offset_0)
{
	bad_free(outside, 0);
}

TEST_F(freeing, outside_the_zone)
{
	bad_free(outside, ZONE_BYTES);
	bad_free(outside, ZONE_BYTES + 64);
	bad_free(outside, ZONE_BYTES + self->at[SLOT_64]);
	bad_free(outside, 1ULL << 44);
	bad_free(outside, 1ULL << 48);
	bad_free(outside, 1ULL << 63);
	bad_free(outside, (1ULL << 63) + self->at[SLOT_64]);
	bad_free(outside, UINT64_MAX - 7);
}

TEST_F(freeing, misaligned)
{
	int i, more;

	for (i = 0; i < OBJECTS; i++)
		for (more = 1; more < 8; more++)
			bad_free(misaligned, self->at[i] + more);
}

TEST_F(freeing, inside_an_object)
{
	bad_free(interior, self->at[SLOT_64] + 8);
	bad_free(interior, self->at[SLOT_64] + 56);
	bad_free(interior, self->at[SLOT_24_ALIGNED] + 16);
	bad_free(interior, self->at[SLOT_24_ALIGNED] + 24);
	bad_free(interior, self->at[SLOT_5000] + 4096);
	bad_free(interior, self->at[SLOT_32K] + 8);
	bad_free(interior, self->at[SLOT_32K] + 4096);
	bad_free(interior, self->at[SPAN] + 8);
	bad_free(interior, self->at[SPAN] + page_bytes());
	bad_free(interior, self->at[SPAN] + 99992);
	/* In the last page of the span, beyond the bytes asked for. */
	bad_free(interior, self->at[SPAN] + 100000 + 96);
}

TEST_F(freeing, never_allocated)
{
	/* Free slots of slabs, then a page that is in none. */
	bad_free(not_live, self->at[SLOT_8] + 8);
	bad_free(not_live, self->at[SLOT_64] + 64);
	bad_free(not_live, ZONE_BYTES - page_bytes());
	bad_free(not_live, ZONE_BYTES - 8);
	bad_free(not_live, ZONE_BYTES / 2);
	bad_free(not_live, page_bytes() - 8);
}

TEST_F(freeing, twice)
{
	int i;

	/* A neighbour keeps the slab from going. */
	for (i = 0; i < OBJECTS; i++)
		alloc(self->zone, objects[i].bytes);
	for (i = 0; i < OBJECTS; i++) {
		free_at(self->zone, self->at[i]);
		figures_of(self->control, self->zone, &self->before);
		bad_free(not_live, self->at[i]);
		bad_free(not_live, self->at[i]);
	}
}

TEST_F(freeing, twice_with_its_slab_gone)
{
	__u64 offsets[8];
	int i;

	/* Eight slabs, of which the heap may hold back an empty one. */
	alloc_objects(self->zone, 16384, 8, offsets);
	free_all(self->zone, offsets, 8);
	ASSERT_EQ(0, stat_of(self->zone).out_bad_not_live);
	ASSERT_TRUE(slabs_become(self->zone, OBJECTS - 1));
	figures_of(self->control, self->zone, &self->before);
	for (i = 0; i < 8; i++)
		bad_free(not_live, offsets[i]);
}

TEST_F(freeing, object_of_another_zone)
{
	int other = create(self->control, ZONE_BYTES);
	__u64 there[3];

	alloc_objects(other, 64, 3, there);
	fail_free_at(EINVAL, other, there[2] + 64);
	ASSERT_EQ(1, stat_of(other).out_bad_not_live);
	ASSERT_EQ(3, stat_of(other).out_live_objects);
	figures_of(self->control, self->zone, &self->before);
	/* In this zone there is none at the third place. */
	bad_free(not_live, there[2]);
}

TEST_F(freeing, sized)
{
	free_sized(self->zone, self->at[SLOT_8], 8);
	free_sized(self->zone, self->at[SLOT_64], 57);
	free_sized(self->zone, self->at[SLOT_24_ALIGNED], 24);
	free_sized(self->zone, self->at[SLOT_5000], 5000);
	free_sized(self->zone, self->at[SLOT_32K], 32768);
	free_sized(self->zone, self->at[SPAN], 100000);
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

#define bad_sized(object, stated)					\
do {									\
	fail_free_sized(EINVAL, self->zone, self->at[object], stated);	\
	ASSERT_TRUE(only_counted(self, COUNTER(bytes)));		\
	figures_of(self->control, self->zone, &self->before);		\
} while (0)

TEST_F(freeing, sized_wrong)
{
	bad_sized(SLOT_8, 9);
	bad_sized(SLOT_8, 1ULL << 63);
	bad_sized(SLOT_8, UINT64_MAX);
	bad_sized(SLOT_64, 65);
	bad_sized(SLOT_5000, 7000);
	bad_sized(SLOT_5000, 100000);
	bad_sized(SLOT_32K, 32769);
	bad_sized(SPAN, 64);
	bad_sized(SPAN, 100000 + page_bytes());
	bad_sized(SPAN, 32768 - 8);
}

TEST_F(freeing, sized_at_every_alignment_it_was_allocated_with)
{
	static const __u64 sizes[] = { 1, 8, 24, 40, 100, 1000, 5000, 20000, 40000 };
	__u64 offset;
	__u32 align;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (align = 0; align <= page_bytes(); align = align * 2 ?: 1) {
			struct shmzone_alloc args = {
				SIZED(shmzone_alloc),
				.bytes = sizes[i],
				.offsets = to_u64(&offset),
				.count = 1,
				.align = align,
			};

			call(self->zone, SHMZONE_ALLOC, &args);
			free_sized(self->zone, offset, sizes[i]);
		}
	}
}

static int try_batch(int zone, const __u64 *offsets, __u32 count,
		     struct shmzone_free *args)
{
	*args = (struct shmzone_free) {
		SIZED(shmzone_free),
		.offsets = to_u64(offsets),
		.count = count,
	};
	return _try_call(zone, SHMZONE_FREE, args);
}

TEST_F(freeing, batch_goes_on_past_bad_entries)
{
	static __u64 offsets[1000];
	struct shmzone_free args;
	int bad;

	for (bad = 0; bad < 999; bad += 111) {
		alloc_objects(self->zone, 40, 1000, offsets);
		offsets[bad] += 8;
		offsets[999] += 8;
		ASSERT_EQ(0, try_batch(self->zone, offsets, 1000, &args));
		ASSERT_EQ(998, args.out_count);
		ASSERT_EQ(bad, args.out_bad);
		ASSERT_EQ(EINVAL, args.out_error);
		ASSERT_EQ(OBJECTS + 2, stat_of(self->zone).out_live_objects);
		free_at(self->zone, offsets[bad] - 8);
		free_at(self->zone, offsets[999] - 8);
	}
	ASSERT_EQ(OBJECTS, stat_of(self->zone).out_live_objects);
}

TEST_F(freeing, batch_of_bad_entries_alone)
{
	__u64 offsets[] = { 3, self->at[SLOT_8] + 8, self->at[SPAN] + 8 };
	struct shmzone_free args;

	ASSERT_EQ(-EINVAL, try_batch(self->zone, offsets, 3, &args));
	ASSERT_EQ(OBJECTS, stat_of(self->zone).out_live_objects);
	ASSERT_EQ(0, args.out_count);
	ASSERT_EQ(0, args.out_bad);
	ASSERT_EQ(EINVAL, args.out_error);
}

TEST_F(freeing, batch_names_an_object_twice)
{
	__u64 offsets[] = { self->at[SLOT_64], self->at[SPAN],
			    self->at[SLOT_64], self->at[SLOT_8] };
	struct shmzone_free args;

	ASSERT_EQ(0, try_batch(self->zone, offsets, 4, &args));
	ASSERT_EQ(3, args.out_count);
	ASSERT_EQ(2, args.out_bad);
	ASSERT_EQ(EINVAL, args.out_error);
	ASSERT_EQ(OBJECTS - 3, stat_of(self->zone).out_live_objects);
}

TEST_F(freeing, batch_of_all_is_complete)
{
	struct shmzone_free args;

	ASSERT_EQ(0, try_batch(self->zone, self->at, OBJECTS, &args));
	ASSERT_EQ(OBJECTS, args.out_count);
	ASSERT_EQ(OBJECTS, args.out_bad);
	ASSERT_EQ(0, args.out_error);
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
	ASSERT_EQ(0, stat_of(self->zone).out_live_bytes);
}

TEST_F(freeing, bad_count)
{
	static const __u32 bad[] = { 0, SHMZONE_BATCH_MAX + 1, UINT32_MAX };
	struct shmzone_free args;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ASSERT_EQ(-EINVAL, try_batch(self->zone, self->at, bad[i], &args));
	ASSERT_EQ(3, stat_of(self->zone).out_refused_calls);
	ASSERT_EQ(OBJECTS, stat_of(self->zone).out_live_objects);
}

TEST_F(freeing, array_nowhere)
{
	struct shmzone_free args;

	ASSERT_EQ(-EFAULT, try_batch(self->zone, NULL, 1, &args));
	ASSERT_EQ(-EFAULT, try_batch(self->zone, (void *)8, 4096, &args));
	ASSERT_EQ(-EFAULT, try_batch(self->zone, page_before_hole(), 1, &args));
	ASSERT_EQ(-EFAULT, try_batch(self->zone, (void *)-64L, 8, &args));
	ASSERT_EQ(OBJECTS, stat_of(self->zone).out_live_objects);
}

TEST_F(freeing, array_reaches_into_a_hole)
{
	__u64 *array = (__u64 *)page_before_hole() - 300;
	struct shmzone_free args;

	alloc_objects(self->zone, 40, 300, array);
	ASSERT_EQ(-EFAULT, try_batch(self->zone, array, 301, &args));
	ASSERT_EQ(-EFAULT, try_batch(self->zone, array, 4096, &args));
	ASSERT_EQ(OBJECTS + 300, stat_of(self->zone).out_live_objects);
	ASSERT_EQ(0, try_batch(self->zone, array, 300, &args));
	ASSERT_EQ(300, args.out_count);
}

TEST_HARNESS_MAIN
