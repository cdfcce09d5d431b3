// SPDX-License-Identifier: GPL-2.0
/*
 * Owned zones: objects that are tied to others, and go with them, by raw ABI.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

#define LONG_NS		60000000000ULL
/* Under an emulator each takes tens of microseconds to tie, and to free. */
#define MANY		100000
#define BATCH		1000

/* Between this process and a child. */
struct note {
	int zone;
	struct shmzone_cache *caches;
	__u64 client;
	__u64 parent;
	__u64 child;
	__u64 to;
};

FIXTURE(owned_link) {
	int control;
	int zone;
	struct shmzone_cache *caches;
	__u64 client;
	struct note *note;
};

FIXTURE_SETUP(owned_link)
{
	self->control = control_fd();
	self->zone = create_kind(self->control, SHMZONE_CREATE_OWNED, GIB, 0);
	self->caches = map_caches_ok(self->zone, 1);
	self->client = client_of(self->zone);
	self->note = mmap(NULL, sizeof(*self->note), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->note != MAP_FAILED);
	self->note->zone = self->zone;
	self->note->to = self->client;
}

FIXTURE_TEARDOWN(owned_link)
{
	ASSERT_TRUE(zone_consistent(self->zone));
	close(self->zone);
	close(self->control);
}

static int _try_link_all(int zone, const __u64 *offsets, __u32 count, __u64 parent)
{
	struct shmzone_link args = {
		SIZED(shmzone_link), .offsets = to_u64(offsets), .count = count,
		.parent = parent,
	};
	int ret = _try_call(zone, SHMZONE_LINK, &args);

	return ret ? ret : (int)args.out_count;
}

static int _try_link(int zone, __u64 offset, __u64 parent)
{
	int ret = _try_link_all(zone, &offset, 1, parent);

	return ret < 0 ? ret : 0;
}

/* -1: it cannot be told. */
static long live_in(int zone)
{
	struct shmzone_stat stat;

	return _try_stat(zone, &stat) ? -1 : (long)stat.out_live_objects;
}

/* The owner of an object, or a negative errno. */
static long owner_of(int zone, __u64 offset)
{
	struct shmzone_query found;
	int ret = _try_query(zone, offset, &found);

	return ret ? ret : (long)found.out_owner;
}

#define link_to(...)		ASSERT_EQ(0, _try_link(__VA_ARGS__))
#define fail_link_to(e, ...)	gives_errno(e, _try_link(__VA_ARGS__))

TEST_F(owned_link, children_go_with_their_parent)
{
	static const __u64 bytes[] = { 64, 100000, 8, 32768, 64 };
	__u64 parent = alloc(self->zone, 64), other = alloc(self->zone, 64), child;
	int i;

	for (i = 0; i < 5; i++) {
		child = alloc(self->zone, bytes[i]);
		link_to(self->zone, child, parent);
	}
	ASSERT_EQ(7, stat_of(self->zone).out_live_objects);
	/* One may go before. */
	free_at(self->zone, child);
	free_at(self->zone, parent);
	ASSERT_EQ(1, stat_of(self->zone).out_live_objects);
	fail_free_at(EINVAL, self->zone, parent);
	ASSERT_EQ(self->client, owner_of(self->zone, other));
}

TEST_F(owned_link, what_cannot_be_tied)
{
	__u64 a = alloc(self->zone, 64), b = alloc(self->zone, 64), c = alloc(self->zone, 64);
	int zone = create(self->control, MIB);

	fail_link_to(EINVAL, self->zone, a, a);
	fail_link_to(EINVAL, self->zone, a, a + 8);
	fail_link_to(EINVAL, self->zone, a + 8, b);
	fail_link_to(EINVAL, self->zone, a, ~0ULL);
	fail_link_to(EINVAL, self->zone, a, 0);
	link_to(self->zone, a, b);
	fail_link_to(EBUSY, self->zone, a, b);
	fail_link_to(EBUSY, self->zone, a, c);
	fail_link_to(EBUSY, self->zone, b, a);
	fail_link_to(EBUSY, self->zone, b, c);
	fail_link_to(EBUSY, self->zone, c, a);
	gives_errno(EBUSY, _try_handover(self->zone, SHMZONE_GIVE, a, 0));
	gives_errno(EBUSY, _try_handover(self->zone, SHMZONE_OFFER, a, 0));
	link_to(self->zone, a, 0);
	free_at(self->zone, b);
	ASSERT_EQ(self->client, owner_of(self->zone, a));
	fail_link_to(EOPNOTSUPP, zone, alloc(zone, 64), alloc(zone, 64));
	fail_link_to(EACCES, reopen(self->zone, SHMZONE_OPEN_RDONLY), a, c);
}

