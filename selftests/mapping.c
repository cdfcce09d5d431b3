// SPDX-License-Identifier: GPL-2.0
/*
 * What may be mapped how: the rules of mmap and mprotect for the data and the
 * page map, through descriptors for writing and for reading only.
 */
#include <fcntl.h>
#include <sys/syscall.h>

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
		SHMZONE_MMAP_PAGE_MAP + TIB, SHMZONE_MMAP_PAGE_MAP * 2,
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

TEST_F(mapping, mprotect_cannot_widen)
{
	size_t bytes = area_bytes(variant);
	char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, self->fd,
			 area_start(variant));

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(may_write(variant) ? 0 : -1, mprotect(map, self->page, RW));
	if (!may_write(variant))
		ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(-1, mprotect(map, self->page, RX));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(-1, mprotect(map, bytes, RW | PROT_EXEC));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(0, mprotect(map, bytes, PROT_NONE));
	ASSERT_EQ(0, mprotect(map, bytes, PROT_READ));
	ASSERT_EQ(0, touch_read(map));
	ASSERT_EQ(SIGSEGV, touch_write(map + self->page));
}

TEST_F(mapping, remap_file_pages_opens_no_right)
{
	size_t bytes = area_bytes(variant), page = self->page;
	char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, self->fd,
			 area_start(variant));
	int i;

	ASSERT_NE(MAP_FAILED, map);
	/* Within the area, to the other area, and beyond all. */
	for (i = 0; i < 4; i++) {
		const __u64 pgoff[] = { 0, SHMZONE_MMAP_PAGE_MAP / page,
					SHMZONE_MMAP_PAGE_MAP / page + 1,
					16 * TIB / page };

		syscall(SYS_remap_file_pages, map, page, 0, pgoff[i], 0);
		if (!may_write(variant))
			ASSERT_EQ(-1, mprotect(map, page, RW));
		ASSERT_EQ(-1, mprotect(map, page, RX));
		touch_read(map);
	}
	/* Whatever moved, the zone is as it was. */
	ASSERT_EQ(0, stat_of(self->zone).out_taken_bytes);
	may_map(bytes, PROT_READ, MAP_SHARED, 0);
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

TEST_F(mapping, file_of_the_mapping_opened_anew)
{
	void *map = mmap(NULL, self->page, PROT_READ, MAP_SHARED, self->fd,
			 area_start(variant));
	char path[64];
	int fd;

	ASSERT_NE(MAP_FAILED, map);
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)map, (unsigned long)map + self->page);
	fd = open(path, O_RDWR);
	if (fd < 0)
		SKIP(return, "no /proc/self/map_files");
	/* Only root gets here. Even so, the zone keeps its size and works. */
	EXPECT_EQ(-1, ftruncate(fd, self->page));
	EXPECT_EQ(-1, ftruncate(fd, 32 * GIB));
	ASSERT_EQ(0, touch_read(map));
	ASSERT_LT(0, alloc(self->zone, 64));
	ASSERT_EQ(0, touch_read(map));
}

TEST_F(mapping, descriptor_is_no_file_to_read_or_resize)
{
	char byte = 0;

	ASSERT_EQ(-1, read(self->fd, &byte, 1));
	ASSERT_EQ(-1, write(self->fd, &byte, 1));
	ASSERT_EQ(-1, pread(self->fd, &byte, 1, 0));
	ASSERT_EQ(-1, pwrite(self->fd, &byte, 1, 0));
	ASSERT_EQ(-1, ftruncate(self->fd, self->page));
	ASSERT_EQ(-1, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, 0, self->page));
	ASSERT_EQ(-1, fallocate(self->fd, 0, 0, self->page));
	ASSERT_EQ(-1, lseek(self->fd, 10, SEEK_SET));
	ASSERT_EQ(-1, fcntl(self->fd, F_ADD_SEALS, F_SEAL_WRITE));
	ASSERT_EQ(ZONE_BYTES, stat_of(self->zone).out_zone_bytes);
}

TEST_HARNESS_MAIN
