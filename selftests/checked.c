// SPDX-License-Identifier: GPL-2.0
/*
 * Checked zones, by raw ABI: what is freed waits where nobody allocates from, and
 * the kernel refuses what is no free of a live object before any of it is used.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

#define ZONE_BYTES	(16 * MIB)
#define LIMIT_BYTES	(2 * MIB)
#define CHECKED		(SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED)
#define PENDING		SHMZONE_CACHE_PENDING

FIXTURE(checked) {
	int control;
	int zone;
	__u32 class;
	struct shmzone_cache *caches;
};

FIXTURE_VARIANT(checked) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(checked, owned) {
	.kind = CHECKED,
};

FIXTURE_VARIANT_ADD(checked, strict_committed) {
	.kind = CHECKED | SHMZONE_CREATE_STRICT | SHMZONE_CREATE_COMMITTED,
};

FIXTURE_SETUP(checked)
{
	self->control = control_fd();
	self->zone = create_kind(self->control, variant->kind, ZONE_BYTES, LIMIT_BYTES);
	self->caches = map_caches_ok(self->zone, 3);
	self->class = class_of(self->zone, 64);
}

FIXTURE_TEARDOWN(checked)
{
	ASSERT_TRUE(zone_consistent(self->zone));
	close(self->zone);
	close(self->control);
}

static __u64 allocate(FIXTURE_DATA(checked) *self, unsigned int index)
{
	int error;

	return cache_alloc(self->zone, self->caches, index, self->class, &error);
}

static int collect(FIXTURE_DATA(checked) *self, unsigned int index, __u64 offset)
{
	return cache_free(self->zone, self->caches, index, self->class, offset);
}

/* The slot that a cache would give next, which it has to have. */
static __u64 next_of(FIXTURE_DATA(checked) *self, unsigned int index)
{
	struct shmzone_cache *cache = cache_at(self->caches, index);

	return cache_words(cache)[cache->head.bin[self->class].cur];
}

/* A stock, so that nothing is refilled, and room for what is freed. */
static bool warm_up(FIXTURE_DATA(checked) *self, unsigned int index)
{
	__u64 offsets[100];
	int i;

	for (i = 0; i < 100; i++) {
		offsets[i] = allocate(self, index);
		if (!offsets[i])
			return false;
	}
	for (i = 0; i < 100; i++)
		if (collect(self, index, offsets[i]))
			return false;
	return !_try_refill(self->zone, index, self->class, 0, NULL) &&
	       cache_used(cache_at(self->caches, index), self->class) > 2 &&
	       cache_capacity(cache_at(self->caches, index), PENDING) >= 16;
}

/* What was refused since this was last asked, and why the first was. */
#define refused_is(count, error, index)					\
do {									\
	struct shmzone_cache_drain _told;				\
									\
	ASSERT_EQ(0, _try_drain_told(self->zone, index, &_told));	\
	ASSERT_EQ(count, _told.out_refused);				\
	ASSERT_EQ(error, _told.out_error);				\
} while (0)

#define not_live_is(n)	ASSERT_EQ(n, stat_of(self->zone).out_bad_not_live)

#define nothing_is_left()						\
do {									\
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);		\
	ASSERT_EQ(0, stat_of(self->zone).out_cached_objects);		\
} while (0)

TEST_F(checked, only_with_owners)
{
	ASSERT_EQ(-EINVAL, _try_create_kind(self->control, variant->kind &
					    ~SHMZONE_CREATE_OWNED, MIB, 0));
}

TEST_F(checked, the_kind_is_told)
{
	char text[64];

	ASSERT_EQ(variant->kind, stat_of(self->zone).out_kind);
	ASSERT_TRUE(fdinfo_text(self->zone, "kind", text, sizeof(text)));
	ASSERT_STREQ(variant->kind == CHECKED ? "owned,checked" :
		     "committed,strict,owned,checked", text);
}

TEST_F(checked, the_key_tells_no_class)
{
	volatile __u32 *map = map_pages_ok(self->zone, ZONE_BYTES, PROT_READ);
	__u64 offset = allocate(self, 0);
	__u32 key = self->caches->head.key, entry = map[offset / getpagesize()];

	ASSERT_GT(0, (int)key);
	ASSERT_LT(0x3f, key + entry);
	ASSERT_EQ(self->class, key + entry + SHMZONE_CACHE_CHECKED);
}

