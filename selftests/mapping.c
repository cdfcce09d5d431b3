// SPDX-License-Identifier: GPL-2.0
/*
 * What may be mapped how: the rules of mmap for the data and the page map,
 * through descriptors for writing and for reading only. What can be done to a
 * mapping then is in matrix.c.
 */
#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(16 * MIB)
#define RW		(PROT_READ | PROT_WRITE)
#define RX		(PROT_READ | PROT_EXEC)

FIXTURE(mapping) {
	const char *name;
	size_t page;
	int control;
	int zone;
	int fd;
};

/* Both areas by both kinds of descriptor. */
FIXTURE_VARIANT(mapping) {
	bool page_map;
	bool read_only;
};

FIXTURE_VARIANT_ADD(mapping, data_writable) {
	.page_map = false,
	.read_only = false,
};

FIXTURE_VARIANT_ADD(mapping, data_read_only) {
	.read_only = true,
};

FIXTURE_VARIANT_ADD(mapping, page_map) {
	.page_map = true,
};

FIXTURE_VARIANT_ADD(mapping, page_map_read_only) {
	.page_map = true,
	.read_only = true,
};

FIXTURE_SETUP(mapping)
{
	struct shmzone_create args;

	self->page = page_bytes();
	self->control = control_fd();
	self->name = fresh_name();
	args = (struct shmzone_create) {
		SIZED(shmzone_create),
		.zone_bytes = ZONE_BYTES,
		NAMED(self->name),
		.mode = 0600,
	};
	self->zone = call(self->control, SHMZONE_CREATE, &args);
	self->fd = variant->read_only ?
		open_zone(self->control, self->name, SHMZONE_OPEN_RDONLY) :
		dup(self->zone);
}

FIXTURE_TEARDOWN(mapping)
{
	close(self->fd);
	close(self->zone);
	close(self->control);
}

static __u64 area_start(const FIXTURE_VARIANT(mapping) *variant)
{
	return variant->page_map ? SHMZONE_MMAP_PAGE_MAP : 0;
}

static size_t area_bytes(const FIXTURE_VARIANT(mapping) *variant)
{
	return variant->page_map ? ZONE_BYTES / page_bytes() * sizeof(__u32) :
				   ZONE_BYTES;
}

static bool may_write(const FIXTURE_VARIANT(mapping) *variant)
{
	return !variant->page_map && !variant->read_only;
}

/* Map at an offset inside the area: 0, or -errno. */
static int try_map(int fd, const FIXTURE_VARIANT(mapping) *variant, size_t bytes,
		   int prot, int flags, __u64 offset)
{
	void *map = mmap(NULL, bytes, prot, flags, fd,
			 area_start(variant) + offset);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, bytes);
	return 0;
}

#define may_map(...)		\
	ASSERT_EQ(0, try_map(self->fd, variant, __VA_ARGS__))
#define may_not_map(error, ...)	\
	ASSERT_EQ(-(error), try_map(self->fd, variant, __VA_ARGS__))

TEST_F(mapping, whole_area)
{
	size_t bytes = area_bytes(variant);

	may_map(bytes, PROT_READ, MAP_SHARED, 0);
	may_map(bytes, PROT_READ, MAP_SHARED_VALIDATE, 0);
	may_map(bytes, PROT_NONE, MAP_SHARED, 0);
}

TEST_F(mapping, writable)
{
	size_t bytes = area_bytes(variant);
	int error = may_write(variant) ? 0 : EACCES;

	may_not_map(error, bytes, RW, MAP_SHARED, 0);
	may_not_map(error, bytes, PROT_WRITE, MAP_SHARED, 0);
}

TEST_F(mapping, private)
{
	size_t bytes = area_bytes(variant);

	may_not_map(EINVAL, bytes, PROT_READ, MAP_PRIVATE, 0);
	may_not_map(EINVAL, bytes, RW, MAP_PRIVATE, 0);
	may_not_map(EINVAL, bytes, PROT_NONE, MAP_PRIVATE, 0);
}

TEST_F(mapping, executable)
{
	static const int prots[] = { PROT_EXEC, RX, RW | PROT_EXEC };
	size_t i;

	/* Later kernels refuse it before the module is asked. */
	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		int ret = try_map(self->fd, variant, area_bytes(variant), prots[i],
				  MAP_SHARED, 0);

		ASSERT_TRUE(ret == -EACCES || ret == -EPERM);
	}
}

