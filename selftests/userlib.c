// SPDX-License-Identifier: GPL-2.0
/*
 * The library, through its public header.
 */
#include <fcntl.h>
#include <pthread.h>

#include "kselftest_harness.h"
#include "userlib.h"

#define ZONE_BYTES	(64 * MIB)

FIXTURE(lib) {
	struct shmz *zone;
	const char *name;
};

/* With caches, and without them. */
FIXTURE_VARIANT(lib) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(lib, cached) {};

FIXTURE_VARIANT_ADD(lib, uncached) {
	.flags = SHMZ_UNCACHED,
};

FIXTURE_SETUP(lib)
{
	struct shmz_options opts = {
		.size = sizeof(opts),
		.flags = variant->flags,
	};

	self->name = fresh_name();
	self->zone = shmz_create(self->name, ZONE_BYTES, &opts);
	ASSERT_NE(NULL, self->zone);
}

FIXTURE_TEARDOWN(lib)
{
	shmz_close(self->zone);
}

static __u64 bad_not_live(struct shmz *zone)
{
	struct shmzone_stat stat = { .size = sizeof(stat) };

	return shmz_stat(zone, &stat) ? UINT64_MAX : stat.out_bad_not_live;
}

static __u64 out_bytes(struct shmz *zone, void *object)
{
	struct shmzone_query query;

	if (_try_query(shmz_fd(zone), shmz_offset(zone, object), &query))
		return 0;
	return query.out_bytes;
}

TEST_F(lib, alloc_and_free)
{
	char *object = not_null(shmz_alloc(self->zone, 100));

	memset(object, 1, 100);
	ASSERT_EQ(1, live_objects(self->zone));
	errno = EXDEV;
	ASSERT_EQ(0, shmz_free(self->zone, object));
	ASSERT_EQ(EXDEV, errno);
	ASSERT_EQ(0, live_objects(self->zone));
	ASSERT_EQ(0, shmz_free(self->zone, NULL));
}

TEST_F(lib, bad_frees)
{
	char *object = not_null(shmz_alloc(self->zone, 100));
	char outside[8];

	if (variant->flags)
		ASSERT_EQ(-EINVAL, shmz_free(self->zone, object + 8));
	ASSERT_EQ(-EINVAL, shmz_free(self->zone, object + 1));
	ASSERT_EQ(-EINVAL, shmz_free(self->zone, outside));
	ASSERT_EQ(-EINVAL, shmz_free(self->zone, shmz_base(self->zone)));
	ASSERT_EQ(-EINVAL, shmz_free(self->zone,
				     (char *)shmz_base(self->zone) + ZONE_BYTES));
	ASSERT_EQ(1, live_objects(self->zone));
	ASSERT_EQ(0, shmz_free(self->zone, object));
	/* A cache takes it once more, but the zone does not. */
	ASSERT_EQ(variant->flags ? -EINVAL : 0, shmz_free(self->zone, object));
	ASSERT_EQ(0, shmz_cache_flush(self->zone));
	ASSERT_EQ(1, bad_not_live(self->zone));
}

TEST_F(lib, free_sized)
{
	char *object = not_null(shmz_alloc(self->zone, 100));

	if (variant->flags)
		ASSERT_EQ(-EINVAL, shmz_free_sized(self->zone, object, 1000));
	ASSERT_EQ(1, live_objects(self->zone));
	ASSERT_EQ(0, shmz_free_sized(self->zone, object, 100));
	object = not_null(shmz_alloc(self->zone, 0));
	ASSERT_EQ(0, shmz_free_sized(self->zone, object, 0));
	object = not_null(shmz_alloc(self->zone, 100000));
	ASSERT_EQ(0, shmz_free_sized(self->zone, object, 100000));
	ASSERT_EQ(0, live_objects(self->zone));
}

TEST_F(lib, no_bytes_are_an_object_too)
{
	char *a = not_null(shmz_alloc(self->zone, 0));
	char *b = not_null(shmz_zalloc(self->zone, 0));
	char *c = not_null(shmz_calloc(self->zone, 0, 5));

	ASSERT_NE(a, b);
	ASSERT_NE(b, c);
	ASSERT_EQ(3, live_objects(self->zone));
	ASSERT_LE(1, shmz_usable_size(self->zone, a));
}

TEST_F(lib, out_of_memory)
{
	is_null(ENOMEM, shmz_alloc(self->zone, ZONE_BYTES));
	is_null(ENOMEM, shmz_alloc(self->zone, PTRDIFF_MAX));
	is_null(ENOMEM, shmz_zalloc(self->zone, ZONE_BYTES));
	is_null(ENOMEM, shmz_aligned_alloc(self->zone, 64, ZONE_BYTES));
}