TEST_F(checked, what_is_freed_waits)
{
	__u64 offset, other;
	unsigned int used;

	ASSERT_TRUE(warm_up(self, 0));
	offset = allocate(self, 0);
	used = cache_used(self->caches, self->class);
	ASSERT_EQ(0, collect(self, 0, offset));
	ASSERT_EQ(1, cache_used(self->caches, PENDING));
	ASSERT_EQ(used + 1, stat_of(self->zone).out_cached_objects);
	while (cache_used(self->caches, self->class))
		ASSERT_NE(offset, allocate(self, 0));
	/* It is free before anything new is added to the stock. */
	other = allocate(self, 0);
	ASSERT_NE(0, other);
	ASSERT_EQ(0, cache_used(self->caches, PENDING));
	ASSERT_EQ(0, stat_of(self->zone).out_bad_not_live);
}

TEST_F(checked, twice_at_once)
{
	struct shmzone_cache_drain answer;
	__u64 offset;

	ASSERT_TRUE(warm_up(self, 0));
	offset = allocate(self, 0);
	ASSERT_EQ(0, collect(self, 0, offset));
	ASSERT_EQ(0, collect(self, 0, allocate(self, 0)));
	ASSERT_EQ(0, collect(self, 0, offset));
	drain(self->zone, 0, self->class, 0, &answer);
	ASSERT_EQ(PENDING, answer.out_bin);
	ASSERT_EQ(2, answer.out_count);
	not_live_is(1);
	refused_is(1, EINVAL, 0);
	refused_is(0, 0, 0);
	nothing_is_left();
}

TEST_F(checked, by_two_threads)
{
	struct shmzone_cache_drain answer;
	__u64 offset = allocate(self, 0);

	ASSERT_TRUE(warm_up(self, 1));
	ASSERT_EQ(0, collect(self, 0, offset));
	ASSERT_EQ(0, collect(self, 1, offset));
	drain(self->zone, 1, self->class, 0, &answer);
	ASSERT_EQ(1, answer.out_count);
	drain(self->zone, 0, self->class, 0, &answer);
	ASSERT_EQ(0, answer.out_count);
	not_live_is(1);
	refused_is(0, 0, 1);
	refused_is(1, EINVAL, 0);
	nothing_is_left();
}

/* A slot of a stock is taken; but nobody has it. */
TEST_F(checked, what_lies_in_a_stock)
{
	__u64 offset;

	ASSERT_TRUE(warm_up(self, 0));
	offset = next_of(self, 0);
	fail_free_at(EINVAL, self->zone, offset);
	not_live_is(1);
	ASSERT_EQ(0, collect(self, 0, offset));
	ASSERT_EQ(0, collect(self, 1, offset));
	drain(self->zone, 0, self->class, 0, NULL);
	drain(self->zone, 1, self->class, 0, NULL);
	not_live_is(3);
	ASSERT_EQ(offset, next_of(self, 0));
	query(self->zone, offset, &(struct shmzone_query){ 0 });
	refused_is(1, EINVAL, 0);
	refused_is(1, EINVAL, 1);
	nothing_is_left();
}

/* Nor does anybody give it away, or have it freed by and by with another. */
TEST_F(checked, what_lies_in_a_stock_is_not_handed_on)
{
	__u64 offset, own, next;

	ASSERT_TRUE(warm_up(self, 0));
	own = allocate(self, 0);
	offset = next_of(self, 0);
	gives_errno(EINVAL, _try_handover(self->zone, SHMZONE_GIVE, offset, 0));
	gives_errno(EINVAL, _try_handover(self->zone, SHMZONE_OFFER, offset, 0));
	gives_errno(EINVAL, _try_handover(self->zone, SHMZONE_LINK, offset, own));
	gives_errno(EINVAL, _try_handover(self->zone, SHMZONE_LINK, own, offset));
	ASSERT_EQ(offset, allocate(self, 0));
	next = next_of(self, 0);
	ASSERT_EQ(0, _try_handover(self->zone, SHMZONE_LINK, offset, own));
	gives_errno(EINVAL, _try_handover(self->zone, SHMZONE_LINK, next, own));
	free_at(self->zone, own);
	fail_free_at(EINVAL, self->zone, offset);
	ASSERT_EQ(next, allocate(self, 0));
	ASSERT_EQ(0, collect(self, 0, next));
	refused_is(0, 0, 0);
	nothing_is_left();
}

