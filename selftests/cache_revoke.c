// SPDX-License-Identifier: GPL-2.0
/*
 * Taking back the stock of caches while their threads go on: that no slot is
 * handed out twice or lost by it, and that it happens when it has to.
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
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

#define WORKERS		3
#define HELD		40
#define SLOT		64
#define ZONE_BYTES	(4 * MIB)

/* Seconds that a stress lasts. */
static int stress_seconds(void)
{
	const char *text = getenv("SHMZONE_STRESS_SECONDS");

	return text ? atoi(text) : 5;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
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
#define RECLAIM_EVERY	256

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
		/* So that the store to busy faults with stock in the cache. */
		if (s->slow && operations % 4 == 0)
			madvise(cache_at(s->caches, me->index), page_bytes(),
				MADV_DONTNEED);
		if (held[i]) {
			if (__atomic_exchange_n(&s->owner[held[i] / SLOT], 0,
						__ATOMIC_SEQ_CST) != mark)
				__atomic_add_fetch(&s->twice, 1, __ATOMIC_RELAXED);
			if (cache_free(s->zone, s->caches, me->index, s->class, held[i]))
				__atomic_add_fetch(&s->errors, 1, __ATOMIC_RELAXED);
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
		if (held[i] && cache_free(s->zone, s->caches, me->index, s->class, held[i]))
			__atomic_add_fetch(&s->errors, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&s->operations, operations, __ATOMIC_RELAXED);
	__atomic_add_fetch(&s->revoked, revoked, __ATOMIC_RELAXED);
	return NULL;
}

FIXTURE(threads) {
	int none;
};

FIXTURE_VARIANT(threads) {
	bool slow;
};

FIXTURE_VARIANT_ADD(threads, running) {
	.slow = false,
};

FIXTURE_VARIANT_ADD(threads, slow) {
	.slow = true,
};

FIXTURE_SETUP(threads)
{
}

FIXTURE_TEARDOWN(threads)
{
}

TEST_F(threads, keep_their_slots)
{
	struct stress *s = calloc(1, sizeof(*s));
	struct worker workers[WORKERS];
	unsigned long rounds = 0, revoked = 0, busy = 0;
	struct shmzone_cache_reclaim answer;
	struct shmzone_stat stat;
	double end;
	int i;

	s->zone = create(control_fd(), ZONE_BYTES);
	s->class = class_of(s->zone, SLOT);
	s->caches = map_caches_ok(s->zone, WORKERS);
	s->slow = variant->slow;
	cache_dawdle = s->slow ? dawdle : NULL;
	for (i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker) { s, i };
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	}
	for (end = now() + stress_seconds(); now() < end; rounds++) {
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

/* Fills many caches in a zone that has a limit. Gives what they hold. */
static __u64 fill_caches(int zone, struct shmzone_cache *caches, unsigned int count)
{
	struct shmzone_stat stat = {};
	unsigned int i;

	for (i = 0; i < count; i++) {
		cache_fill(zone, caches, i, class_of(zone, 64), 126);
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
	caches->busy = 1;
	ASSERT_EQ(9, reclaim(zone, &answer));
	ASSERT_EQ(1, answer.out_caches);
	ASSERT_EQ(1, answer.out_busy);
	ASSERT_EQ(9, cache_used(caches, class));
	ASSERT_EQ(0, cache_used(cache_at(caches, 1), class));
	caches->busy = 0;
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
	volatile __u32 *busy = &caches->busy;
	struct shmzone_cache_reclaim answer;
	long before;

	ASSERT_EQ(9, cache_fill(zone, caches, 0, class_of(zone, 64), 9));
	*busy = 1;
	before = faults();
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(0, reclaim(zone, &answer));
		*busy = answer.out_busy;
	}
	ASSERT_EQ(1, *busy);
	/* Others than those of this page may come at any time, but not so many. */
	ASSERT_GT(500, faults() - before);
	*busy = 0;
	ASSERT_EQ(9, reclaim(zone, &answer));
	before = faults();
	*busy = 0;
	ASSERT_LT(before, faults());
}

/* A thread that ends at work. */
struct vanishing {
	int zone;
	__u32 class;
	struct shmzone_cache *caches;
	pthread_t thread;
	pid_t id;
};

static void *vanishes(void *arg)
{
	struct vanishing *v = arg;

	v->id = syscall(SYS_gettid);
	if (cache_fill(v->zone, v->caches, 1, v->class, 9) == 9)
		cache_at(v->caches, 1)->busy = 1;
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
		ASSERT_EQ(0, cache->busy);
		ASSERT_EQ(0, stat_of(zone).out_live_objects);
	}
	/* Now it is this thread's, which lives. */
	ASSERT_EQ(9, cache_fill(zone, caches, 1, v.class, 9));
	cache->busy = 1;
	ASSERT_EQ(0, reclaim(zone, &answer));
	ASSERT_EQ(1, answer.out_busy);
	ASSERT_EQ(1, cache->busy);
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

static bool comes_to_nothing(int zone)
{
	struct shmzone_stat stat;
	int tenths;

	for (tenths = 0; tenths < 300; tenths++) {
		if (!_try_stat(zone, &stat) && !stat.out_cached_objects)
			return true;
		usleep(100000);
	}
	return false;
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

struct waiting {
	int zone;
	__u64 bytes;
	int result;
	pthread_t thread;
};

static void *waits(void *arg)
{
	struct waiting *w = arg;
	__u64 offset;

	w->result = _try_alloc_wait(w->zone, w->bytes, 1, 0, &offset);
	return NULL;
}

/* Whoever waits gets what is in caches, and what is freed after that. */
TEST(waiters)
{
	int zone = create_limited(control_fd(), 16 * MIB, 64 * page_bytes());
	struct shmzone_cache *caches = map_caches_ok(zone, 2);
	__u32 class = class_of(zone, 1024);
	struct waiting w = { zone, 8 * page_bytes() };
	__u64 slots[400];
	unsigned int n = 0, i;
	int error;

	while (n < 400 && (slots[n] = cache_alloc(zone, caches, 0, class, &error)))
		n++;
	ASSERT_LT(100, n);
	ASSERT_EQ(0, pthread_create(&w.thread, NULL, waits, &w));
	usleep(300000);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, cache_free(zone, caches, 0, class, slots[i]));
	pthread_join(w.thread, NULL);
	ASSERT_EQ(1, w.result);
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
