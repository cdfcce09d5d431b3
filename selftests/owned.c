// SPDX-License-Identifier: GPL-2.0
/*
 * Owned zones: who may free what, what becomes of it when a client goes, and how
 * objects change their owner, by raw ABI.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

#define ZONE_BYTES	(1024 * MIB)

static int _try_give(int zone, __u64 offset, __u64 client)
{
	return _try_handover(zone, SHMZONE_GIVE, offset, client);
}

static int _try_offer(int zone, __u64 offset)
{
	return _try_handover(zone, SHMZONE_OFFER, offset, 0);
}

static int _try_take(int zone, __u64 offset, __u64 client)
{
	return _try_handover(zone, SHMZONE_TAKE, offset, client);
}

/* The owner of an object, or a negative errno. */
static long _try_owner(int zone, __u64 offset)
{
	struct shmzone_query found;
	int ret = _try_query(zone, offset, &found);

	return ret ? ret : (long)found.out_owner;
}

#define give(...)		ASSERT_EQ(0, _try_give(__VA_ARGS__))
#define fail_give(e, ...)	gives_errno(e, _try_give(__VA_ARGS__))
#define offer(...)		ASSERT_EQ(0, _try_offer(__VA_ARGS__))
#define fail_offer(e, ...)	gives_errno(e, _try_offer(__VA_ARGS__))
#define take(...)		ASSERT_EQ(0, _try_take(__VA_ARGS__))
#define fail_take(e, ...)	gives_errno(e, _try_take(__VA_ARGS__))
#define owner_is(client, ...)	ASSERT_EQ(client, _try_owner(__VA_ARGS__))

/*
 * Between this process and another one, which does what it is told: @step says
 * what, and is PEER_IDLE when it is done.
 */
struct board {
	int zone;
	__u64 client;
	__u64 parent;
	__u64 offset;
	__u64 offsets[64];
	volatile int step;
	volatile int result;
	volatile unsigned long done;
};

/* What the peer may be asked for. */
enum {
	PEER_IDLE,
	PEER_ALLOC,	/* an object: its offset, or 0 */
	PEER_FREE,	/* offset */
	PEER_GIVE,	/* offset to the parent */
	PEER_OFFER,
	PEER_TAKE,	/* offset from the parent */
	PEER_FILL,	/* a million objects */
};

FIXTURE(owned) {
	int control;
	int zone;
	struct shmzone_cache *caches;
	__u64 client;
	struct board *board;
	pid_t peer;
};

static int peer_does(struct board *b, int what)
{
	unsigned long i;

	switch (what) {
	case PEER_ALLOC:
		b->offset = 0;
		return _try_alloc(b->zone, 64, 1, &b->offset);
	case PEER_FREE:
		return _try_free_at(b->zone, b->offset);
	case PEER_GIVE:
		return _try_give(b->zone, b->offset, b->parent);
	case PEER_OFFER:
		return _try_offer(b->zone, b->offset);
	case PEER_TAKE:
		return _try_take(b->zone, b->offset, b->parent);
	case PEER_FILL:
		for (i = 0; i < 1000000; i += 1000) {
			static __u64 offsets[1000];

			if (_try_alloc(b->zone, 64, 1000, offsets) != 1000)
				return -ENOMEM;
			b->done = i;
		}
		return 0;
	}
	return -EINVAL;
}

static int peer_main(void *arg)
{
	FIXTURE_DATA(owned) *self = arg;
	struct board *b = self->board;

	/* A child of a fork has to touch its caches to be a client. */
	b->result = _try_alloc(b->zone, 64, 1, &b->offset);
	if (b->result != -ENXIO)
		return 1;
	if (self->caches->head.key)
		return 2;
	b->client = _try_client(b->zone);
	for (;;) {
		b->step = PEER_IDLE;
		while (b->step == PEER_IDLE)
			sched_yield();
		b->result = peer_does(b, b->step);
	}
}

/* Has the peer do something. */
static int ask(FIXTURE_DATA(owned) *self, int what)
{
	self->board->step = what;
	while (self->board->step != PEER_IDLE) {
		if (waitpid(self->peer, NULL, WNOHANG))
			return -ESRCH;
		sched_yield();
	}
	return self->board->result;
}

