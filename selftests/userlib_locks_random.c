// SPDX-License-Identifier: GPL-2.0
/*
 * The library's locks while processes that use them are killed at random moments,
 * inside of system calls too; and the one moment that no kernel tells of.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "locks.h"
#include "step.h"

#define WORKERS		4
#define SECONDS		5
/* Until torn data was found, where kills are slow. */
#define SECONDS_MAX	60
/* Long, as it is for the unlucky one of several busy processes. */
#define LIMIT_NS	(30000 * MS)

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 * MS + time.tv_nsec;
}

static int works(void *arg)
{
	struct under_locks *shared = arg;
	unsigned int random = getpid();

	while (!shared->stop && !shared->wrong) {
		switch (rand_r(&random) % 8) {
		case 0 ... 1:
			use_mutex(shared);
			break;
		case 2:
			use_rwlock(shared, true);
			break;
		case 3 ... 4:
			use_rwlock(shared, false);
			break;
		case 5:
			use_cond(shared, SHMZ_FOREVER);
			break;
		case 6:
			check(shared, shmz_cond_signal(&shared->cond), "no signal");
			break;
		default:
			check(shared, shmz_cond_broadcast(&shared->cond), "no broadcast");
		}
		shared->beats[0]++;
	}
	return 0;
}

TEST(killed_at_random)
{
	struct under_locks *shared = make_under_locks(LIMIT_NS);
	uint64_t start = now();
	pid_t workers[WORKERS];
	int i, kills = 0;

	ASSERT_NE(NULL, shared);
	dwell_loops = 5000;
	srand(getpid());
	for (i = 0; i < WORKERS; i++)
		workers[i] = start_child(works, shared);
	while (now() - start < (shared->torn ? SECONDS : SECONDS_MAX) * 1000 * MS &&
	       !shared->wrong) {
		usleep(rand() % 3000);
		i = rand() % WORKERS;
		kill(workers[i], SIGKILL);
		ASSERT_EQ(-SIGKILL, end_child(workers[i]));
		workers[i] = start_child(works, shared);
		kills++;
	}
	shared->stop = 1;
	for (i = 0; i < WORKERS; i++)
		EXPECT_EQ(0, end_child(workers[i]));
	if (shared->wrong)
		TH_LOG("wrong after %d kills: %s", kills, shared->wrong);
	ASSERT_EQ(NULL, shared->wrong);
	TH_LOG("%d kills, locked %lu times, told %lu times, torn %lu",
	       kills, shared->beats[0], shared->told, shared->torn);
	ASSERT_LT(10, kills);
	/* So many cannot all have missed. */
	if (kills > 1000) {
		ASSERT_LT(0, shared->told);
		ASSERT_LT(0, shared->torn);
	}
}

/*
 * An unlock wakes one of two waiters, and it is killed before it gets the mutex,
 * but after another process got it, which cannot see that there is a second waiter.
 */
struct woken {
	struct under_locks *shared;
	pid_t first;
};

/* Limits of what a waiter needs to fall asleep and wake up, and of all rounds. */
#define ROUND_NS	(10000 * MS)
#define ROUNDS_NS	(20000 * MS)
#define ROUNDS		10

/* What became of the unlock, in @step. */
#define UNLOCKED	1
#define GIVEN_UP	2

static int waits_first(void *arg)
{
	step_here();
	return shmz_mutex_lock(&((struct woken *)arg)->shared->mutex);
}

static int waits_second(void *arg)
{
	struct under_locks *shared = arg;
	int ret = shmz_mutex_timedlock(&shared->mutex, LIMIT_NS);

	/* The first one was quicker, and was killed with it. */
	if (ret == -EOWNERDEAD)
		ret = shmz_mutex_consistent(&shared->mutex);
	return ret || shmz_mutex_unlock(&shared->mutex) ? 1 : 0;
}

static int unlocks_for_two(void *arg)
{
	struct woken *woken = arg;
	struct under_locks *shared = woken->shared;
	pid_t second;

	if (shmz_mutex_lock(&shared->mutex))
		return 1;
	shared->beats[0] = 1;
	while (shared->beats[1] == 0)
		usleep(100);
	/* Not, if it was killed as it came to no sleep, or takes very long. */
	if (!falls_asleep(shared->beats[1])) {
		shared->step = GIVEN_UP;
		return shmz_mutex_unlock(&shared->mutex);
	}
	second = start_child(waits_second, shared);
	if (!falls_asleep(second) || shmz_mutex_unlock(&shared->mutex))
		return 3;
	shared->step = UNLOCKED;
	return end_child(second);
}

/* True if another process got the mutex in between, and that did no harm. */
static bool kill_when_woken(struct __test_metadata *_metadata)
{
	struct under_locks *shared = make_under_locks(0);
	struct woken woken = { .shared = shared };
	uint64_t start = now();
	bool in_between;
	pid_t unlocker;

	ASSERT_NE(NULL, shared);
	unlocker = start_child(unlocks_for_two, &woken);
	while (shared->beats[0] == 0)
		usleep(100);
	woken.first = step_start(waits_first, &woken);
	ASSERT_LT(0, woken.first);
	shared->beats[1] = woken.first;
	/*
	 * From call to call, up to the end of the one that it slept in until it was
	 * unlocked. Where even that takes longer than the time after which waiters
	 * look anew, it may never sleep.
	 */
	do {
		ASSERT_TRUE(step_to_call(woken.first) || shared->step == GIVEN_UP);
		/* The other may be about to say so. */
		usleep(1000);
	} while (shared->step == 0 && now() - start < ROUND_NS);
	in_between = shared->step == UNLOCKED && !shmz_mutex_trylock(&shared->mutex);
	step_kill(woken.first);
	if (in_between) {
		usleep(1000);
		ASSERT_EQ(0, shmz_mutex_unlock(&shared->mutex));
	}
	start = now();
	ASSERT_EQ(0, end_child(unlocker));
	/* The second waiter got it because it looked, not as its limit came. */
	ASSERT_GT(LIMIT_NS - ROUND_NS, now() - start);
	return in_between;
}

TEST(killed_when_woken)
{
	int round, in_between = 0;
	uint64_t start = now();

	for (round = 0; round < ROUNDS && now() - start < ROUNDS_NS; round++)
		in_between += kill_when_woken(_metadata);
	TH_LOG("%d of %d times another process got in between", in_between, round);
}

TEST_HARNESS_MAIN