TEST_F(lib, calloc_overflow)
{
	volatile size_t huge = SIZE_MAX / 2 + 1;

	is_null(ENOMEM, shmz_calloc(self->zone, huge, 2));
	is_null(ENOMEM, shmz_calloc(self->zone, huge, huge));
	is_null(ENOMEM, shmz_calloc_group(self->zone, 3, huge, 1));
	ASSERT_EQ(0, live_objects(self->zone));
}

TEST_F(lib, zeroed_though_used_before)
{
	static const size_t sizes[] = { 1, 8, 100, 4096, 5000, 40000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *object = not_null(shmz_alloc(self->zone, sizes[i]));

		memset(object, 0xa5, shmz_usable_size(self->zone, object));
		ASSERT_EQ(0, shmz_free(self->zone, object));
		object = not_null(shmz_zalloc(self->zone, sizes[i]));
		ASSERT_TRUE(all_bytes(object, sizes[i], 0));
		memset(object, 0xa5, sizes[i]);
		ASSERT_EQ(0, shmz_free(self->zone, object));
		object = not_null(shmz_calloc(self->zone, sizes[i], 3));
		ASSERT_TRUE(all_bytes(object, sizes[i] * 3, 0));
	}
}

TEST_F(lib, aligned)
{
	volatile size_t align;

	for (align = 1; align <= page_bytes(); align *= 2) {
		char *object = not_null(shmz_aligned_alloc(self->zone, align, 40));

		ASSERT_EQ(0, (uintptr_t)object % align);
		ASSERT_EQ(0, shmz_free(self->zone, object));
	}
	align = 3;
	is_null(EINVAL, shmz_aligned_alloc(self->zone, align, 40));
	align = 2 * page_bytes();
	is_null(EINVAL, shmz_aligned_alloc(self->zone, align, 40));
	align = 0;
	is_null(EINVAL, shmz_aligned_alloc(self->zone, align, 40));
	align = (size_t)1 << 32;
	is_null(EINVAL, shmz_aligned_alloc(self->zone, align, 40));
}

TEST_F(lib, groups)
{
	char *object = not_null(shmz_alloc_group(self->zone, 64, 15));
	struct shmzone_query query;

	query(shmz_fd(self->zone), shmz_offset(self->zone, object), &query);
	ASSERT_EQ(15, query.out_group);
	/* It keeps its group wherever it goes. */
	object = not_null(shmz_realloc(self->zone, object, 100000));
	query(shmz_fd(self->zone), shmz_offset(self->zone, object), &query);
	ASSERT_EQ(15, query.out_group);
	is_null(EINVAL, shmz_alloc_group(self->zone, 64, 16));
	is_null(EINVAL, shmz_zalloc_group(self->zone, 64, UINT32_MAX));
}

TEST_F(lib, realloc_keeps_the_content)
{
	static const size_t sizes[] = { 100, 50, 5000, 5001, 100000, 400000,
					390000, 20, 1, 64, 40000, 32768, 32769 };
	size_t i, old = 10;
	char *object = not_null(shmz_realloc(self->zone, NULL, old));

	fill_pattern(object, old, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t kept = old < sizes[i] ? old : sizes[i];

		object = not_null(shmz_realloc(self->zone, object, sizes[i]));
		ASSERT_TRUE(has_pattern(object, kept, i));
		fill_pattern(object, sizes[i], i + 1);
		old = sizes[i];
		ASSERT_EQ(1, live_objects(self->zone));
	}
	ASSERT_EQ(0, shmz_free_sized(self->zone, object, old));
}

TEST_F(lib, realloc_that_fails_leaves_the_object)
{
	char *object = not_null(shmz_alloc(self->zone, 100));
	char local[16];

	fill_pattern(object, 100, 1);
	is_null(ENOMEM, shmz_realloc(self->zone, object, ZONE_BYTES));
	ASSERT_TRUE(has_pattern(object, 100, 1));
	ASSERT_EQ(1, live_objects(self->zone));
	if (variant->flags)
		is_null(EINVAL, shmz_realloc(self->zone, object + 8, 200));
	is_null(EINVAL, shmz_realloc(self->zone, local, 200));
	ASSERT_EQ(1, live_objects(self->zone));
}