static __u64 peer_alloc(FIXTURE_DATA(owned) *self)
{
	return ask(self, PEER_ALLOC) == 1 ? self->board->offset : 0;
}

static int ask_of(FIXTURE_DATA(owned) *self, int what, __u64 offset)
{
	self->board->offset = offset;
	return ask(self, what);
}

static void peer_start(FIXTURE_DATA(owned) *self)
{
	self->board->step = PEER_FILL + 1;
	self->board->client = 0;
	self->peer = start_child(peer_main, self);
	while (self->board->step != PEER_IDLE && !waitpid(self->peer, NULL, WNOHANG))
		sched_yield();
}

/* Kills the peer, and waits until all that it had is free. */
static int peer_kill(FIXTURE_DATA(owned) *self)
{
	kill(self->peer, SIGKILL);
	waitpid(self->peer, NULL, 0);
	self->peer = 0;
	return _try_sync(self->zone, self->board->client, 60000000000ULL);
}

FIXTURE_SETUP(owned)
{
	self->control = control_fd();
	self->zone = create_kind(self->control, SHMZONE_CREATE_OWNED, ZONE_BYTES, 0);
	self->caches = map_caches_ok(self->zone, 2);
	self->client = client_of(self->zone);
	self->board = mmap(NULL, sizeof(*self->board), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->board != MAP_FAILED);
	self->board->zone = self->zone;
	self->board->parent = self->client;
	self->peer = 0;
	peer_start(self);
	ASSERT_LT(0, self->board->client);
	ASSERT_NE(self->client, self->board->client);
}

FIXTURE_TEARDOWN(owned)
{
	if (self->peer)
		ASSERT_EQ(0, peer_kill(self));
	ASSERT_TRUE(zone_consistent(self->zone));
	close(self->zone);
	close(self->control);
}

TEST_F(owned, who_is_no_client_cannot_allocate)
{
	int zone = create_kind(self->control, SHMZONE_CREATE_OWNED, MIB, 0);
	__u64 offset;

	fail_alloc(ENXIO, zone, 64, 1, &offset);
	fail_give(ENXIO, zone, 4096, 0);
	fail_offer(ENXIO, zone, 4096);
	fail_take(ENXIO, zone, 4096, 0);
	fail_free_at(EINVAL, zone, 4096);
	ASSERT_EQ(0, stat_of(zone).out_refused_calls);
	map_caches_ok(zone, 1);
	offset = alloc(zone, 64);
	owner_is(client_of(zone), zone, offset);
}

TEST_F(owned, the_kind_is_told)
{
	char text[64];

	ASSERT_EQ(SHMZONE_CREATE_OWNED, stat_of(self->zone).out_kind);
	ASSERT_TRUE(fdinfo_text(self->zone, "kind", text, sizeof(text)));
	ASSERT_STREQ("owned", text);
}

TEST_F(owned, other_zones_have_no_owners)
{
	int zone = create(self->control, MIB);
	__u64 offset = alloc(zone, 64);

	map_caches_ok(zone, 1);
	fail_give(EOPNOTSUPP, zone, offset, 0);
	fail_offer(EOPNOTSUPP, zone, offset);
	fail_take(EOPNOTSUPP, zone, offset, 0);
	owner_is(0, zone, offset);
}

TEST_F(owned, another_cannot_free)
{
	static const __u64 bytes[] = { 64, 100000 };
	__u64 offset, both[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		offset = alloc(self->zone, bytes[i]);
		ASSERT_EQ(-EPERM, ask_of(self, PEER_FREE, offset));
		ASSERT_EQ(i + 1, stat_of(self->zone).out_bad_owner);
		owner_is(self->client, self->zone, offset);
		free_at(self->zone, offset);
		ASSERT_EQ(-EINVAL, ask_of(self, PEER_FREE, offset));
	}
	ASSERT_EQ(0, stat_of(self->zone).out_refused_calls);

	/* The first that is refused says why; the others are freed all the same. */
	both[0] = peer_alloc(self);
	both[1] = alloc(self->zone, 64);
	ASSERT_EQ(1, _try_free_all(self->zone, both, 2));
	owner_is(self->board->client, self->zone, both[0]);
}