TEST_F(owned_link, a_batch_stops_at_the_first_that_fails)
{
	__u64 offsets[4], parent = alloc(self->zone, 64);

	alloc_objects(self->zone, 64, 4, offsets);
	offsets[2] += 8;
	ASSERT_EQ(2, _try_link_all(self->zone, offsets, 4, parent));
	free_at(self->zone, parent);
	ASSERT_EQ(2, stat_of(self->zone).out_live_objects);
}

static int offers_a_message(void *arg)
{
	struct note *note = arg;
	int i;

	if (_try_map_caches(note->zone, 1) || _try_alloc(note->zone, 64, 1, &note->parent) != 1)
		return 1;
	for (i = 0; i < 100; i++)
		if (_try_alloc(note->zone, 64 << i % 12, 1, &note->child) != 1 ||
		    _try_link(note->zone, note->child, note->parent))
			return 2;
	if (_try_handover(note->zone, SHMZONE_OFFER, note->parent, 0))
		return 3;
	note->client = _try_client(note->zone);
	for (;;)
		pause();
}

/* Whoever has the message has its parts; with nobody to have it, they go. */
TEST_F(owned_link, a_message_is_handed_on_as_one)
{
	int taken;

	ASSERT_EQ(0, munmap(self->caches, SHMZONE_CACHE_BYTES));
	for (taken = 0; taken < 2; taken++) {
		struct note *note = self->note;
		pid_t child;

		self->caches = map_caches_ok(self->zone, 1);
		note->client = 0;
		child = start_child(offers_a_message, note);
		while (!__atomic_load_n(&note->client, __ATOMIC_SEQ_CST))
			usleep(100);
		ASSERT_EQ(101, stat_of(self->zone).out_live_objects);
		fail_free_at(EPERM, self->zone, note->child);
		gives_errno(EBUSY, _try_handover(self->zone, SHMZONE_TAKE, note->child,
						 note->client));
		if (taken) {
			ASSERT_EQ(0, _try_handover(self->zone, SHMZONE_TAKE, note->parent,
						   note->client));
			ASSERT_EQ(client_of(self->zone), owner_of(self->zone, note->child));
		}
		kill(child, SIGKILL);
		end_child(child);
		ASSERT_EQ(0, _try_sync(self->zone, note->client, LONG_NS));
		ASSERT_EQ(taken ? 101 : 0, stat_of(self->zone).out_live_objects);
		if (taken)
			free_at(self->zone, note->parent);
		ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
		ASSERT_EQ(0, munmap(self->caches, SHMZONE_CACHE_BYTES));
	}
}

/* An object with very many children. */
static bool make_pool_of(int zone, __u64 bytes, int count, __u64 *parent)
{
	static __u64 offsets[BATCH];
	int i;

	if (_try_alloc(zone, bytes, 1, parent) != 1)
		return false;
	for (i = 0; i < count; i += BATCH)
		if (_try_alloc(zone, bytes, BATCH, offsets) != BATCH ||
		    _try_link_all(zone, offsets, BATCH, *parent) != BATCH)
			return false;
	return true;
}

static bool make_pool(int zone, __u64 *parent)
{
	return make_pool_of(zone, 64, MANY / (kernel_debugs() ? 20 : 1), parent);
}