/* It was in the stock when it was freed, and is somebody's when that is looked at. */
TEST_F(checked, what_lay_in_the_stock)
{
	__u64 offset, other;

	ASSERT_TRUE(warm_up(self, 0));
	other = allocate(self, 0);
	offset = next_of(self, 0);
	ASSERT_EQ(0, collect(self, 0, offset));
	ASSERT_EQ(offset, allocate(self, 0));
	ASSERT_EQ(0, collect(self, 0, other));
	drain(self->zone, 0, self->class, 0, NULL);
	not_live_is(1);
	query(self->zone, offset, &(struct shmzone_query){ 0 });
	/* Of which there is one right free. */
	ASSERT_EQ(0, collect(self, 0, offset));
	refused_is(1, EINVAL, 0);
	nothing_is_left();
}

TEST_F(checked, after_it_was_freed)
{
	__u64 offset = allocate(self, 0);

	ASSERT_EQ(0, collect(self, 0, offset));
	drain_all(self->zone, 0);
	fail_free_at(EINVAL, self->zone, offset);
	ASSERT_EQ(0, collect(self, 0, offset));
	refused_is(1, EINVAL, 0);
	not_live_is(2);
	nothing_is_left();
}

/* Another has it again: then it is his. */
TEST_F(checked, after_another_has_it)
{
	struct shared {
		__u64 client, offset;
		int done;
	} *shared = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u64 offset = allocate(self, 0);
	pid_t child;

	ASSERT_EQ(0, collect(self, 0, offset));
	drain_all(self->zone, 0);
	ASSERT_TRUE(slabs_become(self->zone, 0));
	child = fork();
	if (!child) {
		/* Who touches its caches is a client. */
		shared->done = self->caches->head.key;
		shared->client = _try_client(self->zone);
		_try_alloc(self->zone, 64, 1, &shared->offset);
		__atomic_store_n(&shared->done, 1, __ATOMIC_RELEASE);
		pause();
	}
	while (!__atomic_load_n(&shared->done, __ATOMIC_ACQUIRE))
		usleep(1000);
	ASSERT_EQ(shared->offset / getpagesize(), offset / getpagesize());
	ASSERT_EQ(-EPERM, _try_free_at(self->zone, shared->offset));
	ASSERT_EQ(0, collect(self, 0, shared->offset));
	refused_is(1, EPERM, 0);
	ASSERT_EQ(2, stat_of(self->zone).out_bad_owner);
	query(self->zone, shared->offset, &(struct shmzone_query){ 0 });
	kill(child, SIGKILL);
	ASSERT_EQ(-SIGKILL, end_child(child));
	sync_client(self->zone, shared->client, 60000000000ULL);
	nothing_is_left();
}

TEST_F(checked, what_is_no_object)
{
	__u64 offset;
	struct shmzone_stat stat;

	ASSERT_TRUE(warm_up(self, 0));
	offset = allocate(self, 0);
	ASSERT_EQ(0, collect(self, 0, offset + 8));
	ASSERT_EQ(0, collect(self, 0, offset + 1));
	ASSERT_EQ(0, collect(self, 0, 0));
	ASSERT_EQ(0, collect(self, 0, ZONE_BYTES));
	ASSERT_EQ(0, collect(self, 0, ZONE_BYTES - 64));
	ASSERT_EQ(0, collect(self, 0, (1ULL << 48) - 8));
	refused_is(6, EINVAL, 0);
	stat = stat_of(self->zone);
	ASSERT_EQ(1, stat.out_bad_interior);
	ASSERT_EQ(1, stat.out_bad_misaligned);
	ASSERT_EQ(3, stat.out_bad_outside);
	ASSERT_EQ(1, stat.out_bad_not_live);
	ASSERT_EQ(-EINVAL, _try_free_sized(self->zone, offset, 1000));
	ASSERT_EQ(1, stat_of(self->zone).out_bad_bytes);
	free_at(self->zone, offset);
	nothing_is_left();
}

