// SPDX-License-Identifier: GPL-2.0
/*
 * The page map: what its entries say, and when they appear and go.
 */
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(2 * GIB)

FIXTURE(pagemap) {
	struct shmzone_class classes[SHMZONE_CLASSES];
	volatile __u32 *map;
	size_t page;
	size_t pages;
	int control;
	int zone;
};

FIXTURE_SETUP(pagemap)
{
	struct shmzone_info args = {
		SIZED(shmzone_info),
		.classes = to_u64(self->classes),
		.class_count = SHMZONE_CLASSES,
		.class_size = sizeof(self->classes[0]),
	};

	self->page = page_bytes();
	self->pages = ZONE_BYTES / self->page;
	self->control = control_fd();
	call(self->control, SHMZONE_INFO, &args);
	self->zone = create(self->control, ZONE_BYTES);
	self->map = map_pages_ok(self->zone, ZONE_BYTES, PROT_READ);
}

FIXTURE_TEARDOWN(pagemap)
{
	close(self->zone);
	close(self->control);
}

static __u32 entry(__u32 class, __u32 group, __u32 kind)
{
	return class | group << 6 | kind << 10;
}

static bool all_entries_zero(FIXTURE_DATA(pagemap) *self)
{
	return all_bytes((const void *)self->map, self->pages * sizeof(__u32), 0);
}

TEST_F(pagemap, empty_zone_reads_as_zeros)
{
	ASSERT_TRUE(all_entries_zero(self));
	ASSERT_GT(64 * KIB, stat_of(self->zone).out_kernel_bytes);
}

TEST_F(pagemap, every_page_of_a_slab)
{
	__u32 class;

	for (class = 1; class < SHMZONE_CLASSES; class++) {
		__u32 group = class % SHMZONE_GROUPS, n;
		__u64 offset, first;

		ASSERT_EQ(1, _try_alloc_in(self->zone, group,
					   self->classes[class].slot_bytes, 1,
					   &offset));
		/* The first slot of a new slab is at its start. */
		first = offset / self->page;
		for (n = 0; n < self->classes[class].slab_pages; n++)
			ASSERT_EQ(entry(class, group, SHMZONE_KIND_SLAB),
				  self->map[first + n]);
	}
}

TEST_F(pagemap, first_page_of_a_span)
{
	__u64 offset, first;
	int n;

	ASSERT_EQ(1, _try_alloc_in(self->zone, 9, 100 * self->page, 1, &offset));
	first = offset / self->page;
	ASSERT_EQ(entry(SHMZONE_CLASS_SPAN, 9, SHMZONE_KIND_SPAN), self->map[first]);
	for (n = 1; n <= 100; n++)
		ASSERT_EQ(0, self->map[first + n]);
	ASSERT_EQ(0, self->map[first - 1]);
}

static size_t entries_set(FIXTURE_DATA(pagemap) *self)
{
	size_t set = 0, i;

	for (i = 0; i < self->pages; i++)
		set += self->map[i] != 0;
	return set;
}

TEST_F(pagemap, cleared_by_free)
{
	__u64 slots[64], span;

	alloc_objects(self->zone, 4096, 64, slots);
	ASSERT_EQ(64, entries_set(self));
	span = alloc(self->zone, 100000);
	ASSERT_EQ(64 + 1, entries_set(self));
	free_at(self->zone, span);
	ASSERT_EQ(0, self->map[span / self->page]);
	free_all(self->zone, slots, 64);
	/* An empty slab may be held back; it is taken, then. */
	ASSERT_EQ(stat_of(self->zone).out_taken_bytes / self->page,
		  entries_set(self));
	ASSERT_GT(64, entries_set(self));
}

TEST_F(pagemap, appears_after_it_was_read_as_zero)
{
	__u64 spans[16];
	int i;

	ASSERT_TRUE(all_entries_zero(self));
	/* Each span goes into another part of the map. */
	alloc_objects(self->zone, 2048 * self->page, 16, spans);
	for (i = 0; i < 16; i++)
		ASSERT_EQ(entry(0, 0, SHMZONE_KIND_SPAN),
			  self->map[spans[i] / self->page]);
}

struct watch {
	volatile __u32 *map;
	size_t at;
};

static int watch_entry(void *arg)
{
	struct watch *watch = arg;
	int i;

	for (i = 0; i < 20000 && !watch->map[watch->at]; i++)
		usleep(1000);
	return watch->map[watch->at] == entry(0, 0, SHMZONE_KIND_SPAN) ? 0 : 1;
}

TEST_F(pagemap, appears_in_all_processes)
{
	/* Where first fit will put the second one. */
	struct watch watch = { .map = self->map, .at = 1 + 8192 };
	pid_t watchers[3];
	int i;

	ASSERT_EQ(0, self->map[watch.at]);
	for (i = 0; i < 3; i++)
		watchers[i] = start_child(watch_entry, &watch);
	usleep(100000);
	ASSERT_EQ(self->page, alloc(self->zone, 8192 * self->page));
	ASSERT_EQ(watch.at * self->page, alloc(self->zone, 100000));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, end_child(watchers[i]));
}

