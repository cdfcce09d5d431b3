// SPDX-License-Identifier: GPL-2.0
/*
 * Taking back the stock of caches while their threads go on: that it happens when
 * it has to, and to whom. What the threads notice of it: cache_stress.c.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

/* Fills many caches in a zone that has a limit. Gives what they hold. */
static __u64 fill_caches(int zone, struct shmzone_cache *caches, unsigned int count)
{
	struct shmzone_stat stat = {};
	unsigned int i;

	for (i = 0; i < count; i++) {
		cache_fill(zone, caches, i, class_of(zone, 64), 252);
		cache_fill(zone, caches, i, class_of(zone, 1024), 20);
	}
	_try_stat(zone, &stat);
	return stat.out_cached_bytes;
}

TEST(every_byte_at_the_limit)
{
	int zone = create_limited(control_fd(), 16 * MIB, MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 64);
	__u64 offsets[256], full, span = 4 * page_bytes();
	unsigned int n = 0, count = 64;

	/* Without caches so many spans fit. */
	while (n < 256 && _try_alloc(zone, span, 1, &offsets[n]) == 1)
		n++;
	full = n;
	free_all(zone, offsets, n);
	/* What is idle for long goes while the others are filled. Few take no time. */
	while (fill_caches(zone, caches, count) <= count * KIB && count > 2)
		count /= 2;
	ASSERT_LT(0, stat_of(zone).out_cached_objects);
	/* With idle caches full of slots just as many do. */
	for (n = 0; n < 256 && _try_alloc(zone, span, 1, &offsets[n]) == 1; n++)
		;
	ASSERT_EQ(full, n);
	ASSERT_EQ(0, stat_of(zone).out_cached_objects);
	ASSERT_TRUE(zone_consistent(zone));
}

/* The largest first, and no more than is needed. */
TEST(largest_first)
{
	int zone = create_limited(control_fd(), 16 * MIB, MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 8);
	__u32 large = class_of(zone, 32768), small = class_of(zone, 8);
	__u64 offsets[4096];

	ASSERT_EQ(4, cache_fill(zone, caches, 5, large, 4));
	ASSERT_EQ(1, cache_fill(zone, caches, 2, small, 1));
	while (_try_alloc(zone, page_bytes(), 1, offsets) == 1 &&
	       cache_used(cache_at(caches, 5), large) == 4)
		;
	ASSERT_EQ(0, cache_used(cache_at(caches, 5), large));
	ASSERT_EQ(1, cache_used(cache_at(caches, 2), small));
}

