// SPDX-License-Identifier: GPL-2.0
/*
 * INFO: the limits of the ABI and the class table.
 */
#include <fcntl.h>

#include "kselftest_harness.h"
#include "caches.h"
#include "utils.h"

FIXTURE(info) {
	struct shmzone_class classes[SHMZONE_CLASSES + 3];
	int control;
};

FIXTURE_SETUP(info)
{
	self->control = control_fd();
}

FIXTURE_TEARDOWN(info)
{
	close(self->control);
}

static int try_classes(int control, void *classes, __u32 count, __u32 size)
{
	struct shmzone_info args = {
		SIZED(shmzone_info),
		.classes = to_u64(classes),
		.class_count = count,
		.class_size = size,
	};

	return _try_call(control, SHMZONE_INFO, &args);
}

#define get_classes()							\
	ASSERT_EQ(0, try_classes(self->control, self->classes,		\
				 SHMZONE_CLASSES, sizeof(self->classes[0])))

TEST_F(info, constants)
{
	struct shmzone_info args;

	info(self->control, &args);
	EXPECT_EQ(SHMZONE_ABI_VERSION, args.out_abi_version);
	EXPECT_EQ(page_bytes(), args.out_page_bytes);
	EXPECT_EQ((__u64)page_bytes() << 32, args.out_zone_bytes_max);
	EXPECT_EQ(SHMZONE_CLASSES, args.out_class_count);
	EXPECT_EQ(SHMZONE_GROUPS, args.out_group_count);
	EXPECT_EQ(SHMZONE_BATCH_MAX, args.out_batch_max);
	EXPECT_EQ(SHMZONE_NAME_MAX, args.out_name_max);
}

static int create_of_kind(int control, __u32 kind)
{
	return _try_create_kind(control, kind, MIB, 0) < 0;
}

static int alloc_and_wait(int control, __u32 arg)
{
	__u64 offset;

	return _try_alloc_wait(_try_create(control, MIB), 8, 1, 1, &offset) != 1;
}

static int get_root(int control, __u32 arg)
{
	struct shmzone_root_get args = { SIZED(shmzone_root_get), NAMED("root") };

	return _try_call(_try_create(control, MIB), SHMZONE_ROOT_GET, &args);
}

static int get_no_seals(int control, __u32 arg)
{
	return _try_get_seals(_try_create(control, MIB));
}

static int have_caches(int control, __u32 arg)
{
	/* Their place is beyond the reach of programs of 32 bits. */
	return sizeof(void *) == 8 && _try_map_caches(_try_create(control, MIB), 1);
}

static const struct {
	__u64 feature;
	int (*use)(int control, __u32 arg);
	__u32 arg;
} features[] = {
	{ SHMZONE_FEATURE_COMMITTED, create_of_kind, SHMZONE_CREATE_COMMITTED },
	{ SHMZONE_FEATURE_STRICT, create_of_kind, SHMZONE_CREATE_STRICT },
	{ SHMZONE_FEATURE_WAIT, alloc_and_wait },
	{ SHMZONE_FEATURE_ROOTS, get_root },
	{ SHMZONE_FEATURE_SEALS, get_no_seals },
	{ SHMZONE_FEATURE_CACHES, have_caches },
	{ SHMZONE_FEATURE_OWNED, create_of_kind, SHMZONE_CREATE_OWNED },
	{ SHMZONE_FEATURE_CHECKED, create_of_kind,
	  SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED },
};

TEST_F(info, features_that_are_told_are_there)
{
	struct shmzone_info args;
	__u64 all = 0;
	size_t i;

	info(self->control, &args);
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		all |= features[i].feature;
		EXPECT_EQ(0, features[i].use(self->control, features[i].arg));
	}
	ASSERT_EQ(all, args.out_features);
}

TEST_F(info, same_on_a_zone_descriptor)
{
	struct shmzone_info of_control, of_zone;
	int zone = create(self->control, MIB);

	info(self->control, &of_control);
	info(zone, &of_zone);
	EXPECT_EQ(0, memcmp(&of_control, &of_zone, sizeof(of_zone)));
}

TEST_F(info, zones_are_counted)
{
	struct shmzone_info args;
	int zones[3];
	__u64 before;
	int i;

	info(self->control, &args);
	before = args.out_zones;
	for (i = 0; i < 3; i++)
		zones[i] = create(self->control, MIB);
	info(self->control, &args);
	EXPECT_EQ(before + 3, args.out_zones);
	for (i = 0; i < 3; i++)
		close(zones[i]);
	EXPECT_TRUE(zones_become(self->control, before));
}

/*
 * The rule of the table: slots are m times a power of two, m in 1, 3, 5, 7,
 * every multiple of 8 up to 64, then four to an octave up to 32 KiB.
 */
static __u32 next_slot_bytes(__u32 bytes)
{
	__u32 step = 8;

	/* Above 64 they are 4, 5, 6 and 7 times the same power of two. */
	while (bytes >= 8 * step)
		step *= 2;
	return bytes + step;
}

static __u32 odd_part(__u32 bytes)
{
	while (bytes % 2 == 0)
		bytes /= 2;
	return bytes;
}