TEST_F(mapping, beyond_the_end)
{
	size_t bytes = area_bytes(variant), page = self->page;

	may_not_map(EINVAL, bytes + page, PROT_READ, MAP_SHARED, 0);
	may_not_map(EINVAL, bytes, PROT_READ, MAP_SHARED, page);
	may_not_map(EINVAL, page, PROT_READ, MAP_SHARED, bytes);
	may_not_map(EINVAL, page, PROT_READ, MAP_SHARED, bytes + 100 * page);
	may_not_map(EINVAL, page, PROT_READ, MAP_SHARED, 32 * TIB);
	may_not_map(EINVAL, 2 * page, PROT_READ, MAP_SHARED, bytes - page);
	may_map(page, PROT_READ, MAP_SHARED, bytes - page);
}

TEST_F(mapping, between_and_behind_the_areas)
{
	static const __u64 nowhere[] = {
		17 * TIB, SHMZONE_MMAP_PAGE_MAP - 4096,
		SHMZONE_MMAP_PAGE_MAP + TIB, SHMZONE_MMAP_CACHES - 4096,
		SHMZONE_MMAP_CACHES + SHMZONE_CACHE_BYTES,
		1ULL << 62, (1ULL << 63) - 4096 * 16,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		void *map = mmap(NULL, self->page, PROT_READ, MAP_SHARED,
				 self->fd, nowhere[i]);

		ASSERT_EQ(MAP_FAILED, map);
		ASSERT_TRUE(errno == EINVAL || errno == EOVERFLOW);
	}
}

TEST_F(mapping, parts_show_the_right_place)
{
	size_t bytes = area_bytes(variant), at;
	char *whole = mmap(NULL, bytes, PROT_READ, MAP_SHARED, self->fd,
			   area_start(variant));
	char *data = map_data_ok(self->zone, ZONE_BYTES, RW);
	int i;

	ASSERT_NE(MAP_FAILED, whole);
	for (i = 0; i < 2000; i++)
		memset(data + alloc(self->zone, 5000), i, 5000);
	for (at = 0; at < bytes; at += bytes / 4) {
		char *part = mmap(NULL, self->page, PROT_READ, MAP_SHARED,
				  self->fd, area_start(variant) + at);

		ASSERT_NE(MAP_FAILED, part);
		ASSERT_EQ(0, memcmp(part, whole + at, self->page));
		munmap(part, self->page);
	}
}

TEST_F(mapping, middle_unmapped)
{
	size_t bytes = area_bytes(variant), page = self->page;
	char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, self->fd,
			 area_start(variant));

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, munmap(map + page, page));
	ASSERT_EQ(0, touch_read(map));
	ASSERT_EQ(SIGSEGV, touch_read(map + page));
	ASSERT_EQ(0, touch_read(map + 2 * page));
}

TEST_F(mapping, fixed_over_itself)
{
	size_t bytes = area_bytes(variant), page = self->page;
	char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, self->fd,
			 area_start(variant));

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(map + page, mmap(map + page, page, PROT_READ,
				   MAP_SHARED | MAP_FIXED, self->fd,
				   area_start(variant) + page));
	ASSERT_EQ(map, mmap(map, page, PROT_READ, MAP_SHARED | MAP_FIXED,
			    self->fd, area_start(variant) + 2 * page));
	ASSERT_EQ(0, touch_read(map));
	ASSERT_EQ(0, touch_read(map + page));
}

TEST_F(mapping, shows_a_name_in_proc_maps)
{
	void *map = mmap(NULL, self->page, PROT_READ, MAP_SHARED, self->fd,
			 area_start(variant));
	char line[512], start[32];
	bool found = false;
	FILE *maps;

	ASSERT_NE(MAP_FAILED, map);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)map);
	maps = fopen("/proc/self/maps", "r");
	ASSERT_NE(NULL, maps);
	while (fgets(line, sizeof(line), maps))
		if (!strncmp(line, start, strlen(start)))
			found = strstr(line, "shmzone");
	fclose(maps);
	ASSERT_TRUE(found);
}

TEST_F(mapping, refusals_are_counted)
{
	__u64 before = stat_of(self->zone).out_refused_calls;

	may_not_map(EINVAL, self->page, PROT_READ, MAP_PRIVATE, 0);
	may_not_map(EINVAL, self->page, PROT_READ, MAP_SHARED, 20 * MIB);
	ASSERT_EQ(before + 2, stat_of(self->zone).out_refused_calls);
}

TEST_HARNESS_MAIN
