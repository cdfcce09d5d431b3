// SPDX-License-Identifier: GPL-2.0
/*
 * The library across forks: a zone that was created before, with stock in the
 * caches of the thread that forks, used by all children, as servers do that start
 * their workers so.
 *
 * Objects are filled with what tells their owners apart, so that one that is handed
 * out twice, to two processes or to parent and child, is found by either.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "caches.h"
#include "userlib.h"

#define ZONE_BYTES	(64 * MIB)
#define WORKERS		4
#define HELD		32

struct held {
	void *object;
	size_t bytes;
	__u64 seed;
};

/* What a worker does before it ends: less on kernels that take ten times as long. */
static unsigned int rounds;

static bool let_go(struct shmz *zone, struct held *held)
{
	void *object = held->object;

	held->object = NULL;
	return has_pattern(object, held->bytes, held->seed) && !shmz_free(zone, object);
}

static bool hold(struct shmz *zone, struct held *held, __u64 seed)
{
	held->seed = seed;
	held->bytes = 1 + seed % 97 * (seed % 31);
	held->object = shmz_alloc_group(zone, held->bytes, seed % 7 ? 0 : seed % 16);
	if (held->object)
		fill_pattern(held->object, held->bytes, seed);
	return held->object;
}

/* What a worker does; 0 if all went well. */
static int work(struct shmz *zone, unsigned int n)
{
	struct held held[HELD] = {};
	__u64 seed = getpid() * 1000003ULL;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct held *one = &held[(seed >> 33) % HELD];

		if (one->object ? !let_go(zone, one) : !hold(zone, one, seed))
			return 2;
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	}
	for (i = 0; i < HELD; i++)
		if (held[i].object && !let_go(zone, &held[i]))
			return 3;
	return 0;
}

static pid_t bare_clone(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

FIXTURE(forks) {
	struct shmz *zone;
	void *objects[100];
};

FIXTURE_VARIANT(forks) {
	pid_t (*make)(void);
};

FIXTURE_VARIANT_ADD(forks, by_fork) {
	.make = fork,
};

/* The C library does not see this one. */
FIXTURE_VARIANT_ADD(forks, by_clone) {
	.make = bare_clone,
};

FIXTURE_SETUP(forks)
{
	int i;

	rounds = kernel_debugs() ? 200 : 2000;
	self->zone = not_null(shmz_create(NULL, ZONE_BYTES, NULL));
	for (i = 0; i < 100; i++)
		self->objects[i] = not_null(shmz_alloc(self->zone, 64));
	/* Half of them lie in the cache when the children are made. */
	for (i = 50; i < 100; i++)
		ASSERT_EQ(0, shmz_free(self->zone, self->objects[i]));
}

/* Nothing but the parent's own is left. */
FIXTURE_TEARDOWN(forks)
{
	int i;

	for (i = 0; i < 50; i++)
		ASSERT_EQ(0, shmz_free(self->zone, self->objects[i]));
	ASSERT_TRUE(zone_consistent(shmz_fd(self->zone)));
	shmz_close(self->zone);
}

static pid_t start_worker(pid_t (*make)(void), struct shmz *zone, unsigned int n)
{
	pid_t pid = make();

	if (!pid)
		_exit(work(zone, n));
	return pid;
}

TEST_F(forks, workers)
{
	pid_t pid[WORKERS];
	int i;

	for (i = 0; i < WORKERS; i++)
		pid[i] = start_worker(variant->make, self->zone, rounds);
	ASSERT_EQ(0, work(self->zone, rounds));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, end_child(pid[i]));
	ASSERT_EQ(50, live_objects(self->zone));
}

/* What they had in hand stays allocated, what lay in their caches does not. */
TEST_F(forks, workers_that_are_killed)
{
	struct shmzone_stat stat = { .size = sizeof(stat) };
	int round, i;

	for (round = 0; round < 3; round++) {
		pid_t pid[WORKERS];

		for (i = 0; i < WORKERS; i++)
			pid[i] = start_worker(variant->make, self->zone, UINT_MAX);
		ASSERT_EQ(0, work(self->zone, rounds));
		for (i = 0; i < WORKERS; i++) {
			ASSERT_EQ(0, kill(pid[i], SIGKILL));
			ASSERT_EQ(-SIGKILL, end_child(pid[i]));
		}
	}
	ASSERT_LE(0, shmz_reclaim_caches(self->zone));
	ASSERT_EQ(0, shmz_stat(self->zone, &stat));
	ASSERT_EQ(0, stat.out_cached_objects);
	/* With one in hand for each call. */
	ASSERT_GE(50 + 3 * WORKERS * (HELD + 1), stat.out_live_objects);
}