TEST(busy_is_left_alone)
{
	int zone = create(control_fd(), MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	struct shmzone_cache_reclaim answer;
	__u32 class = class_of(zone, 64);

	ASSERT_EQ(9, cache_fill(zone, caches, 0, class, 9));
	ASSERT_EQ(9, cache_fill(zone, caches, 1, class, 9));
	cache_be_busy(caches);
	ASSERT_EQ(9, reclaim(zone, &answer));
	ASSERT_EQ(1, answer.out_caches);
	ASSERT_EQ(1, answer.out_busy);
	ASSERT_EQ(9, cache_used(caches, class));
	ASSERT_EQ(0, cache_used(cache_at(caches, 1), class));
	cache_be_idle(caches);
	ASSERT_EQ(9, reclaim(zone, &answer));
	ASSERT_EQ(0, answer.out_busy);
	ASSERT_EQ(0, stat_of(zone).out_live_objects);
}

/* What can never succeed, or not by what is in caches, takes nothing from them. */
TEST(hopeless)
{
	int zone = create_limited(control_fd(), 2 * MIB, MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 1);
	__u32 class = class_of(zone, 64);
	__u64 offset, span;

	ASSERT_EQ(20, cache_fill(zone, caches, 0, class, 20));
	fail_alloc(ENOMEM, zone, 4 * MIB, 1, &offset);
	fail_alloc(ENOMEM, zone, MIB + page_bytes(), 1, &offset);
	ASSERT_EQ(20, cache_used(caches, class));
	/* Spans leave no room for it. */
	span = alloc(zone, MIB / 2);
	fail_alloc(ENOMEM, zone, MIB / 2 + page_bytes(), 1, &offset);
	ASSERT_EQ(20, cache_used(caches, class));
	free_at(zone, span);
	/* That many pages there are once nothing is in the cache. */
	alloc_objects(zone, MIB, 1, &offset);
	ASSERT_EQ(0, cache_used(caches, class));
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

/* So nobody has to pay for a thread that stays at work for ever. */
TEST(busy_is_not_unmapped)
{
	int zone = create(control_fd(), MIB), i;
	struct shmzone_cache *caches = map_caches_ok(zone, 1);
	volatile __u32 *key = &caches->head.key;
	struct shmzone_cache_reclaim answer;
	long before;

	ASSERT_EQ(9, cache_fill(zone, caches, 0, class_of(zone, 64), 9));
	cache_be_busy(caches);
	before = faults();
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(0, reclaim(zone, &answer));
		*key = SHMZONE_CACHE_BUSY * answer.out_busy;
	}
	ASSERT_EQ(SHMZONE_CACHE_BUSY, *key);
	/* Others than those of this page may come at any time, but not so many. */
	ASSERT_GT(500, faults() - before);
	cache_be_idle(caches);
	ASSERT_EQ(9, reclaim(zone, &answer));
	before = faults();
	cache_be_idle(caches);
	ASSERT_LT(before, faults());
}

/* A thread that ends at work. */
struct vanishing {
	int zone;
	__u32 class;
	struct shmzone_cache *caches;
	bool shared;
	pthread_t thread;
	pid_t id;
};

static void *vanishes(void *arg)
{
	struct vanishing *v = arg;

	v->id = syscall(SYS_gettid);
	if (cache_fill(v->zone, v->caches, 1, v->class, 9) == 9 &&
	    (!v->shared || !_try_share_cache(v->zone, 1, v->class)))
		cache_be_busy(cache_at(v->caches, 1));
	syscall(SYS_exit, 0);
	return NULL;
}

/* Joining it is possible a little before that. */
static void await_end(const struct vanishing *v)
{
	pthread_join(v->thread, NULL);
	while (!syscall(SYS_tgkill, getpid(), v->id, 0))
		usleep(100);
}

TEST(thread_that_vanished)
{
	int zone = create(control_fd(), MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	struct shmzone_cache *cache = cache_at(caches, 1);
	struct vanishing v = { zone, class_of(zone, 64), caches };
	struct shmzone_cache_reclaim answer;
	int round;

	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, pthread_create(&v.thread, NULL, vanishes, &v));
		await_end(&v);
		/* Taken back, or taken over. */
		if (!round) {
			reclaim(zone, &answer);
			ASSERT_EQ(0, answer.out_busy);
		} else {
			drain_all(zone, 1);
		}
		ASSERT_GT(0, (int)cache->head.key);
		ASSERT_EQ(0, stat_of(zone).out_live_objects);
	}
	/* Now it is this thread's, which lives. */
	ASSERT_EQ(9, cache_fill(zone, caches, 1, v.class, 9));
	cache_be_busy(cache);
	ASSERT_EQ(0, reclaim(zone, &answer));
	ASSERT_EQ(1, answer.out_busy);
	ASSERT_EQ(SHMZONE_CACHE_BUSY, cache->head.key);
}