/* It stays if it fits and is of that group already. */
TEST_F(lib, realloc_into_a_group)
{
	char *object = not_null(shmz_realloc_group(self->zone, NULL, 100, 3)), *before;

	fill_pattern(object, 100, 1);
	ASSERT_EQ(3, shmz_group_of(self->zone, object));
	ASSERT_EQ(object, shmz_realloc_group(self->zone, object, 99, 3));
	is_null(EINVAL, shmz_realloc_group(self->zone, object, 100, SHMZONE_GROUPS));
	is_null(EINVAL, shmz_realloc_group(self->zone, &before, 100, 3));
	before = object;
	object = not_null(shmz_realloc_group(self->zone, object, 100, 5));
	ASSERT_NE(before, object);
	ASSERT_EQ(5, shmz_group_of(self->zone, object));
	ASSERT_TRUE(has_pattern(object, 100, 1));
	/* Who says no group keeps it, spans too. */
	object = not_null(shmz_realloc(self->zone, object, 100000));
	ASSERT_EQ(5, shmz_group_of(self->zone, object));
	object = not_null(shmz_realloc_group(self->zone, object, 100000, 0));
	ASSERT_EQ(0, shmz_group_of(self->zone, object));
	ASSERT_TRUE(has_pattern(object, 100, 1));
	ASSERT_EQ(1, live_objects(self->zone));
	ASSERT_EQ(0, shmz_free(self->zone, object));
}

TEST_F(lib, usable_size_is_what_the_kernel_says)
{
	size_t bytes;

	for (bytes = 1; bytes < 200000; bytes += bytes / 3 + 1) {
		char *object = not_null(shmz_alloc(self->zone, bytes));

		ASSERT_EQ(out_bytes(self->zone, object),
			  shmz_usable_size(self->zone, object));
		ASSERT_LE(bytes, shmz_usable_size(self->zone, object));
	}
	ASSERT_EQ(0, shmz_usable_size(self->zone, NULL));
	ASSERT_EQ(0, shmz_usable_size(self->zone, &bytes));
	ASSERT_EQ(0, shmz_usable_size(self->zone, shmz_base(self->zone)));
}

TEST_F(lib, batches_beyond_what_one_call_takes)
{
	const size_t n = 3 * SHMZONE_BATCH_MAX + 5;
	void **objects = calloc(n, sizeof(*objects));
	size_t i;

	ASSERT_EQ(n, shmz_alloc_batch(self->zone, 64, objects, n));
	ASSERT_EQ(n, live_objects(self->zone));
	for (i = 0; i < n; i++)
		memset(objects[i], 1, 64);
	/* It leaves out the bad one, in whichever call. */
	objects[5] = (char *)objects[5] + 8;
	ASSERT_EQ(n - 1, shmz_free_batch(self->zone, objects, n));
	ASSERT_EQ(1, live_objects(self->zone));
	ASSERT_EQ(-EINVAL, shmz_free_batch(self->zone, objects, n));
	objects[5] = (char *)objects[5] - 8;
	ASSERT_EQ(1, shmz_free_batch(self->zone, objects, n));
	ASSERT_EQ(-EINVAL, shmz_alloc_batch_group(self->zone, 64, objects, 1, 16));
	free(objects);
}

TEST_F(lib, batch_until_memory_runs_out)
{
	static void *objects[200];
	ssize_t n = shmz_alloc_batch(self->zone, MIB, objects, 200);

	ASSERT_EQ(63, n);
	ASSERT_EQ(-ENOMEM, shmz_alloc_batch(self->zone, MIB, objects + n, 1));
	ASSERT_EQ(n, shmz_free_batch(self->zone, objects, n));
}

TEST_F(lib, empty_batches)
{
	void *object;

	ASSERT_EQ(0, shmz_alloc_batch(self->zone, 64, &object, 0));
	ASSERT_EQ(0, shmz_free_batch(self->zone, &object, 0));
}

TEST_F(lib, batch_with_a_null)
{
	void *objects[3] = { not_null(shmz_alloc(self->zone, 8)), NULL,
			     not_null(shmz_alloc(self->zone, 8)) };

	ASSERT_EQ(2, shmz_free_batch(self->zone, objects, 3));
	if (variant->flags)
		ASSERT_EQ(-EINVAL, shmz_free_batch(self->zone, objects + 1, 2));
	ASSERT_EQ(-EINVAL, shmz_free_batch(self->zone, objects + 1, 1));
	ASSERT_EQ(0, live_objects(self->zone));
}