TEST_F(forks, grandchildren)
{
	pid_t child = variant->make();

	if (!child) {
		pid_t grandchild;
		int ret = work(self->zone, rounds);

		grandchild = start_worker(variant->make, self->zone, rounds);
		_exit(ret | work(self->zone, rounds) | end_child(grandchild));
	}
	ASSERT_EQ(0, work(self->zone, rounds));
	ASSERT_EQ(0, end_child(child));
	ASSERT_EQ(50, live_objects(self->zone));
}

/* Gives 0 if all went well, with caches of the child's own. */
static int works_cached(struct shmz *zone)
{
	return work(zone, 200) || _try_client(shmz_fd(zone)) < 0;
}

/* The thread that forks has never used the zone. */
TEST_F(forks, zone_not_used_before)
{
	struct shmz *zone = not_null(shmz_create(NULL, ZONE_BYTES, NULL));
	pid_t child = variant->make();

	if (!child)
		_exit(works_cached(zone));
	ASSERT_EQ(0, end_child(child));
	shmz_close(zone);
}

/* A child's first call is each of those there are. */
static int first_call(struct shmz *zone, int which, void **object)
{
	size_t usable;

	switch (which) {
	case 0:
		return shmz_cache_flush(zone);
	case 1:
		return shmz_free(zone, object[0]);
	case 2:
		return shmz_free_sized(zone, object[0], 64);
	case 3:
		return shmz_free_batch(zone, object, 10) != 10;
	case 4:
		return shmz_alloc_batch(zone, 64, object, 10) != 10 ||
		       shmz_free_batch(zone, object, 10) != 10;
	case 5:
		object[0] = shmz_realloc(zone, object[0], 500);
		return !object[0] || shmz_free(zone, object[0]);
	case 6:
		return shmz_free(zone, shmz_alloc_at_least(zone, 64, &usable));
	case 7:
		return shmz_reclaim_caches(zone) < 0;
	default:
		return -1;
	}
}

TEST_F(forks, first_calls)
{
	int which, i;

	for (which = 0; which < 8; which++) {
		void *object[10];
		pid_t child;

		for (i = 0; i < 10; i++)
			object[i] = not_null(shmz_alloc(self->zone, 64));
		child = variant->make();
		if (!child)
			_exit(first_call(self->zone, which, object) ||
			      works_cached(self->zone));
		ASSERT_EQ(0, end_child(child));
		ASSERT_LE(0, shmz_reclaim_caches(self->zone));
	}
}

static void *work_in_thread(void *arg)
{
	return work(arg, rounds) ? "wrong" : NULL;
}

/* Threads are those of the C library: for fork() alone. */
static int with_threads(struct shmz *zone)
{
	pthread_t thread[2];
	void *wrong;
	int i, ret = 0;

	for (i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, work_in_thread, zone);
	ret = work(zone, rounds);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], &wrong);
		ret |= !!wrong;
	}
	return ret;
}

static int as_stranger(struct shmz *zone, bool threads)
{
	if (!become(STRANGER, GROUP))
		return 4;
	if (work(zone, rounds) || (threads && with_threads(zone)))
		return 5;
	/* All of it by system calls: there is nothing to flush. */
	return shmz_cache_flush(zone) || _try_client(shmz_fd(zone)) != -ENXIO;
}

/* Children that may not have caches do without: no signal, no error. */
TEST_F(forks, children_that_may_not_be_clients)
{
	unsigned long long before = get_parameter("user_clients_max");
	pid_t child;
	int ret;

	if (!set_parameter("user_clients_max", 0))
		SKIP(return, "parameters cannot be set");
	child = variant->make();
	if (!child)
		_exit(as_stranger(self->zone, variant->make == fork));
	ret = end_child(child);
	set_parameter("user_clients_max", before);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(50, live_objects(self->zone));
}

TEST_F(forks, threads_of_a_child)
{
	pid_t child;

	if (variant->make != fork)
		SKIP(return, "threads need the C library's fork");
	child = fork();
	if (!child)
		_exit(with_threads(self->zone));
	ASSERT_EQ(0, with_threads(self->zone));
	ASSERT_EQ(0, end_child(child));
	ASSERT_EQ(50, live_objects(self->zone));
}

/* A child that shares its parent's memory shares its caches. */
TEST(vfork_and_work)
{
	struct shmz *zone = not_null(shmz_create(NULL, ZONE_BYTES, NULL));
	void *volatile object = NULL;
	int i;

	for (i = 0; i < 20; i++) {
		pid_t child = vfork();

		if (!child) {
			object = shmz_alloc(zone, 64);
			_exit(!object || work(zone, 100));
		}
		ASSERT_EQ(0, end_child(child));
		ASSERT_EQ(0, work(zone, 100));
		ASSERT_EQ(0, shmz_free(zone, object));
	}
	ASSERT_EQ(0, live_objects(zone));
	ASSERT_TRUE(zone_consistent(shmz_fd(zone)));
	shmz_close(zone);
}

TEST_HARNESS_MAIN
