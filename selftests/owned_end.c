// SPDX-License-Identifier: GPL-2.0
/*
 * Owned zones: the end of clients that others hold up: waiters, and objects that
 * were given away.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

#define LONG_NS		60000000000ULL
#define SPAN_BYTES	(9 * page_bytes())

/* Between this process and a child. */
struct note {
	int zone;
	__u64 client;
	__u64 offset;
};

FIXTURE(owned_end) {
	int control;
	int zone;
	struct note *note;
};

FIXTURE_SETUP(owned_end)
{
	self->control = control_fd();
	self->zone = create_kind(self->control, SHMZONE_CREATE_OWNED, GIB, 0);
	self->note = mmap(NULL, sizeof(*self->note), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->note != MAP_FAILED);
	self->note->zone = self->zone;
}

FIXTURE_TEARDOWN(owned_end)
{
	ASSERT_TRUE(zone_consistent(self->zone));
	close(self->zone);
	close(self->control);
}

/* At the head of the queue and behind it: all have to learn of it. */
TEST_F(owned_end, nobody_waits_for_a_client_that_is_dead)
{
	struct shmzone_cache *caches = map_caches_ok(self->zone, 1);
	__u64 client = client_of(self->zone);
	struct waiter_thread waiters[3];
	int i;

	set_limit(self->zone, SPAN_BYTES);
	alloc(self->zone, SPAN_BYTES);
	for (i = 0; i < 3; i++) {
		waiters[i] = (struct waiter_thread){ self->zone, SPAN_BYTES };
		ASSERT_TRUE(start_waiter_thread(&waiters[i]));
	}
	ASSERT_EQ(0, munmap(caches, SHMZONE_CACHE_BYTES));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(waiters[i].id, NULL));
		ASSERT_EQ(-ENXIO, waiters[i].ret);
	}
	ASSERT_EQ(0, _try_sync(self->zone, client, LONG_NS));
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

static int allocates_and_waits(void *arg)
{
	struct note *note = arg;

	if (_try_map_caches(note->zone, 1) || _try_alloc(note->zone, 64, 1, &note->offset) != 1)
		return 1;
	note->client = _try_client(note->zone);
	for (;;)
		pause();
}

/* Slots of another's slab are not to be had, though they are freed. */
TEST_F(owned_end, no_wait_for_slots_of_others)
{
	pid_t child = start_child(allocates_and_waits, self->note);
	__u64 offset;

	map_caches_ok(self->zone, 1);
	while (!__atomic_load_n(&self->note->client, __ATOMIC_SEQ_CST))
		usleep(100);
	set_limit(self->zone, page_bytes());
	ASSERT_EQ(-ENOMEM, _try_alloc_wait(self->zone, 64, 1, LONG_NS, &offset));
	/* Of its own slab they are worth it. */
	set_limit(self->zone, GIB);
	alloc(self->zone, 32768);
	set_limit(self->zone, page_bytes());
	ASSERT_EQ(-ETIMEDOUT, _try_alloc_wait(self->zone, 32768, 1, 1, &offset));
	kill(child, SIGKILL);
	end_child(child);
}

/* As a user without rights: gives an object away, and ends. */
static int leaves_an_object(void *arg)
{
	struct note *note = arg;

	if (!become(STRANGER, GROUP) || _try_map_caches(note->zone, 1))
		return 1;
	if (_try_alloc(note->zone, 64, 1, &note->offset) != 1)
		return 2;
	note->client = _try_client(note->zone);
	return _try_handover(note->zone, SHMZONE_GIVE, note->offset, 0) ? 3 : 0;
}

static int maps_caches(void *arg)
{
	struct note *note = arg;

	if (!become(STRANGER, GROUP))
		return 1;
	return -_try_map_caches(note->zone, 1);
}

/* What is left of a client counts as one. */
TEST_F(owned_end, a_user_pays_for_what_is_left)
{
	unsigned long long before = get_parameter("user_clients_max");
	int i, ret, later = -1;

	ASSERT_EQ(0, in_child(leaves_an_object, self->note));
	ASSERT_EQ(0, _try_sync(self->zone, self->note->client, LONG_NS));
	if (!set_parameter("user_clients_max", 1))
		SKIP(return, "parameters cannot be set");
	ret = in_child(maps_caches, self->note);
	free_at(self->zone, self->note->offset);
	/* Somebody may be looking at it just now. */
	for (i = 0; i < 100 && later; i++) {
		later = in_child(maps_caches, self->note);
		usleep(10000);
	}
	set_parameter("user_clients_max", before);
	ASSERT_EQ(EDQUOT, ret);
	ASSERT_EQ(0, later);
}

TEST_HARNESS_MAIN