TEST_F(lib, offsets_and_pointers)
{
	char *base = shmz_base(self->zone);
	char *object = not_null(shmz_alloc(self->zone, 100));
	__u64 offset = shmz_offset(self->zone, object);

	ASSERT_EQ(ZONE_BYTES, shmz_size(self->zone));
	ASSERT_EQ(base + offset, object);
	ASSERT_EQ(object, shmz_pointer(self->zone, offset));
	ASSERT_EQ(offset + 99, shmz_offset(self->zone, object + 99));
	ASSERT_EQ(NULL, shmz_pointer(self->zone, 0));
	ASSERT_EQ(NULL, shmz_pointer(self->zone, ZONE_BYTES));
	ASSERT_EQ(NULL, shmz_pointer(self->zone, UINT64_MAX));
	ASSERT_NE(NULL, shmz_pointer(self->zone, ZONE_BYTES - 1));
	ASSERT_EQ(0, shmz_offset(self->zone, base - 1));
	ASSERT_EQ(0, shmz_offset(self->zone, base + ZONE_BYTES));
	ASSERT_EQ(0, shmz_offset(self->zone, NULL));
	ASSERT_EQ(0, shmz_offset(self->zone, &offset));
}

TEST_F(lib, same_zone_by_name)
{
	struct shmz *same = not_null(shmz_open(self->name, 0));
	char *object = not_null(shmz_alloc(self->zone, 100));
	char *there = shmz_pointer(same, shmz_offset(self->zone, object));

	ASSERT_NE(object, there);
	fill_pattern(object, 100, 9);
	ASSERT_TRUE(has_pattern(there, 100, 9));
	ASSERT_EQ(0, shmz_free(same, there));
	shmz_close(same);
	same = not_null(shmz_create(self->name, MIB, NULL));
	ASSERT_EQ(ZONE_BYTES, shmz_size(same));
	shmz_close(same);
}

TEST_F(lib, names_that_are_not_there)
{
	is_null(ENOENT, shmz_open("selftest-nobody", 0));
	is_null(EOPNOTSUPP, shmz_open(self->name, 0x80));
	ASSERT_EQ(-ENOENT, shmz_unlink("selftest-nobody"));
	ASSERT_EQ(0, shmz_unlink(self->name));
	is_null(ENOENT, shmz_open(self->name, 0));
	is_null(EINVAL, shmz_open("a/b", 0));
	is_null(EINVAL, shmz_create("", MIB, NULL));
}

TEST_F(lib, options)
{
	struct shmz_options opts = { .size = sizeof(opts), .flags = SHMZ_EXCL };
	struct shmz *zone;

	is_null(EEXIST, shmz_create(self->name, MIB, &opts));
	opts.flags = 0x80;
	is_null(EOPNOTSUPP, shmz_create(NULL, MIB, &opts));
	opts.flags = 0;
	opts.limit = MIB;
	zone = not_null(shmz_create(NULL, GIB, &opts));
	is_null(ENOMEM, shmz_alloc(zone, MIB + 1));
	not_null(shmz_alloc(zone, MIB));
	shmz_close(zone);
	is_null(EOVERFLOW, shmz_create(NULL, 32 * TIB, NULL));
}

TEST_F(lib, sizes_are_rounded_up)
{
	struct shmz *zone = not_null(shmz_create(NULL, 1, NULL));

	ASSERT_EQ(2 * page_bytes(), shmz_size(zone));
	shmz_close(zone);
	zone = not_null(shmz_create(NULL, 100001, NULL));
	ASSERT_EQ((100001 + page_bytes() - 1) / page_bytes() * page_bytes(),
		  shmz_size(zone));
	shmz_close(zone);
	shmz_close(NULL);
}

TEST_F(lib, read_only)
{
	struct shmz *reader = not_null(shmz_open(self->name, SHMZ_RDONLY));
	char *object = not_null(shmz_alloc(self->zone, 100));
	char *there = shmz_pointer(reader, shmz_offset(self->zone, object));
	void *batch[] = { there };

	fill_pattern(object, 100, 1);
	ASSERT_TRUE(has_pattern(there, 100, 1));
	ASSERT_EQ(SIGSEGV, touch_write(there));
	is_null(EACCES, shmz_alloc(reader, 100));
	is_null(EACCES, shmz_zalloc(reader, 100));
	is_null(EACCES, shmz_realloc(reader, there, 10000));
	ASSERT_EQ(-EACCES, shmz_free(reader, there));
	ASSERT_EQ(-EACCES, shmz_free_batch(reader, batch, 1));
	ASSERT_EQ(-EACCES, shmz_alloc_batch(reader, 8, batch, 1));
	ASSERT_LE(100, shmz_usable_size(reader, there));
	shmz_close(reader);
}

