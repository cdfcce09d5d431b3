// SPDX-License-Identifier: GPL-2.0
/*
 * What one process may have of what there is for the caches of all: capacity,
 * and the kernel's memory.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

/* Capacity of a bin, in bytes of slots. */
static __u64 capacity(const struct shmzone_cache *cache, __u32 class, __u64 bytes)
{
	return cache_capacity(cache, class) * bytes;
}

/* A process that takes part: its end of a socket. */
struct rival {
	int zone;
	int socket;
	unsigned int caches;
};

static bool tell(int socket)
{
	return write(socket, "", 1) == 1;
}

static bool is_told(int socket)
{
	char byte;

	return read(socket, &byte, 1) == 1;
}

static __u64 grasp(const struct rival *r, struct shmzone_cache *caches, __u32 class)
{
	__u64 got = 0;
	unsigned int i;

	for (i = 0; i < r->caches; i++)
		got += capacity(cache_at(caches, i), class, 1024);
	return got;
}

/* Takes as much as it can, waits, and begins anew if it has too much then. */
static int grasps(void *arg)
{
	struct rival *r = arg;
	struct shmzone_cache *caches = map_caches(r->zone, r->caches);
	__u32 class = class_of(r->zone, 1024);
	__u64 before, after;
	unsigned int i;

	if (caches == MAP_FAILED)
		return 1;
	for (i = 0; i < r->caches; i++)
		cache_fill(r->zone, caches, i, class, 60);
	before = grasp(r, caches, class);
	if (!tell(r->socket) || !is_told(r->socket))
		return 2;
	for (i = 0; i < r->caches; i++)
		_try_refill(r->zone, i, class, 0, NULL);
	after = grasp(r, caches, class);
	/* Half of the ceiling. On a slow machine some of it is idle for too long. */
	if (before > MIB / 2)
		return 3;
	return before < MIB / 2 || after < before ? 0 : 4;
}

/* One process cannot have all capacity, and has less when others come. */
TEST(fair_shares)
{
	int zone = create_limited(control_fd(), 64 * MIB, 16 * MIB);
	struct rival first = { zone, .caches = 12 }, second = { zone, .caches = 2 };
	__u32 class = class_of(zone, 1024);
	struct shmzone_cache *caches;
	int sockets[2][2], i;
	pid_t child[2];

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets[i]));
	first.socket = sockets[0][1];
	child[0] = start_child(grasps, &first);
	ASSERT_TRUE(is_told(sockets[0][0]));
	/* Who comes later gets what one thread wants. */
	caches = map_caches_ok(zone, 4);
	for (i = 0; i < 4; i++) {
		cache_fill(zone, caches, i, class, 60);
		ASSERT_EQ(64 * KIB, capacity(cache_at(caches, i), class, 1024));
	}
	second.socket = sockets[1][1];
	child[1] = start_child(grasps, &second);
	ASSERT_TRUE(is_told(sockets[1][0]));
	ASSERT_TRUE(tell(sockets[0][0]));
	ASSERT_EQ(0, end_child(child[0]));
	ASSERT_TRUE(tell(sockets[1][0]));
	ASSERT_EQ(0, end_child(child[1]));
}

/* Let it grow as far as it may; @shared: as one of those that threads use together. */
static void grow(int zone, unsigned int cache, __u32 class, bool shared)
{
	int i;

	if (shared)
		_try_share_cache(zone, cache, class);
	for (i = 0; i < 8; i++)
		_try_refill(zone, cache, class, 0, NULL);
}

/*
 * Where all caches may have 1 MiB together, and one process half of that, some classes do
 * not keep others from what each may have.
 */
TEST(large_bins_leave_enough_for_others)
{
	static const __u32 bytes[] = { 1024, 1280, 1536, 1792, 2048, 2560 };
	int zone = create_limited(control_fd(), 64 * MIB, 16 * MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 1);
	unsigned int i;

	for (i = 0; i < 6; i++) {
		__u32 class = class_of(zone, bytes[i]);

		grow(zone, 0, class, false);
		grow(zone, 0, class, false);
		ASSERT_LE(62 * KIB, capacity(caches, class, bytes[i]));
	}
}

/* Of the half that the process may have, they leave some to those of threads. */
TEST(shared_caches_grow_last)
{
	int zone = create_limited(control_fd(), 64 * MIB, 16 * MIB), i;
	struct rival r = { zone, .caches = 8 };
	__u32 class = class_of(zone, 1024);
	struct shmzone_cache *caches = map_caches_ok(zone, 9);

	for (i = 0; i < 8; i++)
		grow(zone, i, class, true);
	ASSERT_GE(MIB / 3, grasp(&r, caches, class));
	grow(zone, 8, class, false);
	ASSERT_EQ(64 * KIB, capacity(cache_at(caches, 8), class, 1024));
}