TEST_F(owned, slots_share_no_page)
{
	__u64 mine = alloc(self->zone, 64), other = peer_alloc(self);
	volatile __u32 *map = map_pages_ok(self->zone, ZONE_BYTES, PROT_READ);
	__u32 my_entry, other_entry;

	ASSERT_NE(mine >> 12, other >> 12);
	my_entry = map[mine / getpagesize()];
	other_entry = map[other / getpagesize()];
	ASSERT_EQ(SHMZONE_KIND_SLAB, SHMZONE_PAGE_KIND(my_entry));
	ASSERT_LT(0, SHMZONE_PAGE_TAG(my_entry));
	ASSERT_LT(0, SHMZONE_PAGE_TAG(other_entry));
	ASSERT_NE(SHMZONE_PAGE_TAG(my_entry), SHMZONE_PAGE_TAG(other_entry));

	/* By which a thread sees that a page is none of its own. */
	refill(self->zone, 0, class_of(self->zone, 64), 0, NULL);
	ASSERT_EQ(class_of(self->zone, 64), self->caches->head.key + my_entry);
	ASSERT_LT(0x3f, self->caches->head.key + other_entry);
}

TEST_F(owned, a_cache_does_not_free_what_is_anothers)
{
	__u32 class = class_of(self->zone, 64);
	__u64 other = peer_alloc(self);
	struct shmzone_bin *bin = &self->caches->head.bin[class];
	unsigned int used;

	refill(self->zone, 0, class, 0, NULL);
	used = cache_used(self->caches, class);
	ASSERT_NE(0, used);
	free_at(self->zone, cache_words(self->caches)[bin->cur]);
	cache_words(self->caches)[bin->cur] = other;
	ASSERT_EQ(used - 1, drain_all(self->zone, 0));
	ASSERT_EQ(1, stat_of(self->zone).out_bad_owner);
	owner_is(self->board->client, self->zone, other);
}

TEST_F(owned, what_a_client_owned_goes_with_it)
{
	__u64 own = alloc(self->zone, 64);
	unsigned int i;

	for (i = 0; i < 1000; i++)
		ASSERT_LT(0, peer_alloc(self));
	ASSERT_EQ(1001, stat_of(self->zone).out_live_objects);
	ASSERT_EQ(0, peer_kill(self));
	ASSERT_EQ(1, stat_of(self->zone).out_live_objects);
	owner_is(self->client, self->zone, own);
	fail_give(ESRCH, self->zone, own, self->board->client);
	fail_take(ESRCH, self->zone, own, self->board->client);
}

TEST_F(owned, a_million_objects_go_with_their_client)
{
	ASSERT_EQ(0, ask(self, PEER_FILL));
	ASSERT_EQ(1000000, stat_of(self->zone).out_live_objects);
	ASSERT_EQ(0, peer_kill(self));
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
	ASSERT_EQ(0, stat_of(self->zone).out_taken_bytes);
}

TEST_F(owned, unmapping_caches_ends_the_client)
{
	__u64 offset = alloc(self->zone, 64), given = alloc(self->zone, 64);

	give(self->zone, given, 0);
	ASSERT_EQ(0, munmap(self->caches, 2 * SHMZONE_CACHE_BYTES));
	ASSERT_EQ(0, _try_sync(self->zone, self->client, 60000000000ULL));
	fail_query(EINVAL, self->zone, offset, &(struct shmzone_query){});
	owner_is(0, self->zone, given);
	fail_alloc(ENXIO, self->zone, 64, 1, &offset);
	free_at(self->zone, given);
}