TEST_F(lib, adopted_descriptors)
{
	struct shmz *same = not_null(shmz_adopt(dup(shmz_fd(self->zone))));
	char *object = not_null(shmz_alloc(same, 100));

	ASSERT_EQ(1, live_objects(self->zone));
	ASSERT_EQ(shmz_offset(same, object),
		  shmz_offset(self->zone, shmz_pointer(self->zone,
						       shmz_offset(same, object))));
	shmz_close(same);
}

TEST_F(lib, foreign_descriptors_are_not_adopted)
{
	int pipes[2], null = open("/dev/null", O_RDWR);
	int control = control_fd();

	ASSERT_EQ(0, pipe(pipes));
	is_null(EBADF, shmz_adopt(-1));
	is_null(EBADF, shmz_adopt(1000));
	is_null(ENOTTY, shmz_adopt(null));
	is_null(ENOTTY, shmz_adopt(pipes[0]));
	is_null(ENOTTY, shmz_adopt(control));
	/* They are still their owner's. */
	ASSERT_LE(0, fcntl(null, F_GETFD));
	ASSERT_LE(0, fcntl(pipes[0], F_GETFD));
	ASSERT_LE(0, fcntl(control, F_GETFD));
}

static int use_in_child(void *arg)
{
	FIXTURE_DATA(lib) *self = arg;
	char *object = shmz_alloc(self->zone, 100);

	if (!object)
		return 1;
	fill_pattern(object, 100, 2);
	shmz_close(self->zone);
	return 0;
}

TEST_F(lib, fork_has_a_handle_of_its_own)
{
	char *mine = not_null(shmz_alloc(self->zone, 100));

	ASSERT_EQ(0, in_child(use_in_child, self));
	ASSERT_EQ(2, live_objects(self->zone));
	ASSERT_EQ(0, shmz_free(self->zone, mine));
}

static void *churn(void *arg)
{
	struct shmz *zone = arg;
	unsigned long i, seed = (uintptr_t)&i;
	char *held[32] = {};

	for (i = 0; i < 3000; i++) {
		char **slot = &held[(seed + i * 7) % 32];
		size_t bytes = 1 + (seed + i * 131) % 3000;

		if (*slot && shmz_free(zone, *slot))
			return "free";
		*slot = shmz_alloc(zone, bytes);
		if (!*slot)
			return "alloc";
		memset(*slot, i, bytes);
	}
	for (i = 0; i < 32; i++)
		if (shmz_free(zone, held[i]))
			return "last free";
	return NULL;
}

TEST_F(lib, threads)
{
	pthread_t threads[4];
	void *wrong;
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, churn, self->zone));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &wrong));
		ASSERT_EQ(NULL, wrong);
	}
	ASSERT_EQ(0, live_objects(self->zone));
}

TEST_F(lib, figures)
{
	static struct shmzone_class_figures figures[SHMZONE_CLASSES];
	static struct shmzone_class classes[SHMZONE_CLASSES];
	struct shmzone_info info = { .size = sizeof(info) };
	const volatile __u32 *map;
	size_t pages;
	char *object;

	object = not_null(shmz_alloc(self->zone, 8));
	ASSERT_EQ(SHMZONE_CLASSES,
		  shmz_class_stat(self->zone, SHMZONE_GROUP_ALL, figures,
				  sizeof(figures[0]), SHMZONE_CLASSES));
	ASSERT_EQ(1, figures[1].used);
	ASSERT_EQ(SHMZONE_CLASSES,
		  shmz_class_table(self->zone, classes, sizeof(classes[0]),
				   SHMZONE_CLASSES));
	ASSERT_EQ(8, classes[1].slot_bytes);
	ASSERT_EQ(0, shmz_info(self->zone, &info));
	ASSERT_EQ(0, shmz_info(NULL, &info));
	ASSERT_NE(0, info.out_features & SHMZONE_FEATURE_CACHES);
	map = shmz_page_map(self->zone, &pages);
	ASSERT_NE(NULL, (void *)map);
	ASSERT_EQ(ZONE_BYTES / page_bytes(), pages);
	ASSERT_EQ(1, SHMZONE_PAGE_CLASS(map[shmz_offset(self->zone, object) /
					    page_bytes()]));
	info.size = 4;
	ASSERT_EQ(-EINVAL, shmz_info(self->zone, &info));
}

TEST_HARNESS_MAIN