TEST_F(pagemap, survives_its_descriptor)
{
	int copy = dup(self->zone);
	__u64 offset;

	close(self->zone);
	offset = alloc(copy, 100);
	ASSERT_NE(0, self->map[offset / self->page]);
	close(copy);
	ASSERT_NE(0, self->map[offset / self->page]);
	self->zone = create(self->control, MIB);
	ASSERT_NE(0, self->map[offset / self->page]);
}

TEST_F(pagemap, a_part_of_it)
{
	size_t part_pages = self->page / sizeof(__u32);
	volatile __u32 *part;
	__u64 far;

	alloc(self->zone, 3 * part_pages * self->page);
	far = alloc(self->zone, 100000);
	part = mmap(NULL, self->page, PROT_READ, MAP_SHARED, self->zone,
		    SHMZONE_MMAP_PAGE_MAP + 3 * self->page);
	ASSERT_NE(MAP_FAILED, (void *)part);
	ASSERT_EQ(entry(0, 0, SHMZONE_KIND_SPAN),
		  part[far / self->page - 3 * part_pages]);
}

TEST_F(pagemap, of_a_zone_smaller_than_a_page_of_it)
{
	int zone = create(self->control, 40 * self->page);
	volatile __u32 *map = mmap(NULL, self->page, PROT_READ, MAP_SHARED, zone,
				   SHMZONE_MMAP_PAGE_MAP);
	__u64 offset = alloc(zone, 100);

	ASSERT_NE(MAP_FAILED, (void *)map);
	ASSERT_NE(0, map[offset / self->page]);
	ASSERT_EQ(0, map[self->page / sizeof(__u32) - 1]);
	ASSERT_EQ(MAP_FAILED, mmap(NULL, 2 * self->page, PROT_READ, MAP_SHARED,
				   zone, SHMZONE_MMAP_PAGE_MAP));
}

TEST_F(pagemap, of_the_largest_zone)
{
	int zone = create(self->control, 16 * TIB);
	volatile __u32 *map = map_pages_ok(zone, 16 * TIB, PROT_READ);
	__u64 far;

	alloc(zone, 15 * TIB);
	far = alloc(zone, 100000);
	ASSERT_LT(15 * TIB, far);
	ASSERT_EQ(entry(0, 0, SHMZONE_KIND_SPAN), map[far / self->page]);
	ASSERT_EQ(0, map[16 * TIB / self->page - 1]);
}

TEST_F(pagemap, cannot_be_written_by_other_ways)
{
	__u64 offset = alloc(self->zone, 100);
	void *there = (void *)&self->map[offset / self->page];
	__u32 before = self->map[offset / self->page];
	struct iovec from = { .iov_base = &before, .iov_len = 4 };
	struct iovec to = { .iov_base = there, .iov_len = 4 };
	FILE *memory = fopen("/proc/self/mem", "r+");

	ASSERT_EQ(SIGSEGV, touch_write(there));
	ASSERT_EQ(-1, process_vm_writev(getpid(), &from, 1, &to, 1, 0));
	ASSERT_NE(NULL, memory);
	ASSERT_EQ(-1, pwrite(fileno(memory), &offset, 4, (uintptr_t)there));
	ASSERT_EQ(before, self->map[offset / self->page]);
	fclose(memory);
}

TEST_F(pagemap, can_be_read_by_other_ways)
{
	__u64 offset = alloc(self->zone, 100);
	void *there = (void *)&self->map[offset / self->page];
	__u32 value = 0;
	struct iovec to = { .iov_base = &value, .iov_len = 4 };
	struct iovec from = { .iov_base = there, .iov_len = 4 };

	ASSERT_EQ(4, process_vm_readv(getpid(), &to, 1, &from, 1, 0));
	ASSERT_EQ(self->map[offset / self->page], value);
	/* And where there is nothing yet. */
	from.iov_base = (void *)&self->map[self->pages - 1];
	process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	ASSERT_EQ(0, self->map[self->pages - 1]);
}

TEST_F(pagemap, populated_and_forked)
{
	size_t bytes = self->pages * sizeof(__u32);
	__u64 offset = alloc(self->zone, 100);
	struct watch watch;
	void *map;

	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, self->zone,
		   SHMZONE_MMAP_PAGE_MAP);
	ASSERT_NE(MAP_FAILED, map);
	watch.map = map;
	free_at(self->zone, offset);
	watch.at = alloc(self->zone, 500 * MIB) / self->page;
	ASSERT_EQ(0, in_child(watch_entry, &watch));
}

TEST_HARNESS_MAIN
