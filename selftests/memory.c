// SPDX-License-Identifier: GPL-2.0
/*
 * The memory behind the data: zeroed when first touched, resident only where it
 * was touched.
 */
#include <fcntl.h>

#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(256 * MIB)
#define RW		(PROT_READ | PROT_WRITE)

FIXTURE(memory) {
	char *data;
	size_t page;
	int control;
	int zone;
};

FIXTURE_SETUP(memory)
{
	self->page = page_bytes();
	self->control = control_fd();
	self->zone = create(self->control, ZONE_BYTES);
	self->data = map_data_ok(self->zone, ZONE_BYTES, RW);
}

FIXTURE_TEARDOWN(memory)
{
	munmap(self->data, ZONE_BYTES);
	close(self->zone);
	close(self->control);
}

#define resident_pages()	\
	(stat_of(self->zone).out_resident_bytes / self->page)

TEST_F(memory, zeroed_on_first_touch)
{
	static __u64 offsets[500];
	int i;

	alloc_objects(self->zone, 3000, 500, offsets);
	for (i = 0; i < 500; i++) {
		ASSERT_TRUE(all_bytes(self->data + offsets[i], 3000, 0));
		fill_pattern(self->data + offsets[i], 3000, i);
	}
	for (i = 0; i < 500; i++)
		ASSERT_TRUE(has_pattern(self->data + offsets[i], 3000, i));
}

TEST_F(memory, alloc_and_free_touch_nothing)
{
	static __u64 offsets[SHMZONE_BATCH_MAX];

	alloc_objects(self->zone, 2000, SHMZONE_BATCH_MAX, offsets);
	ASSERT_EQ(0, resident_pages());
	free_all(self->zone, offsets, SHMZONE_BATCH_MAX);
	ASSERT_EQ(0, resident_pages());
}

TEST_F(memory, resident_where_it_was_touched)
{
	int i;

	for (i = 1; i <= 20; i++) {
		self->data[i * 10 * self->page] = 1;
		ASSERT_EQ(i, resident_pages());
	}
	/* Again, and by another process: no more. */
	self->data[10 * self->page + 5] = 1;
	ASSERT_EQ(20, resident_pages());
}

TEST_F(memory, populated)
{
	char *map = mmap(NULL, 64 * self->page, RW, MAP_SHARED | MAP_POPULATE,
			 self->zone, 8 * self->page);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(64, resident_pages());
	ASSERT_EQ(0, mlock(self->data, 16 * self->page));
	ASSERT_EQ(64 + 8, resident_pages());
}

TEST_F(memory, untouched_pages_are_not_allocated_by_fork)
{
	int i;

	self->data[self->page] = 1;
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, in_child((int (*)(void *))touch_read,
				      self->data + self->page));
	ASSERT_EQ(1, resident_pages());
}

TEST_F(memory, same_bytes_at_every_mapping)
{
	char *again = map_data_ok(self->zone, ZONE_BYTES, PROT_READ);
	__u64 offset = alloc(self->zone, 100000);
	char *part = mmap(NULL, 16 * self->page, RW, MAP_SHARED, self->zone, offset);

	ASSERT_NE(MAP_FAILED, part);
	fill_pattern(self->data + offset, 60000, 3);
	ASSERT_TRUE(has_pattern(again + offset, 60000, 3));
	ASSERT_TRUE(has_pattern(part, 60000, 3));
	fill_pattern(part, 60000, 4);
	ASSERT_TRUE(has_pattern(self->data + offset, 60000, 4));
}

TEST_F(memory, content_of_a_freed_object_is_not_kept_from_others)
{
	__u64 offset = alloc(self->zone, 64);

	/* Not zeroed, and says so: the zone's users trust each other so far. */
	memset(self->data + offset, 1, 64);
	free_at(self->zone, offset);
	ASSERT_EQ(0, touch_read(self->data + offset));
}

TEST_F(memory, file_is_read_into_it)
{
	__u64 offset = alloc(self->zone, 100000);
	int file = open("/proc/self/exe", O_RDONLY);
	char start[4];

	ASSERT_LE(0, file);
	ASSERT_EQ(4, pread(file, start, 4, 0));
	ASSERT_LT(4, pread(file, self->data + offset, 100000, 0));
	ASSERT_EQ(0, memcmp(start, self->data + offset, 4));
}

TEST_F(memory, structures_and_arrays_may_lie_in_the_zone)
{
	__u64 at = alloc(self->zone, 1000);
	struct shmzone_stat *stat = (void *)(self->data + at);
	__u64 *offsets = (void *)(self->data + at + 512);

	ASSERT_EQ(0, _try_stat(self->zone, stat));
	ASSERT_EQ(1, stat->out_live_objects);
	alloc_objects(self->zone, 64, 10, offsets);
	free_all(self->zone, offsets, 10);
}

/* The machine's shared memory in KiB, with all per-processor shares added up. */
static long shared_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	long kib = -1;
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1", 1) != 1)
			perror("stat_refresh");
		close(fd);
	}
	while (file && kib < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "Shmem: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

TEST_F(memory, memory_comes_back_with_the_zone)
{
	const long mib = 16;
	struct shmzone_info args;
	long before, during;
	size_t at;
	char *data;
	int zone;

	info(self->control, &args);
	before = not_negative(shared_memory());
	zone = create(self->control, mib * MIB);
	data = map_data_ok(zone, mib * MIB, RW);
	for (at = 0; at < mib * MIB; at += self->page)
		data[at] = 1;
	during = shared_memory();
	ASSERT_LE(before + mib * 1024, during);
	ASSERT_EQ(0, munmap(data, mib * MIB));
	close(zone);
	ASSERT_TRUE(zones_become(self->control, args.out_zones));
	ASSERT_GE(during - mib * 1024 + 512, shared_memory());
}

TEST_HARNESS_MAIN