TEST_F(info, class_table_follows_its_rule)
{
	__u32 bytes = 0;
	int i;

	get_classes();
	for (i = 1; i < SHMZONE_CLASSES; i++) {
		struct shmzone_class *class = &self->classes[i];
		__u32 odd, pages;

		bytes = next_slot_bytes(bytes);
		ASSERT_EQ(bytes, class->slot_bytes);
		odd = odd_part(bytes);
		ASSERT_TRUE(odd == 1 || odd == 3 || odd == 5 || odd == 7);
		pages = odd == 1 ? 4 : odd;
		while (pages * page_bytes() < bytes)
			pages *= 2;
		ASSERT_EQ(pages, class->slab_pages);
		ASSERT_EQ(pages * page_bytes() / bytes, class->slab_slots);
		ASSERT_EQ(0, pages * page_bytes() % bytes);
		ASSERT_EQ(0, class->__reserved);
	}
	ASSERT_EQ(32768, bytes);
}

TEST_F(info, class_0_is_the_spans)
{
	memset(self->classes, 0xa5, sizeof(self->classes));
	get_classes();
	ASSERT_TRUE(all_bytes(&self->classes[0], sizeof(self->classes[0]), 0));
}

TEST_F(info, fewer_classes_than_there_are)
{
	memset(self->classes, 0xa5, sizeof(self->classes));
	ASSERT_EQ(0, try_classes(self->control, self->classes, 3, 16));
	EXPECT_EQ(8, self->classes[1].slot_bytes);
	EXPECT_EQ(16, self->classes[2].slot_bytes);
	EXPECT_TRUE(all_bytes(&self->classes[3], 16, 0xa5));
}

TEST_F(info, more_classes_than_there_are)
{
	memset(self->classes, 0xa5, sizeof(self->classes));
	ASSERT_EQ(0, try_classes(self->control, self->classes,
				 SHMZONE_CLASSES + 3, 16));
	EXPECT_EQ(32768, self->classes[SHMZONE_CLASSES - 1].slot_bytes);
	EXPECT_TRUE(all_bytes(&self->classes[SHMZONE_CLASSES], 3 * 16, 0xa5));
}

TEST_F(info, no_classes_wanted)
{
	memset(self->classes, 0xa5, sizeof(self->classes));
	ASSERT_EQ(0, try_classes(self->control, NULL, 5, 16));
	ASSERT_EQ(0, try_classes(self->control, NULL, 0, 0));
	ASSERT_EQ(0, try_classes(self->control, self->classes, 0, 16));
	ASSERT_TRUE(all_bytes(self->classes, sizeof(self->classes), 0xa5));
}

TEST_F(info, larger_classes_than_the_kernel_knows)
{
	struct {
		struct shmzone_class known;
		__u64 more;
	} wide[SHMZONE_CLASSES];
	int i;

	memset(wide, 0xa5, sizeof(wide));
	ASSERT_EQ(0, try_classes(self->control, wide, SHMZONE_CLASSES,
				 sizeof(wide[0])));
	for (i = 0; i < SHMZONE_CLASSES; i++)
		ASSERT_EQ(0, wide[i].more);
	get_classes();
	for (i = 0; i < SHMZONE_CLASSES; i++)
		ASSERT_EQ(0, memcmp(&wide[i].known, &self->classes[i], 16));
}

TEST_F(info, classes_of_absurd_size)
{
	char *map = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct shmzone_class *second;
	int ret;

	ASSERT_TRUE(map != MAP_FAILED);
	/* Whether it is refused or obeyed, nothing else is written. */
	map[2 * MIB] = 1;
	ret = try_classes(self->control, map, 2, MIB);
	ASSERT_TRUE(ret == 0 || ret == -EINVAL || ret == -E2BIG);
	second = (void *)(map + MIB);
	ASSERT_EQ(ret ? 0 : 8, second->slot_bytes);
	ASSERT_EQ(1, map[2 * MIB]);
	/* The sizes must not overflow to something small. */
	ret = try_classes(self->control, map, UINT32_MAX, UINT32_MAX);
	ASSERT_GT(0, ret);
}

TEST_F(info, classes_of_too_small_size)
{
	static const __u32 small[] = { 0, 1, 8, 12, 15 };
	size_t i;

	memset(self->classes, 0xa5, sizeof(self->classes));
	for (i = 0; i < ARRAY_SIZE(small); i++)
		ASSERT_EQ(-EINVAL, try_classes(self->control, self->classes,
					       SHMZONE_CLASSES, small[i]));
	ASSERT_TRUE(all_bytes(self->classes, sizeof(self->classes), 0xa5));
}

TEST_F(info, classes_nowhere)
{
	char *end = page_before_hole();

	ASSERT_EQ(-EFAULT, try_classes(self->control, (void *)8,
				       SHMZONE_CLASSES, 16));
	ASSERT_EQ(-EFAULT, try_classes(self->control, end - 16 * 10,
				       SHMZONE_CLASSES, 16));
	ASSERT_EQ(-EFAULT, try_classes(self->control, (void *)-16,
				       SHMZONE_CLASSES, 16));
	ASSERT_EQ(0, try_classes(self->control, end - 16 * 10, 10, 16));
}

TEST_F(info, control_descriptor_opened_read_only)
{
	int fd = open("/dev/shmzone", O_RDONLY | O_CLOEXEC);
	struct shmzone_info args;

	ASSERT_LE(0, fd);
	info(fd, &args);
}

TEST_F(info, control_descriptor_does_not_map_or_read)
{
	char byte = 0;

	ASSERT_TRUE(map_data(self->control, page_bytes(), PROT_READ) == MAP_FAILED);
	ASSERT_EQ(-1, read(self->control, &byte, 1));
	ASSERT_EQ(-1, write(self->control, &byte, 1));
}

TEST_HARNESS_MAIN