/* Nobody takes a step in them any more, and yet they are left to others. */
TEST(shared_caches_begin_anew_with_others)
{
	int zone = create_limited(control_fd(), 256 * MIB, 128 * MIB), i;
	struct rival r = { zone, .caches = 16 };
	__u32 class = class_of(zone, 1024);
	struct shmzone_cache *caches = map_caches_ok(zone, 17);

	for (i = 0; i < 16; i++)
		grow(zone, i, class, true);
	set_limit(zone, 16 * MIB);
	refill(zone, 16, class, 0, NULL);
	ASSERT_GE(MIB / 2, grasp(&r, caches, class));
	ASSERT_LE(1024, capacity(cache_at(caches, 16), class, 1024));
}

/* How many caches can be used before there is no more memory for them. */
static int caches_that_fit(int zone, struct shmzone_cache *caches, int count)
{
	__u32 class = class_of(zone, 64);
	int i, ret = 0;

	for (i = 0; i < count && !ret; i++)
		ret = _try_refill(zone, i, class, 0, NULL);
	if (ret != -EDQUOT || touch_write(cache_at(caches, i)) != SIGBUS)
		return -1;
	return i - 1;
}

static int is_bounded(void *arg)
{
	int zone = *(int *)arg, fit[2], round;
	__u64 offset;

	if (!become(STRANGER, GROUP))
		return 1;
	for (round = 0; round < 2; round++) {
		struct shmzone_cache *caches = map_caches(zone, 64);

		if (caches == MAP_FAILED)
			return 2;
		fit[round] = caches_that_fit(zone, caches, 64);
		/* Memory of the zone there is. */
		if (_try_alloc(zone, 64, 1, &offset) != 1 || _try_free_at(zone, offset) != 1)
			return 3;
		munmap(caches, 64 * SHMZONE_CACHE_BYTES);
	}
	/* As many again: what was charged is given back. */
	return fit[0] < 1 || fit[0] != fit[1];
}

/* Has one slot of each class in a cache of its own, and then no memory for caches more. */
static bool uses_up(int zone, struct shmzone_cache *caches, __u32 classes)
{
	__u32 i;

	for (i = 1; i < classes; i++)
		if (_try_refill(zone, i, i, 0, NULL))
			return false;
	while (i < 256 && !touch_write(cache_at(caches, i)))
		i++;
	return i < 256;
}

/* Bins go on with what they have: they are filled, and room is made in full ones. */
static bool goes_on(int zone, struct shmzone_cache *cache, __u32 class)
{
	struct shmzone_bin *bin = &cache->head.bin[class];
	int i;

	for (i = 0; i < 10; i++) {
		bin->cur -= cache_used(cache, class);
		if (_try_refill(zone, class, class, 0, NULL))
			return false;
	}
	while (!_try_refill(zone, class, class, 0, NULL))
		;
	return cache_used(cache, class) && bin->cur == bin->end &&
	       !_try_drain(zone, class, class, 0, NULL) && bin->cur != bin->end;
}

static int goes_on_without_memory(void *arg)
{
	int zone = *(int *)arg;
	struct shmzone_cache *caches;
	__u32 class;

	if (!become(STRANGER, GROUP))
		return 1;
	caches = map_caches(zone, 256);
	if (caches == MAP_FAILED || !uses_up(zone, caches, SHMZONE_CLASSES))
		return 2;
	for (class = 1; class < SHMZONE_CLASSES; class++)
		if (!goes_on(zone, cache_at(caches, class), class))
			return 10 + class;
	return 0;
}

TEST(no_memory_for_more)
{
	unsigned long long before = get_parameter("user_cache_bytes_max");
	int zone = create(control_fd(), 256 * MIB), ret;

	if (!set_parameter("user_cache_bytes_max", MIB))
		SKIP(return, "parameters cannot be set");
	ret = in_child(goes_on_without_memory, &zone);
	set_parameter("user_cache_bytes_max", before);
	ASSERT_EQ(0, ret);
}

TEST(memory_for_caches)
{
	unsigned long long before = get_parameter("user_cache_bytes_max");
	int zone = create(control_fd(), MIB), ret;

	if (!set_parameter("user_cache_bytes_max", 64 * KIB))
		SKIP(return, "parameters cannot be set");
	ret = in_child(is_bounded, &zone);
	set_parameter("user_cache_bytes_max", before);
	ASSERT_EQ(0, ret);
	ASSERT_LT(64 * KIB, before);
}

TEST_HARNESS_MAIN