/* Where threads share a cache, whoever is at work need not be who called last. */
TEST(shared_by_a_thread_that_vanished)
{
	int zone = create(control_fd(), MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	struct shmzone_cache *cache = cache_at(caches, 1);
	struct vanishing v = { zone, class_of(zone, 64), caches, .shared = true };
	struct shmzone_cache_reclaim answer;

	ASSERT_EQ(0, pthread_create(&v.thread, NULL, vanishes, &v));
	await_end(&v);
	ASSERT_EQ(0, reclaim(zone, &answer));
	ASSERT_EQ(1, answer.out_busy);
	fail_refill(EBUSY, zone, 1, v.class, 0, NULL);
	ASSERT_EQ(SHMZONE_CACHE_BUSY, cache->head.key);
	/* Who has found out puts it right. */
	cache_be_idle(cache);
	ASSERT_EQ(9, reclaim(zone, &answer));
	/* No longer shared: the next one that vanishes counts again. */
	drain(zone, 1, v.class, 0, NULL);
	v.shared = false;
	ASSERT_EQ(0, pthread_create(&v.thread, NULL, vanishes, &v));
	await_end(&v);
	drain(zone, 1, v.class, 0, NULL);
	ASSERT_GT(0, (int)cache->head.key);
}

/* The first thread of a process ends, and others go on: it is there, but dead. */
static void *looks_after_main(void *arg)
{
	struct vanishing *v = arg;
	struct shmzone_cache_reclaim answer;
	int i;

	for (i = 0; i < 3000; i++) {
		usleep(10000);
		if (_try_reclaim(v->zone, &answer) == 9 && !answer.out_busy)
			_exit(0);
	}
	_exit(1);
}

static int main_vanishes(void *arg)
{
	struct vanishing *v = arg;

	v->caches = map_caches(v->zone, 2);
	if (v->caches == MAP_FAILED ||
	    pthread_create(&v->thread, NULL, looks_after_main, v))
		return 2;
	vanishes(v);
	return 3;
}

TEST(first_thread_that_vanished)
{
	int zone = create(control_fd(), MIB);
	struct vanishing v = { zone, class_of(zone, 64) };

	ASSERT_EQ(0, in_child(main_vanishes, &v));
}

/* Nobody has to ask for it. */
TEST(idle_stock_of_a_thread_that_vanished)
{
	int zone = create(control_fd(), MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	struct vanishing v = { zone, class_of(zone, 64), caches };

	ASSERT_EQ(0, pthread_create(&v.thread, NULL, vanishes, &v));
	await_end(&v);
	ASSERT_TRUE(comes_to_nothing(zone));
}

static int waits_to_be_emptied(void *arg)
{
	struct vanishing *v = arg;
	int tenths;

	if (cache_fill(v->zone, v->caches, 0, v->class, 50) != 50)
		return 1;
	for (tenths = 0; tenths < 300; tenths++) {
		if (!cache_used(v->caches, v->class))
			return 0;
		usleep(100000);
	}
	return 2;
}

/* An idle process gives back while another one is at work all the time. */
TEST(idle_stock_beside_a_busy_process)
{
	int zone = create(control_fd(), MIB), error, status;
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	struct vanishing v = { zone, class_of(zone, 64), caches };
	pid_t child = start_child(waits_to_be_emptied, &v);
	__u64 offset;

	while (!waitpid(child, &status, WNOHANG)) {
		offset = cache_alloc(zone, caches, 0, v.class, &error);
		ASSERT_NE(0, offset);
		ASSERT_EQ(0, cache_free(zone, caches, 0, v.class, offset));
	}
	ASSERT_EQ(0, status);
}

TEST(idle_stock)
{
	int zone = create(control_fd(), MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 2);

	cache_fill(zone, caches, 0, class_of(zone, 64), 50);
	ASSERT_TRUE(comes_to_nothing(zone));
	ASSERT_EQ(1, stat_of(zone).out_revocations);
}

TEST(sealed)
{
	int zone = create(control_fd(), MIB);
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	__u32 class = class_of(zone, 64);
	__u64 offset = alloc(zone, 64);

	cache_fill(zone, caches, 0, class, 50);
	ASSERT_EQ(0, _try_add_seals(zone, SHMZONE_SEAL_ALLOC));
	ASSERT_EQ(0, stat_of(zone).out_cached_objects);
	fail_refill(EPERM, zone, 0, class, 0, NULL);
	fail_drain(ENOSPC, zone, 0, class, 0, NULL);
	ASSERT_EQ(0, cache_free(zone, caches, 0, class, offset));
	ASSERT_EQ(0, stat_of(zone).out_live_objects);
}

/* Whoever waits gets what is in caches, and what is freed after that. */
TEST(waiters)
{
	int zone = create_limited(control_fd(), 16 * MIB, 64 * page_bytes());
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	__u32 class = class_of(zone, 1024);
	struct waiter_thread waiter = { zone, 8 * page_bytes() };
	__u64 slots[400];
	unsigned int n = 0, i;
	int error;

	while (n < 400 && (slots[n] = cache_alloc(zone, caches, 0, class, &error)))
		n++;
	ASSERT_LT(100, n);
	ASSERT_TRUE(start_waiter_thread(&waiter));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, cache_free(zone, caches, 0, class, slots[i]));
	ASSERT_EQ(0, pthread_join(waiter.id, NULL));
	ASSERT_EQ(1, waiter.ret);
	ASSERT_TRUE(zone_consistent(zone));
}

TEST(pollers)
{
	int zone = create_limited(control_fd(), 16 * MIB, 64 * page_bytes());
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	struct pollfd poller = { .fd = zone, .events = POLLOUT };
	__u32 class = class_of(zone, 1024);
	__u64 slots[400];
	unsigned int n = 0;
	int error;

	ASSERT_EQ(1, poll(&poller, 1, 0));
	while (n < 400 && (slots[n] = cache_alloc(zone, caches, 0, class, &error)))
		n++;
	ASSERT_EQ(0, poll(&poller, 1, 0));
	ASSERT_EQ(0, cache_free(zone, caches, 0, class, slots[0]));
	ASSERT_EQ(1, poll(&poller, 1, 0));
}

TEST_HARNESS_MAIN
