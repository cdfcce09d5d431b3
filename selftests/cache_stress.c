// SPDX-License-Identifier: GPL-2.0
/*
 * Taking back the stock of caches from threads at work: no slot is handed out
 * twice or lost by it.
 */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "caches.h"
#include "crowd.h"

#define WORKERS		3
#define HELD		40
#define SLOT		64
#define ZONE_BYTES	(4 * MIB)

/* Seconds that a stress lasts. */
static double stress_seconds(void)
{
	return seconds_of("SHMZONE_STRESS_SECONDS", 5);
}

/* Or until stock was taken back as often as that. */
static unsigned long revocations_wanted(void)
{
	return number_of("SHMZONE_REVOCATIONS", ULONG_MAX);
}

/**
 * struct stress - threads at work on caches, each on its own
 * @owner: who has each slot, by offset: 0 nobody, else worker + 1
 * @twice: slots that were given to one who found them to have an owner
 * @slow: workers dawdle, and fault with stock in their caches
 * @stop: the workers are to end
 * @operations: by all of them
 * @revoked: caches whose stock was taken back by workers
 */
struct stress {
	int zone;
	__u32 class;
	struct shmzone_cache *caches;
	unsigned char owner[ZONE_BYTES / SLOT];
	unsigned long twice;
	unsigned long errors;
	bool slow;
	bool stop;
	unsigned long operations;
	unsigned long revoked;
};

/* A worker takes back all stock as often as that. */
#define RECLAIM_EVERY	16

struct worker {
	struct stress *stress;
	unsigned int index;
	pthread_t thread;
};

static void dawdle(void)
{
	static __thread unsigned int seed;

	if (rand_r(&seed) % 8 == 0)
		usleep(rand_r(&seed) % 500);
}

/* Others may have it before that is done. */
static void let_go(struct worker *me, __u64 offset)
{
	struct stress *s = me->stress;

	if (__atomic_exchange_n(&s->owner[offset / SLOT], 0, __ATOMIC_SEQ_CST) !=
	    me->index + 1)
		__atomic_add_fetch(&s->twice, 1, __ATOMIC_RELAXED);
	if (cache_free(s->zone, s->caches, me->index, s->class, offset))
		__atomic_add_fetch(&s->errors, 1, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
	struct worker *me = arg;
	struct stress *s = me->stress;
	__u64 held[HELD] = {};
	unsigned int seed = me->index + 1, i;
	struct shmzone_cache_reclaim answer = { SIZED(shmzone_cache_reclaim) };
	unsigned long operations = 0, revoked = 0;
	unsigned char mark = me->index + 1;
	int error = 0;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		i = rand_r(&seed) % HELD;
		/* So that the store to the key faults with stock in the cache. */
		if (s->slow && operations % 4 == 0)
			madvise(cache_at(s->caches, me->index), page_bytes(),
				MADV_DONTNEED);
		if (held[i]) {
			let_go(me, held[i]);
			held[i] = 0;
		} else {
			held[i] = cache_alloc(s->zone, s->caches, me->index, s->class,
					      &error);
			if (!held[i])
				__atomic_add_fetch(&s->errors, 1, __ATOMIC_RELAXED);
			else if (__atomic_exchange_n(&s->owner[held[i] / SLOT], mark,
						     __ATOMIC_SEQ_CST))
				__atomic_add_fetch(&s->twice, 1, __ATOMIC_RELAXED);
		}
		/* On few processors all others are stopped somewhere meanwhile. */
		if (++operations % RECLAIM_EVERY)
			continue;
		if (!_try_call(s->zone, SHMZONE_CACHE_RECLAIM, &answer))
			revoked += answer.out_caches;
	}
	for (i = 0; i < HELD; i++)
		if (held[i])
			let_go(me, held[i]);
	__atomic_add_fetch(&s->operations, operations, __ATOMIC_RELAXED);
	__atomic_add_fetch(&s->revoked, revoked, __ATOMIC_RELAXED);
	return NULL;
}

FIXTURE(threads) {
	int none;
};

FIXTURE_VARIANT(threads) {
	bool slow;
	__u32 kind;
};

FIXTURE_VARIANT_ADD(threads, running) {
	.slow = false,
};

FIXTURE_VARIANT_ADD(threads, slow) {
	.slow = true,
};

FIXTURE_VARIANT_ADD(threads, owned) {
	.slow = true,
	.kind = SHMZONE_CREATE_OWNED,
};

/* What they have freed is taken back too, and looked at. */
FIXTURE_VARIANT_ADD(threads, checked) {
	.slow = true,
	.kind = SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED,
};

FIXTURE_SETUP(threads)
{
}

FIXTURE_TEARDOWN(threads)
{
}

TEST_F_TIMEOUT(threads, keep_their_slots, 100000)
{
	struct stress *s = calloc(1, sizeof(*s));
	struct worker workers[WORKERS];
	unsigned long rounds = 0, revoked = 0, busy = 0;
	struct shmzone_cache_reclaim answer;
	struct shmzone_stat stat = {};
	double end;
	int i;

	s->zone = create_kind(control_fd(), variant->kind, ZONE_BYTES, 0);
	s->class = class_of(s->zone, SLOT);
	s->caches = map_caches_ok(s->zone, WORKERS);
	s->slow = variant->slow;
	cache_dawdle = s->slow ? dawdle : NULL;
	for (i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker) { s, i };
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	}
	end = now() + stress_seconds();
	for (; now() < end && stat.out_revocations < revocations_wanted(); rounds++) {
		stat = stat_of(s->zone);
		ASSERT_LE(0, _try_reclaim(s->zone, &answer));
		revoked += answer.out_caches;
		busy += answer.out_busy;
		/* Let the workers come to something. */
		usleep(20);
	}
	s->stop = true;
	for (i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	revoked += s->revoked;
	printf("# %lu operations, %lu revocations in %lu rounds, busy %lu times, twice %lu\n",
	       s->operations, revoked, rounds, busy, s->twice);
	ASSERT_EQ(0, s->twice);
	ASSERT_EQ(0, s->errors);
	ASSERT_LT(0, revoked);
	stat = stat_of(s->zone);
	ASSERT_LE(revoked, stat.out_revocations);
	ASSERT_EQ(0, stat.out_bad_not_live);
	ASSERT_EQ(0, stat.out_bad_bins);
	/* Nothing is lost: what is live is in caches. */
	ASSERT_EQ(stat.out_cached_objects, stat.out_live_objects);
	ASSERT_EQ(0, munmap(s->caches, WORKERS * SHMZONE_CACHE_BYTES));
	ASSERT_EQ(0, stat_of(s->zone).out_live_objects);
	ASSERT_TRUE(zone_consistent(s->zone));
}

TEST_HARNESS_MAIN
