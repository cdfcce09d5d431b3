// SPDX-License-Identifier: GPL-2.0
/* The library in owned zones, and in checked ones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "userlib.h"

#define LONG_NS	60000000000ULL

/* What a child is to do, and what it says. */
struct note {
	struct shmz *z;
	uint64_t parent;
	uint64_t client;
	uint64_t offset;
	void *object;
};

FIXTURE(owned) {
	struct shmz *z;
	uint64_t client;
	struct note *note;
};

FIXTURE_SETUP(owned)
{
	struct shmz_options opts = { .size = sizeof(opts), .flags = SHMZ_OWNED };

	self->z = shmz_create(NULL, 64 * MIB, &opts);
	ASSERT_TRUE(!!self->z);
	ASSERT_EQ(0, shmz_free(self->z, shmz_alloc(self->z, 64)));
	ASSERT_EQ(0, shmz_client(self->z, &self->client));
	self->note = mmap(NULL, sizeof(*self->note), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->note != MAP_FAILED);
	self->note->z = self->z;
	self->note->parent = self->client;
}

FIXTURE_TEARDOWN(owned)
{
	shmz_close(self->z);
}

/* Objects that are no free slots of caches. */
static int count_objects(struct shmz *z, uint64_t owner)
{
	struct shmzone_object objects[64];
	uint64_t cursor = 0;
	int i, n, count = 0;

	do {
		n = shmz_walk(z, &cursor, objects, sizeof(objects[0]), ARRAY_SIZE(objects));
		for (i = 0; i < n; i++)
			count += !(objects[i].flags & SHMZONE_OBJECT_CACHED) &&
				 objects[i].owner == owner;
	} while (n > 0 && cursor);
	return n < 0 ? n : count;
}

/* A child, which has the parent's handle, frees the parent's object in each way. */
static int frees_foreign(void *arg)
{
	struct note *note = arg;
	void *own[200];
	int i;

	/* Its cache is set up by the first, and full of room by the others. */
	for (i = 0; i < 200; i++) {
		own[i] = shmz_alloc(note->z, 64);
		if (!own[i] || own[i] == note->object)
			return 1;
	}
	for (i = 0; i < 200; i++)
		if (shmz_free(note->z, own[i]))
			return 2;
	if (shmz_free(note->z, note->object) != -EPERM)
		return 3;
	if (shmz_free_sized(note->z, note->object, 64) != -EPERM)
		return 4;
	own[0] = note->object;
	if (shmz_free_batch(note->z, own, 1) != -EPERM)
		return 5;
	for (i = 0; i < 200; i++)
		if (shmz_alloc(note->z, 64) == note->object)
			return 6;
	return shmz_client(note->z, &note->client) ? 7 : 0;
}

TEST_F(owned, foreign_frees_are_refused_at_once)
{
	self->note->object = shmz_alloc(self->z, 64);
	ASSERT_EQ(0, in_child(frees_foreign, self->note));
	ASSERT_NE(self->client, self->note->client);
	ASSERT_EQ(0, shmz_client_wait(self->z, self->note->client, LONG_NS));
	ASSERT_EQ(1, count_objects(self->z, self->client));
	ASSERT_EQ(0, shmz_free_sized(self->z, self->note->object, 64));
	ASSERT_EQ(0, count_objects(self->z, self->client));
}

/* Whatever a child calls first makes it a client; its parent never used a cache. */
static int allocates_a_span(void *arg)
{
	return shmz_alloc(arg, 100000) ? 0 : errno;
}

static int allocates_many(void *arg)
{
	void *many[500];

	return shmz_alloc_batch(arg, 64, many, 500) == 500 ? 0 : 1;
}

static int asks_who_it_is(void *arg)
{
	uint64_t client;

	return -shmz_client(arg, &client);
}

TEST(first_calls_of_children)
{
	struct shmz_options opts = { .size = sizeof(opts), .flags = SHMZ_OWNED };
	struct shmz *z = shmz_create(NULL, 64 * MIB, &opts);

	ASSERT_EQ(0, in_child(allocates_a_span, z));
	ASSERT_EQ(0, in_child(allocates_many, z));
	ASSERT_EQ(0, in_child(asks_who_it_is, z));
	shmz_close(z);
}

static int leaves_objects(void *arg)
{
	struct note *note = arg;
	void *offered, *given;
	int i;

	for (i = 0; i < 1000; i++)
		if (!shmz_alloc(note->z, 16 + i))
			return 1;
	offered = shmz_alloc(note->z, 100);
	given = shmz_alloc(note->z, 100000);
	if (shmz_offer(note->z, offered) || shmz_give(note->z, given, note->parent))
		return 2;
	note->offset = shmz_offset(note->z, given);
	if (shmz_client(note->z, &note->client))
		return 3;
	return count_objects(note->z, note->client) == 1001 ? 0 : 4;
}