/* It is freed by one call, and by the end of its owner. */
TEST_F(owned_link, very_many_children)
{
	__u64 parent;

	ASSERT_TRUE(make_pool(self->zone, &parent));
	free_at(self->zone, parent);
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
	ASSERT_TRUE(make_pool(self->zone, &parent));
	ASSERT_EQ(0, munmap(self->caches, SHMZONE_CACHE_BYTES));
	ASSERT_EQ(0, _try_sync(self->zone, self->client, 2 * LONG_NS));
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

/* Without caches it owns nothing, and nothing is freed at its end. */
static int frees_a_pool(void *arg)
{
	struct note *note = arg;

	munmap(note->caches, SHMZONE_CACHE_BYTES);
	return _try_free_at(note->zone, note->parent) != 1;
}

/*
 * The children of what was nobody's are left, then, to the zone's own work; unless who
 * freed it was done before it was killed.
 */
TEST_F_TIMEOUT(owned_link, killed_while_very_many_children_go, 120)
{
	struct note *note = self->note;
	__u64 all, left = 0;
	int i, tries;
	pid_t child;

	note->caches = self->caches;
	for (tries = 0; tries < 10 && !left; tries++) {
		ASSERT_TRUE(make_pool(self->zone, &note->parent));
		ASSERT_EQ(0, _try_handover(self->zone, SHMZONE_GIVE, note->parent, 0));
		all = stat_of(self->zone).out_live_objects;
		child = start_child(frees_a_pool, note);
		for (i = 0; i < 1000000 && stat_of(self->zone).out_live_objects == all; i++)
			;
		kill(child, SIGKILL);
		end_child(child);
		left = stat_of(self->zone).out_live_objects;
	}
	ASSERT_LT(0, left);
	for (i = 0; i < 6000 && stat_of(self->zone).out_live_objects; i++)
		usleep(10000);
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

/* Spans, as slabs that end make room later on, and wake then. */
#define SPAN_BYTES	(9 * page_bytes())

/* Whether it was killed before all of that was freed: so that the rest is not. */
static bool kill_in_the_midst(FIXTURE_DATA(owned_link) *self, int count)
{
	struct note *note = self->note;
	pid_t child;
	int i;

	if (!make_pool_of(self->zone, SPAN_BYTES, count, &note->parent) ||
	    _try_handover(self->zone, SHMZONE_GIVE, note->parent, 0))
		return false;
	child = start_child(frees_a_pool, note);
	for (i = 0; i < 1000000 && live_in(self->zone) > count; i++)
		;
	kill(child, SIGKILL);
	end_child(child);
	return live_in(self->zone);
}

/* Something that is none, as nobody in particular. */
static int frees_nothing(void *arg)
{
	struct note *note = arg;

	munmap(note->caches, SHMZONE_CACHE_BYTES);
	return _try_free_at(note->zone, 1) != -EINVAL;
}

/* What goes by a call that was refused is told to those who wait, too. */
TEST_F_TIMEOUT(owned_link, the_rest_goes_by_a_free_that_is_refused, 120)
{
	int count = kernel_debugs() ? BATCH : 10 * BATCH, tries;
	__u64 all = (count + 1) * SPAN_BYTES, offset;
	struct pollfd poller = { .fd = self->zone, .events = POLLOUT };
	bool left = false;

	self->note->caches = self->caches;
	set_limit(self->zone, all);
	ASSERT_EQ(1, poll(&poller, 1, 0));
	for (tries = 0; tries < 10 && !left; tries++) {
		if (!kill_in_the_midst(self, count))
			continue;
		/* Unless the zone's own work was quicker. */
		left = _try_alloc(self->zone, all, 1, &offset) == -ENOMEM;
		if (!left)
			free_at(self->zone, offset);
	}
	ASSERT_TRUE(left);
	ASSERT_EQ(0, in_child(frees_nothing, self->note));
	ASSERT_EQ(1, poll(&poller, 1, 20000));
	ASSERT_EQ(1, _try_alloc(self->zone, all, 1, &offset));
}

TEST_F(owned_link, a_walk_tells_what_is_tied)
{
	__u64 parent = alloc(self->zone, 64), child = alloc(self->zone, 64);
	__u64 span = alloc(self->zone, 100000);
	struct shmzone_object objects[8];
	struct shmzone_walk args = {
		SIZED(shmzone_walk), .objects = to_u64(objects), .count = 8,
		.object_size = sizeof(objects[0]),
	};
	unsigned int i;

	link_to(self->zone, child, parent);
	link_to(self->zone, span, parent);
	call(self->zone, SHMZONE_WALK, &args);
	ASSERT_EQ(3, args.out_count);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(objects[i].offset == parent ? 0 : SHMZONE_OBJECT_LINKED,
			  objects[i].flags);
		ASSERT_EQ(self->client, objects[i].owner);
	}
}

static int links_on(void *arg)
{
	struct note *note = arg;
	unsigned int seed = getpid();

	if (_try_map_caches(note->zone, 1))
		return 1;
	note->client = _try_client(note->zone);
	for (;;) {
		__u64 all[32];
		int i;

		if (_try_alloc(note->zone, 200, 32, all) != 32)
			return 2;
		for (i = 1; i < 32; i++)
			if (_try_link(note->zone, all[i], all[0]))
				return 3;
		if (rand_r(&seed) % 2 && _try_handover(note->zone, SHMZONE_GIVE, all[0], note->to))
			return 4;
		else if (_try_free_at(note->zone, all[0]) != 1 &&
			 _try_free_at(note->zone, all[5]) != -EPERM)
			return 5;
	}
}

/* Whoever is killed when: what is left is whole messages, and goes as such. */
TEST_F(owned_link, killed_while_it_ties)
{
	struct note *note = self->note;
	int round;

	for (round = 0; round < 40; round++) {
		pid_t child;

		note->client = 0;
		child = start_child(links_on, note);
		while (!__atomic_load_n(&note->client, __ATOMIC_SEQ_CST))
			usleep(100);
		usleep(rand() % 20000);
		kill(child, SIGKILL);
		ASSERT_EQ(-SIGKILL, end_child(child));
		ASSERT_EQ(0, _try_sync(self->zone, note->client, LONG_NS));
		ASSERT_EQ(0, stat_of(self->zone).out_live_objects % 32);
	}
	ASSERT_EQ(0, munmap(self->caches, SHMZONE_CACHE_BYTES));
	ASSERT_EQ(0, _try_sync(self->zone, self->client, LONG_NS));
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

TEST_HARNESS_MAIN
