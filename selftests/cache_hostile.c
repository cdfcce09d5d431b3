// SPDX-License-Identifier: GPL-2.0
/*
 * Caches in the hands of those who do not keep to the protocol: words that are
 * wrong, threads that share a cache, mappings that go while it is in use. The
 * allocator stays consistent, nothing is lost, and others are not harmed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

#define WORKERS		3
#define ZONE_BYTES	(4 * MIB)

/* Of a cache, those that may be a bin's. */
#define WORDS	((SHMZONE_CACHE_BYTES - offsetof(struct shmzone_cache, head)) / 8 - \
		 SHMZONE_CACHE_FIRST_WORD)

/* A cache that is scribbled on. */

struct scribble {
	struct shmzone_cache *caches;
	unsigned int seed;
	bool stop;
	pthread_t thread;
};

static void *scribbles(void *arg)
{
	struct scribble *s = arg;
	volatile __u32 *words = (volatile __u32 *)s->caches;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		unsigned int at = rand_r(&s->seed) % (sizeof(*s->caches) / 4);

		/* Mostly what could be right. */
		words[at] = rand_r(&s->seed) % 3 ? rand_r(&s->seed) % 4096 :
						   (unsigned int)rand_r(&s->seed);
		cache_be_idle(s->caches);
		cache_words(s->caches)[SHMZONE_CACHE_FIRST_WORD + rand_r(&s->seed) % WORDS] =
			(__u64)rand_r(&s->seed) % (2 * ZONE_BYTES);
	}
	return NULL;
}

/*
 * Another process, which keeps to the rules. What it has may be freed for it, as the
 * scribbler's words may say so; all else works as if it were alone.
 */
static int goes_on(void *arg)
{
	int zone = *(int *)arg;
	__u64 held[32] = {};
	unsigned int i, n, seed = 7;

	for (n = 0; n < 3000; n++) {
		i = rand_r(&seed) % 32;
		if (held[i]) {
			int ret = _try_free_at(zone, held[i]);

			if (ret != 1 && ret != -EINVAL)
				return 1;
			held[i] = 0;
		} else {
			int ret = _try_alloc(zone, 1 + rand_r(&seed) % 40000, 1, &held[i]);

			/* The scribbler loses some. */
			if (ret != 1 && ret != -ENOMEM)
				return 2;
			if (ret == 1 && (!held[i] || held[i] >= ZONE_BYTES))
				return 3;
		}
	}
	for (i = 0; i < 32; i++)
		if (held[i])
			_try_free_at(zone, held[i]);
	return 0;
}

/* No refill gives out what is live, or one slot twice, whatever others do. */
TEST(scribbling)
{
	int zone = create(control_fd(), ZONE_BYTES);
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	struct scribble s = { .caches = caches, .seed = 3 };
	pid_t peer = start_child(goes_on, &zone);
	__u64 random = 1;
	int i;

	ASSERT_EQ(0, pthread_create(&s.thread, NULL, scribbles, &s));
	for (i = 0; i < 4000; i++)
		_try_anything(zone, 0, &random);
	ASSERT_EQ(0, end_child(peer));
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(s.thread, NULL);
	printf("# %llu bad bins, %llu bad frees\n", stat_of(zone).out_bad_bins,
	       stat_of(zone).out_bad_not_live + stat_of(zone).out_bad_outside);
	ASSERT_LT(0, stat_of(zone).out_bad_bins);
	ASSERT_TRUE(zone_consistent(zone));
	ASSERT_EQ(0, munmap(caches, 2 * SHMZONE_CACHE_BYTES));
	ASSERT_EQ(0, stat_of(zone).out_cached_objects);
	ASSERT_TRUE(zone_consistent(zone));
}

/* What a wrong word says is freed: nothing, or one object, and that once. */
TEST(wrong_words)
{
	int zone = create(control_fd(), ZONE_BYTES);
	struct shmzone_cache *caches = map_caches_ok(zone, 1);
	__u32 class = class_of(zone, 64), at;
	__u64 object = alloc(zone, 4096), mine;

	ASSERT_EQ(8, cache_fill(zone, caches, 0, class, 8));
	at = caches->head.bin[class].cur - 7;
	mine = cache_words(caches)[at];
	cache_words(caches)[at] = ~0ULL;
	cache_words(caches)[at + 1] = mine;
	cache_words(caches)[at + 2] = mine;
	cache_words(caches)[at + 3] = mine + 8;
	ASSERT_EQ(5, drain_all(zone, 0));
	query(zone, object, &(struct shmzone_query){});
	/* Those that were written over are live still. */
	ASSERT_EQ(4, stat_of(zone).out_live_objects);
	ASSERT_TRUE(zone_consistent(zone));
}

/* Two threads in REFILL and DRAIN of one cache. */
struct sharing {
	int zone;
	__u32 class;
	bool stop;
	unsigned long done;
	pthread_t thread;
};

static void *refills(void *arg)
{
	struct sharing *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		s->done += !_try_refill(s->zone, 0, s->class, 0, NULL);
		_try_drain(s->zone, 0, s->class, 0, NULL);
	}
	return NULL;
}

static bool all_have_refilled(struct sharing *s)
{
	int i;

	for (i = 0; i < WORKERS; i++) {
		if (!__atomic_load_n(&s[i].done, __ATOMIC_RELAXED))
			return false;
	}
	return true;
}

TEST(one_cache_of_several_threads)
{
	int zone = create(control_fd(), ZONE_BYTES), i;
	struct shmzone_cache *caches = map_caches_ok(zone, 1);
	struct sharing s[WORKERS];

	for (i = 0; i < WORKERS; i++) {
		s[i] = (struct sharing) { zone, class_of(zone, 64) };
		ASSERT_EQ(0, pthread_create(&s[i].thread, NULL, refills, &s[i]));
	}
	for (i = 0; i < 50 || !all_have_refilled(s); i++) {
		_try_drain_all(zone, 0);
		usleep(10000);
	}
	for (i = 0; i < WORKERS; i++)
		__atomic_store_n(&s[i].stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < WORKERS; i++)
		pthread_join(s[i].thread, NULL);
	ASSERT_EQ(stat_of(zone).out_cached_objects, stat_of(zone).out_live_objects);
	ASSERT_EQ(0, munmap(caches, SHMZONE_CACHE_BYTES));
	ASSERT_EQ(0, stat_of(zone).out_live_objects);
	ASSERT_TRUE(zone_consistent(zone));
}

/* The mapping goes while others refill: all that they put or hold comes back. */
TEST(unmapped_under_way)
{
	int zone = create(control_fd(), ZONE_BYTES), i, round;
	struct sharing s[WORKERS];

	for (i = 0; i < WORKERS; i++) {
		s[i] = (struct sharing) { zone, class_of(zone, 64) };
		ASSERT_EQ(0, pthread_create(&s[i].thread, NULL, refills, &s[i]));
	}
	for (round = 0; round < 60; round++) {
		struct shmzone_cache *caches = map_caches_ok(zone, 1);

		usleep(5000);
		ASSERT_EQ(0, munmap(caches, SHMZONE_CACHE_BYTES));
	}
	for (i = 0; i < WORKERS; i++)
		__atomic_store_n(&s[i].stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < WORKERS; i++)
		pthread_join(s[i].thread, NULL);
	ASSERT_EQ(0, stat_of(zone).out_live_objects);
	ASSERT_EQ(0, stat_of(zone).out_caches);
	ASSERT_TRUE(zone_consistent(zone));
}

TEST_HARNESS_MAIN