TEST_F(owned, what_a_child_leaves_is_freed)
{
	void *given;

	ASSERT_EQ(0, in_child(leaves_objects, self->note));
	ASSERT_EQ(0, shmz_client_wait(self->z, self->note->client, LONG_NS));
	ASSERT_EQ(0, count_objects(self->z, self->note->client));
	ASSERT_EQ(1, count_objects(self->z, self->client));
	given = shmz_pointer(self->z, self->note->offset);
	ASSERT_EQ(100000 / 4096 * 4096 + 4096, shmz_usable_size(self->z, given));
	ASSERT_EQ(-ESRCH, shmz_give(self->z, given, self->note->client));
	ASSERT_EQ(0, shmz_free(self->z, given));
}

TEST_F(owned, an_object_goes_from_hand_to_hand)
{
	void *p = shmz_alloc(self->z, 64);

	ASSERT_EQ(-EPERM, shmz_take(self->z, p, 0));
	ASSERT_EQ(0, shmz_offer(self->z, p));
	ASSERT_EQ(0, shmz_take(self->z, p, self->client));
	ASSERT_EQ(64, shmz_usable_size(self->z, p));
	ASSERT_EQ(0, shmz_give(self->z, p, 0));
	ASSERT_EQ(-EPERM, shmz_give(self->z, p, 0));
	ASSERT_EQ(1, count_objects(self->z, 0));
	ASSERT_EQ(0, shmz_take(self->z, p, 0));
	ASSERT_EQ(0, shmz_free(self->z, p));
	ASSERT_EQ(-EINVAL, shmz_free(self->z, p));
}

static int takes_a_message(void *arg)
{
	struct note *note = arg;

	if (shmz_link(note->z, note->object, NULL) != -EPERM)
		return 1;
	if (shmz_take(note->z, shmz_pointer(note->z, note->offset), note->parent))
		return 2;
	if (shmz_client(note->z, &note->client))
		return 3;
	return count_objects(note->z, note->client) == 11 ? 0 : 4;
}

TEST_F(owned, a_message_goes_as_one)
{
	void *head = shmz_alloc(self->z, 64), *part[10];
	int i;

	for (i = 0; i < 10; i++) {
		part[i] = shmz_alloc(self->z, 100 << i);
		ASSERT_EQ(0, shmz_link(self->z, part[i], head));
	}
	ASSERT_EQ(-EBUSY, shmz_link(self->z, part[0], head));
	ASSERT_EQ(-EBUSY, shmz_offer(self->z, part[0]));
	ASSERT_EQ(-EINVAL, shmz_link(self->z, head, head));
	ASSERT_EQ(-EINVAL, shmz_link(self->z, head, NULL));
	ASSERT_EQ(0, shmz_offer(self->z, head));
	/* Taken by a child that ends then, with all its parts but those that are not. */
	ASSERT_EQ(0, shmz_link(self->z, part[9], NULL));
	part[9] = shmz_alloc(self->z, 8);
	ASSERT_EQ(0, shmz_link(self->z, part[9], head));
	self->note->object = part[3];
	self->note->offset = shmz_offset(self->z, head);
	ASSERT_EQ(0, in_child(takes_a_message, self->note));
	ASSERT_EQ(0, shmz_client_wait(self->z, self->note->client, LONG_NS));
	ASSERT_EQ(0, count_objects(self->z, self->note->client));
	ASSERT_EQ(1, count_objects(self->z, self->client));
	/* By a free. */
	head = shmz_alloc(self->z, 64);
	part[0] = shmz_alloc(self->z, 64);
	ASSERT_EQ(0, shmz_link(self->z, part[0], head));
	ASSERT_EQ(0, shmz_free(self->z, head));
	ASSERT_EQ(-EINVAL, shmz_free(self->z, part[0]));
	ASSERT_EQ(1, count_objects(self->z, self->client));
}

/* Checked zones: what is freed is looked at before it is used again. */

FIXTURE(checked) {
	struct shmz *z;
};

FIXTURE_SETUP(checked)
{
	struct shmz_options opts = { .size = sizeof(opts), .flags = SHMZ_CHECKED };

	ASSERT_EQ(NULL, shmz_create(NULL, 64 * MIB, &opts));
	ASSERT_EQ(EINVAL, errno);
	opts.flags |= SHMZ_OWNED;
	self->z = shmz_create(NULL, 64 * MIB, &opts);
	ASSERT_TRUE(!!self->z);
}

FIXTURE_TEARDOWN(checked)
{
	shmz_close(self->z);
}

static struct shmzone_stat figures_of_zone(struct shmz *z)
{
	struct shmzone_stat stat = { SIZED(shmzone_stat) };

