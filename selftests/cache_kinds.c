// SPDX-License-Identifier: GPL-2.0
/*
 * Caches in strict and committed zones, with owners and without: a slot in a cache is
 * taken, and so are the pages it lies on, until the last one of its slab has left the
 * cache.
 */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

FIXTURE(kinds) {
	int control;
	int zone;
	__u32 class;
	char *data;
	struct shmzone_cache *caches;
};

FIXTURE_VARIANT(kinds) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(kinds, strict) {
	.kind = SHMZONE_CREATE_STRICT,
};

FIXTURE_VARIANT_ADD(kinds, strict_committed) {
	.kind = SHMZONE_CREATE_STRICT | SHMZONE_CREATE_COMMITTED,
};

FIXTURE_VARIANT_ADD(kinds, strict_owned) {
	.kind = SHMZONE_CREATE_STRICT | SHMZONE_CREATE_OWNED,
};

FIXTURE_VARIANT_ADD(kinds, strict_checked) {
	.kind = SHMZONE_CREATE_STRICT | SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED,
};

FIXTURE_SETUP(kinds)
{
	self->control = control_fd();
	self->zone = create_kind(self->control, variant->kind, 16 * MIB, 2 * MIB);
	self->class = class_of(self->zone, 64);
	self->data = map_data_ok(self->zone, 16 * MIB, PROT_READ | PROT_WRITE);
	self->caches = map_caches_ok(self->zone, 2);
}

FIXTURE_TEARDOWN(kinds)
{
	ASSERT_TRUE(zone_consistent(self->zone));
	close(self->zone);
	close(self->control);
}

/* Where the slot lies that the cache would give next. */
static volatile char *next_slot(const FIXTURE_DATA(kinds) *self, unsigned int index)
{
	struct shmzone_cache *cache = cache_at(self->caches, index);

	return self->data + cache_words(cache)[cache->head.bin[self->class].cur];
}

/* Nothing is left of the slab: neither pages nor the right to touch them. */
#define slab_is_gone(slot)						\
do {									\
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);		\
	ASSERT_TRUE(slabs_become(self->zone, 0));			\
	ASSERT_EQ(0, stat_of(self->zone).out_taken_bytes);		\
	ASSERT_EQ(0, stat_of(self->zone).out_resident_bytes);		\
	ASSERT_EQ(SIGBUS, touch_read(slot));				\
} while (0)

TEST_F(kinds, slots_in_a_cache_can_be_touched)
{
	volatile char *slot;

	refill(self->zone, 0, self->class, 0, NULL);
	slot = next_slot(self, 0);
	ASSERT_EQ(0, *slot);
	ASSERT_EQ(0, touch_write(slot));
	*slot = 1;
	ASSERT_LT(0, stat_of(self->zone).out_resident_bytes);
	/* Until the last one is drained. */
	ASSERT_EQ(1, drain_all(self->zone, 0));
	slab_is_gone(slot);
	/* And they are zero again. */
	refill(self->zone, 0, self->class, 0, NULL);
	ASSERT_EQ(0, *next_slot(self, 0));
	drain_all(self->zone, 0);
}

TEST_F(kinds, two_caches_share_a_slab)
{
	volatile char *slot;

	refill(self->zone, 0, self->class, 0, NULL);
	refill(self->zone, 1, self->class, 0, NULL);
	slot = next_slot(self, 1);
	*slot = 1;
	ASSERT_EQ(1, drain_all(self->zone, 0));
	ASSERT_EQ(1, *slot);
	ASSERT_EQ(1, drain_all(self->zone, 1));
	slab_is_gone(slot);
}

TEST_F(kinds, revoked)
{
	volatile char *slot;

	ASSERT_EQ(50, cache_fill(self->zone, self->caches, 0, self->class, 50));
	slot = next_slot(self, 0);
	*slot = 1;
	ASSERT_EQ(50, reclaim(self->zone, NULL));
	slab_is_gone(slot);
	/* The thread goes on. */
	ASSERT_EQ(5, cache_fill(self->zone, self->caches, 0, self->class, 5));
	*next_slot(self, 0) = 1;
	ASSERT_EQ(5, drain_all(self->zone, 0));
}

TEST_F(kinds, unmapped)
{
	volatile char *slot;
	long client;

	ASSERT_EQ(50, cache_fill(self->zone, self->caches, 0, self->class, 50));
	slot = next_slot(self, 0);
	*slot = 1;
	client = client_of(self->zone);
	ASSERT_EQ(0, munmap(self->caches, 2 * SHMZONE_CACHE_BYTES));
	sync_client(self->zone, client, 0);
	slab_is_gone(slot);
}

/* A large request at the limit gets the pages of what is in caches. */
TEST_F(kinds, every_byte_at_the_limit)
{
	__u64 span;

	ASSERT_EQ(50, cache_fill(self->zone, self->caches, 0, self->class, 50));
	memset((char *)next_slot(self, 0), 1, 64);
	alloc_objects(self->zone, 2 * MIB, 1, &span);
	ASSERT_TRUE(all_bytes(self->data + span, 2 * MIB, 0));
	ASSERT_EQ(0, stat_of(self->zone).out_cached_objects);
	free_at(self->zone, span);
}

/* In a committed zone the memory is there with the slot. */
TEST(committed)
{
	int zone = create_kind(control_fd(), SHMZONE_CREATE_COMMITTED, MIB, 0);
	struct shmzone_cache *caches = map_caches_ok(zone, 1);

	refill(zone, 0, class_of(zone, 64), 0, NULL);
	ASSERT_LE(page_bytes(), stat_of(zone).out_resident_bytes);
	ASSERT_EQ(1, drain_all(zone, 0));
	ASSERT_EQ(0, munmap(caches, SHMZONE_CACHE_BYTES));
	ASSERT_TRUE(zone_consistent(zone));
}

TEST_HARNESS_MAIN