/* FREE says which of many is the first, and does all others. */
TEST_F(checked, many_by_free)
{
	__u64 offsets[200];
	struct shmzone_free args = {
		SIZED(shmzone_free), .offsets = to_u64(offsets), .count = 200,
	};

	alloc_objects(self->zone, 64, 199, offsets);
	offsets[199] = offsets[150];
	call(self->zone, SHMZONE_FREE, &args);
	ASSERT_EQ(199, args.out_count);
	ASSERT_EQ(199, args.out_bad);
	ASSERT_EQ(EINVAL, args.out_error);

	alloc_objects(self->zone, 64, 200, offsets);
	offsets[70] = offsets[69];
	offsets[90] = 8;
	args.out_count = 0;
	call(self->zone, SHMZONE_FREE, &args);
	ASSERT_EQ(198, args.out_count);
	ASSERT_EQ(70, args.out_bad);
	ASSERT_EQ(2, stat_of(self->zone).out_live_objects);
}

/* Right frees are never refused: of several sizes, by two threads' caches. */
TEST_F(checked, right_frees)
{
	static __u64 held[300];
	static __u32 classes[300];
	static const __u64 sizes[] = { 16, 64, 100, 1000 };
	__u64 random = 1;
	unsigned int i, n;
	int error = 0;

	for (n = 0; n < 30000; n++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		i = (random >> 33) % 300;
		if (held[i]) {
			ASSERT_EQ(0, cache_free(self->zone, self->caches, random >> 62 & 1,
						classes[i], held[i]));
			held[i] = 0;
			continue;
		}
		classes[i] = class_of(self->zone, sizes[(random >> 45) % 4]);
		held[i] = cache_alloc(self->zone, self->caches, random >> 61 & 1,
				      classes[i], &error);
		ASSERT_LT(0, held[i]);
	}
	for (i = 0; i < 300; i++)
		if (held[i])
			ASSERT_EQ(0, cache_free(self->zone, self->caches, 0, classes[i],
						held[i]));
	refused_is(0, 0, 0);
	refused_is(0, 0, 1);
	not_live_is(0);
	nothing_is_left();
}

TEST_F(checked, stock_is_taken_back)
{
	__u64 offset;

	ASSERT_TRUE(warm_up(self, 0));
	ASSERT_EQ(0, collect(self, 0, allocate(self, 0)));
	offset = allocate(self, 0);
	ASSERT_EQ(0, collect(self, 0, offset));
	ASSERT_EQ(0, collect(self, 0, offset));
	ASSERT_EQ(0, collect(self, 0, next_of(self, 0)));
	reclaim(self->zone, NULL);
	not_live_is(2);
	nothing_is_left();
	refused_is(2, EINVAL, 0);
}

/* What waits to be freed is there for who needs it. */
TEST_F(checked, every_byte_at_the_limit)
{
	__u64 span;

	ASSERT_TRUE(warm_up(self, 0));
	ASSERT_EQ(0, collect(self, 0, allocate(self, 0)));
	alloc_objects(self->zone, LIMIT_BYTES, 1, &span);
	ASSERT_EQ(0, stat_of(self->zone).out_cached_objects);
	free_at(self->zone, span);
}

TEST_F(checked, walk_tells_what_waits)
{
	struct shmzone_object objects[8];
	struct shmzone_walk args = {
		SIZED(shmzone_walk), .objects = to_u64(objects), .count = 8,
		.object_size = sizeof(objects[0]),
	};
	__u64 offset = allocate(self, 0);

	drain_all(self->zone, 0);
	drain(self->zone, 0, self->class, 0, NULL);
	ASSERT_EQ(0, collect(self, 0, offset));
	call(self->zone, SHMZONE_WALK, &args);
	ASSERT_EQ(1, args.out_count);
	ASSERT_EQ(offset, objects[0].offset);
	ASSERT_EQ(SHMZONE_OBJECT_CACHED, objects[0].flags);
}

TEST_F(checked, what_waits_goes_with_its_client)
{
	ASSERT_TRUE(warm_up(self, 0));
	ASSERT_EQ(0, collect(self, 0, allocate(self, 0)));
	ASSERT_EQ(0, collect(self, 0, next_of(self, 0)));
	ASSERT_LT(0, stat_of(self->zone).out_live_objects);
	ASSERT_EQ(0, munmap(self->caches, 3 * SHMZONE_CACHE_BYTES));
	sync_client(self->zone, 0, 1);
	while (stat_of(self->zone).out_live_objects)
		usleep(1000);
	nothing_is_left();
}

TEST_HARNESS_MAIN