	if (shmz_stat(z, &stat))
		stat.out_live_objects = UINT64_MAX;
	return stat;
}

TEST_F(checked, double_frees)
{
	static const size_t sizes[] = { 8, 64, 1024 };
	void *p[200], *q;
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (n = 0; n < 200; n++)
			p[n] = shmz_alloc_group(self->z, sizes[i], n % 3);
		for (n = 0; n < 200; n++)
			ASSERT_EQ(0, shmz_free(self->z, p[n]));
		ASSERT_EQ(0, shmz_cache_flush(self->z));
		q = shmz_alloc(self->z, sizes[i]);
		ASSERT_EQ(0, shmz_free(self->z, q));
		/* At once, whatever the kernel says of it later. */
		ASSERT_EQ(0, shmz_free(self->z, q));
		ASSERT_EQ(0, shmz_free_sized(self->z, q, sizes[i]));
		ASSERT_EQ(-EINVAL, shmz_cache_flush(self->z));
		ASSERT_EQ(0, shmz_cache_flush(self->z));
		ASSERT_EQ(3 * i + 2, figures_of_zone(self->z).out_bad_not_live);
		ASSERT_EQ(-EINVAL, shmz_free_batch(self->z, &q, 1));
		ASSERT_EQ(0, shmz_reclaim_caches(self->z));
		ASSERT_EQ(0, figures_of_zone(self->z).out_live_objects);
	}
}

TEST_F(checked, frees_that_are_none)
{
	char *p = shmz_alloc(self->z, 64), *large = shmz_alloc(self->z, 5000);

	ASSERT_EQ(0, shmz_free(self->z, p + 8));
	ASSERT_EQ(-EINVAL, shmz_cache_flush(self->z));
	ASSERT_EQ(1, figures_of_zone(self->z).out_bad_interior);
	/* The kernel looks at once at what is larger. */
	ASSERT_EQ(-EINVAL, shmz_free(self->z, large + 8));
	ASSERT_EQ(0, shmz_free(self->z, large));
	ASSERT_EQ(-EINVAL, shmz_free(self->z, large));
	ASSERT_EQ(-EINVAL, shmz_free_sized(self->z, p, 500));
	ASSERT_EQ(1, figures_of_zone(self->z).out_bad_bytes);
	ASSERT_EQ(0, shmz_free_sized(self->z, p, 64));
	ASSERT_EQ(0, shmz_cache_flush(self->z));
	ASSERT_EQ(0, figures_of_zone(self->z).out_live_objects);
}

TEST_F(checked, foreign_frees_are_refused_at_once)
{
	struct note *note = mmap(NULL, sizeof(*note), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(note != MAP_FAILED);
	note->z = self->z;
	note->object = shmz_alloc(self->z, 64);
	ASSERT_EQ(0, in_child(frees_foreign, note));
	ASSERT_EQ(0, shmz_client_wait(self->z, note->client, LONG_NS));
	ASSERT_EQ(0, shmz_free_sized(self->z, note->object, 64));
	ASSERT_EQ(0, shmz_cache_flush(self->z));
	ASSERT_EQ(0, figures_of_zone(self->z).out_live_objects);
}

/* Of all sizes, in some groups: none is refused. */
TEST_F(checked, right_frees)
{
	static void *held[1000];
	unsigned int seed = 1, i, n;

	for (n = 0; n < 50000; n++) {
		i = rand_r(&seed) % ARRAY_SIZE(held);
		if (held[i]) {
			ASSERT_EQ(0, shmz_free(self->z, held[i]));
			held[i] = NULL;
		} else {
			held[i] = shmz_alloc_group(self->z, 1 + rand_r(&seed) % 2000, i % 4);
			ASSERT_NE(NULL, held[i]);
			*(char *)held[i] = i;
		}
	}
	for (i = 0; i < ARRAY_SIZE(held); i++)
		if (held[i])
			ASSERT_EQ(0, shmz_free(self->z, held[i]));
	ASSERT_EQ(0, shmz_cache_flush(self->z));
	ASSERT_EQ(0, figures_of_zone(self->z).out_bad_not_live);
	ASSERT_EQ(0, figures_of_zone(self->z).out_live_objects);
}

TEST(zones_without_owners)
{
	struct shmz *z = shmz_create(NULL, MIB, NULL);
	void *p = shmz_alloc(z, 64);

	ASSERT_EQ(-EOPNOTSUPP, shmz_give(z, p, 0));
	ASSERT_EQ(-EOPNOTSUPP, shmz_link(z, p, NULL));
	ASSERT_EQ(1, count_objects(z, 0));
	ASSERT_EQ(0, shmz_free(z, p));
	ASSERT_EQ(0, count_objects(z, 0));
	shmz_close(z);
}

TEST_HARNESS_MAIN