TEST_F(owned, given_objects_have_another_owner)
{
	__u64 offset = alloc(self->zone, 64), span = alloc(self->zone, 100000);

	fail_give(ESRCH, self->zone, offset, 1ULL << 60);
	fail_give(EINVAL, self->zone, offset + 8, 0);
	give(self->zone, offset, self->board->client);
	give(self->zone, span, self->board->client);
	owner_is(self->board->client, self->zone, offset);
	fail_free_at(EPERM, self->zone, offset);
	fail_give(EPERM, self->zone, offset, 0);
	fail_offer(EPERM, self->zone, offset);
	ASSERT_EQ(1, ask_of(self, PEER_FREE, offset));
	ASSERT_EQ(0, peer_kill(self));
	fail_query(EINVAL, self->zone, span, &(struct shmzone_query){});
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

TEST_F(owned, what_is_given_outlives_its_giver)
{
	__u64 offset = peer_alloc(self), nobodys, lost;

	ASSERT_EQ(0, ask_of(self, PEER_GIVE, offset));
	nobodys = peer_alloc(self);
	ASSERT_EQ(0, ask_of(self, PEER_GIVE, nobodys));
	give(self->zone, nobodys, 0);
	lost = peer_alloc(self);
	ASSERT_EQ(0, peer_kill(self));
	owner_is(self->client, self->zone, offset);
	owner_is(0, self->zone, nobodys);
	fail_query(EINVAL, self->zone, lost, &(struct shmzone_query){});
	take(self->zone, nobodys, 0);
	owner_is(self->client, self->zone, nobodys);
	free_at(self->zone, offset);
	free_at(self->zone, nobodys);
	ASSERT_EQ(0, stat_of(self->zone).out_taken_bytes);
}

TEST_F(owned, an_offer_is_taken_once)
{
	__u64 offset = peer_alloc(self);

	fail_take(EPERM, self->zone, offset, self->board->client);
	ASSERT_EQ(0, ask_of(self, PEER_OFFER, offset));
	owner_is(self->board->client, self->zone, offset);
	fail_take(EPERM, self->zone, offset, 0);
	take(self->zone, offset, self->board->client);
	owner_is(self->client, self->zone, offset);
	fail_take(EPERM, self->zone, offset, self->board->client);
	ASSERT_EQ(-EPERM, ask_of(self, PEER_TAKE, offset));
	ASSERT_EQ(0, peer_kill(self));
	owner_is(self->client, self->zone, offset);
}

TEST_F(owned, an_offer_goes_with_its_owner)
{
	__u64 offset = peer_alloc(self);

	ASSERT_EQ(0, ask_of(self, PEER_OFFER, offset));
	ASSERT_EQ(0, peer_kill(self));
	fail_query(EINVAL, self->zone, offset, &(struct shmzone_query){});
}

TEST_F(owned, arguments)
{
	__u64 offset = alloc(self->zone, 64);
	struct shmzone_give args = {
		SIZED(shmzone_give), .offsets = to_u64(&offset), .count = 1,
	}, valid = args;

	args.count = 0;
	fail_call(EINVAL, self->zone, SHMZONE_GIVE, &args);
	args.count = SHMZONE_BATCH_MAX + 1;
	fail_call(EINVAL, self->zone, SHMZONE_GIVE, &args);
	args = valid;
	args.offsets = 8;
	fail_call(EFAULT, self->zone, SHMZONE_GIVE, &args);
	args = valid;
	args.client = self->board->client;
	fail_call(EINVAL, self->zone, SHMZONE_OFFER, &args);
	fail_call(EACCES, reopen(self->zone, SHMZONE_OPEN_RDONLY), SHMZONE_GIVE, &valid);
	owner_is(self->client, self->zone, offset);
}

TEST_F(owned, a_batch_stops_at_the_first_that_fails)
{
	__u64 offsets[4];
	struct shmzone_give args = {
		SIZED(shmzone_give), .offsets = to_u64(offsets), .count = 4,
	};

	alloc_objects(self->zone, 64, 4, offsets);
	offsets[2] = peer_alloc(self);
	call(self->zone, SHMZONE_GIVE, &args);
	ASSERT_EQ(2, args.out_count);
	ASSERT_EQ(EPERM, args.out_error);
	owner_is(0, self->zone, offsets[1]);
	owner_is(self->client, self->zone, offsets[3]);
}

static struct shmzone_walk walk_args(struct shmzone_object *objects, __u32 count, __u64 cursor)
{
	return (struct shmzone_walk){
		SIZED(shmzone_walk), .objects = to_u64(objects), .count = count,
		.object_size = sizeof(objects[0]), .cursor = cursor,
	};
}

TEST_F(owned, a_walk_tells_all)
{
	struct shmzone_object objects[200];
	struct shmzone_walk args;
	__u64 cursor = 0, last = 0, offered, span;
	unsigned int i, seen = 0, cached = 0, others = 0, offers = 0;

	ASSERT_EQ(30, cache_fill(self->zone, self->caches, 0, class_of(self->zone, 64), 30));
	for (i = 0; i < 10; i++)
		ASSERT_LT(0, peer_alloc(self));
	span = alloc(self->zone, 100000);
	offered = alloc(self->zone, 1000);
	offer(self->zone, offered);
	do {
		args = walk_args(objects, 7, cursor);
		call(self->zone, SHMZONE_WALK, &args);
		for (i = 0; i < args.out_count; i++) {
			ASSERT_LT(last, objects[i].offset);
			last = objects[i].offset;
			owner_is(objects[i].owner, self->zone, last);
			cached += objects[i].flags & SHMZONE_OBJECT_CACHED ? 1 : 0;
			offers += objects[i].flags & SHMZONE_OBJECT_OFFERED ? 1 : 0;
			others += objects[i].owner == self->board->client;
			if (last == span)
				ASSERT_EQ(SHMZONE_CLASS_SPAN, objects[i].size_class);
			if (last == offered)
				ASSERT_EQ(SHMZONE_OBJECT_OFFERED, objects[i].flags);
		}
		seen += args.out_count;
		cursor = args.out_cursor;
	} while (cursor);
	ASSERT_EQ(30, cached);
	ASSERT_EQ(1, offers);
	ASSERT_EQ(10, others);
	ASSERT_EQ(stat_of(self->zone).out_live_objects, seen);
	ASSERT_EQ(42, seen);
}

TEST_F(owned, arguments_of_a_walk)
{
	struct shmzone_object objects[4];
	struct shmzone_walk args = walk_args(objects, 0, 0);

	fail_call(EINVAL, self->zone, SHMZONE_WALK, &args);
	args = walk_args(objects, SHMZONE_WALK_MAX + 1, 0);
	fail_call(EINVAL, self->zone, SHMZONE_WALK, &args);
	args = walk_args(objects, 4, 0);
	args.object_size = 39;
	fail_call(EINVAL, self->zone, SHMZONE_WALK, &args);
	args = walk_args(objects, 4, ~0ULL);
	call(self->zone, SHMZONE_WALK, &args);
	ASSERT_EQ(0, args.out_count);
	ASSERT_EQ(0, args.out_cursor);
	alloc(self->zone, 64);
	args = walk_args((void *)8, 4, 0);
	fail_call(EFAULT, self->zone, SHMZONE_WALK, &args);
}

/* Offers what it allocates until it is killed. */
static int offers_on(void *arg)
{
	FIXTURE_DATA(owned) *self = arg;
	struct board *b = self->board;
	unsigned int i;

	if (self->caches->head.key)
		return 1;
	b->client = _try_client(b->zone);
	for (i = 0;; i++) {
		__u64 offset;

		if (_try_alloc(b->zone, 64, 1, &offset) != 1 || _try_offer(b->zone, offset))
			return 2;
		__atomic_store_n(&b->offsets[i % 64], offset, __ATOMIC_RELEASE);
		__atomic_add_fetch(&b->done, 1, __ATOMIC_RELEASE);
	}
}

/* Whoever is killed when, each object has one owner, or none any more. */
TEST_F(owned, offers_and_takes_while_the_giver_is_killed)
{
	struct board *b = self->board;
	unsigned int round, i, taken = 0;
	__u64 client, offset;

	ASSERT_EQ(0, peer_kill(self));
	for (round = 0; round < 50; round++) {
		unsigned long until;

		b->client = 0;
		b->done = 0;
		memset(b->offsets, 0, sizeof(b->offsets));
		self->peer = start_child(offers_on, self);
		until = 1 + rand() % 200;
		for (i = 0; b->done < until; i++) {
			client = __atomic_load_n(&b->client, __ATOMIC_ACQUIRE);
			offset = __atomic_load_n(&b->offsets[i % 64], __ATOMIC_ACQUIRE);
			if (offset && !_try_take(self->zone, offset, client))
				taken++;
		}
		kill(self->peer, SIGKILL);
		for (i = 0; i < 64; i++)
			if (!_try_take(self->zone, b->offsets[i], b->client))
				taken++;
		ASSERT_EQ(0, peer_kill(self));
		ASSERT_EQ(taken, stat_of(self->zone).out_live_objects);
	}
	ASSERT_LT(0, taken);
	ASSERT_EQ(0, munmap(self->caches, 2 * SHMZONE_CACHE_BYTES));
	ASSERT_EQ(0, _try_sync(self->zone, self->client, 60000000000ULL));
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

TEST_HARNESS_MAIN
