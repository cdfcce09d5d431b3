// SPDX-License-Identifier: GPL-2.0
/*
 * The library's locks under kills: at each instruction of each of them, alone and
 * beside others, or at some of them if that would take too long. After each kill
 * all locks can be had, by one at a time, and torn data is told of.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "locks.h"
#include "step.h"

/* For each sweep, unless SHMZONE_SWEEP_SECONDS says otherwise. */
#define SECONDS		2

/*
 * After a kill any lock is had within the first, times what a slow kernel and other
 * users add; within the second beside one that is stepped while it has the lock.
 */
#define DEAD_NS		(1000 * MS)
#define LIVING_NS	(100000 * MS)

static double sweep_seconds(void)
{
	const char *seconds = getenv("SHMZONE_SWEEP_SECONDS");

	return seconds ? atof(seconds) : SECONDS;
}

FIXTURE(kill) {
	struct under_locks *shared;
	pid_t peers[PEERS];
};

FIXTURE_SETUP(kill)
{
	self->shared = make_under_locks(LIVING_NS);
	ASSERT_NE(NULL, self->shared);
	dwell_loops = 4;
}

FIXTURE_TEARDOWN(kill)
{
	int i;

	self->shared->stop = 1;
	for (i = 0; i < PEERS; i++)
		if (self->peers[i] > 0)
			end_child(self->peers[i]);
}

/*
 * Those who are killed. What is bound at the first call is bound before.
 */

static void warm_up(struct under_locks *shared)
{
	use_mutex(shared);
	use_rwlock(shared, false);
	use_rwlock(shared, true);
	use_cond(shared, 0);
	shmz_cond_signal(&shared->cond);
	step_here();
}

static int killed_with_mutex(void *arg)
{
	warm_up(arg);
	use_mutex(arg);
	return 0;
}

static int killed_reading(void *arg)
{
	warm_up(arg);
	use_rwlock(arg, false);
	return 0;
}

static int killed_writing(void *arg)
{
	warm_up(arg);
	use_rwlock(arg, true);
	return 0;
}

static int killed_waiting(void *arg)
{
	warm_up(arg);
	use_cond(arg, MS / 10);
	return 0;
}

static int killed_signalling(void *arg)
{
	struct under_locks *shared = arg;

	warm_up(shared);
	if (!shmz_mutex_lock(&shared->mutex)) {
		write_pair(&shared->under_mutex);
		shmz_cond_signal(&shared->cond);
		shmz_mutex_unlock(&shared->mutex);
	}
	shmz_cond_broadcast(&shared->cond);
	return 0;
}

static int dies_with_all(void *arg)
{
	struct under_locks *shared = arg;

	if (shmz_mutex_lock(&shared->mutex) || shmz_rwlock_wrlock(&shared->rwlock))
		return 1;
	shared->under_mutex.a++;
	shared->under_rwlock.a++;
	kill(getpid(), SIGKILL);
	return 2;
}

/* There was one who died with all locks before it. */
static int killed_repairing(void *arg)
{
	warm_up(arg);
	use_mutex(arg);
	use_rwlock(arg, true);
	return 0;
}

/* The same, where it is a reader that is told. */
static int killed_told_reading(void *arg)
{
	warm_up(arg);
	use_rwlock(arg, false);
	use_mutex(arg);
	return 0;
}

/* The tracer has both locks. */
static int killed_timing_out(void *arg)
{
	struct under_locks *shared = arg;
	int i, ret = 0;

	for (i = 0; i < 2; i++) {
		if (i)
			step_here();
		ret |= shmz_mutex_timedlock(&shared->mutex, 1000) != -ETIMEDOUT;
		ret |= shmz_rwlock_timedwrlock(&shared->rwlock, 1000) != -ETIMEDOUT;
		ret |= shmz_rwlock_tryrdlock(&shared->rwlock);
		ret |= shmz_rwlock_unlock(&shared->rwlock);
	}
	return ret;
}

/* Others, all the while. */
static int peer_number;

static int peer(void *arg)
{
	struct under_locks *shared = arg;
	int i = peer_number;

	/* Who is stepped is slow: let writers be there when it comes. */
	dwell_loops = 100000;

	while (!shared->stop && !shared->wrong) {
		use_mutex(shared);
		use_rwlock(shared, shared->beats[i] % 3 == 0);
		if (shared->beats[i] % 8 == 0)
			use_cond(shared, MS / 10);
		shared->beats[i]++;
		usleep(20);
	}
	return 0;
}

static bool peers_go_on(struct under_locks *shared)
{
	struct timespec pause = { 0, 50000 };
	uint64_t i, waited, was[PEERS];

	for (i = 0; i < PEERS; i++)
		was[i] = shared->beats[i];
	for (i = 0; i < PEERS; i++) {
		for (waited = 0; shared->beats[i] == was[i]; waited += 50000) {
			if (shared->wrong || waited > LIVING_NS)
				return false;
			nanosleep(&pause, NULL);
		}
	}
	return true;
}

static int excluded_by_writer(void *arg)
{
	struct under_locks *shared = arg;

	return shmz_rwlock_tryrdlock(&shared->rwlock) == -EBUSY &&
	       shmz_rwlock_trywrlock(&shared->rwlock) == -EBUSY ? 0 : 1;
}

/* Each lock can be had, by one at a time. */
static bool locks_are_well(void *arg, unsigned long at)
{
	struct under_locks *shared = arg;
	int ret;

	ret = shmz_mutex_timedlock(&shared->mutex, shared->dead_ns);
	shared->untold += !ret;
	if (look_after(shared, &shared->under_mutex, ret)) {
		if (ret)
			check(shared, shmz_mutex_consistent(&shared->mutex), "not consistent");
		check(shared, shmz_mutex_unlock(&shared->mutex), "not unlocked");
	}
	ret = shmz_rwlock_timedwrlock(&shared->rwlock, shared->dead_ns);
	shared->untold += !ret;
	if (look_after(shared, &shared->under_rwlock, ret)) {
		if (at % 8 == 0)
			check(shared, in_child(excluded_by_writer, shared), "not excluded");
		if (ret)
			check(shared, shmz_rwlock_consistent(&shared->rwlock), "not consistent");
		check(shared, shmz_rwlock_unlock(&shared->rwlock), "not unlocked");
	}
	ret = shmz_rwlock_tryrdlock(&shared->rwlock);
	if (!ret)
		check(shared, shmz_rwlock_unlock(&shared->rwlock), "not unlocked");
	return !shared->wrong;
}

static bool locks_and_peers_are_well(void *arg, unsigned long at)
{
	struct under_locks *shared = arg;

	return locks_are_well(shared, at) && (at % 4 || peers_go_on(shared));
}

static bool one_has_died(void *arg)
{
	return in_child(dies_with_all, arg) == -SIGKILL;
}

static bool tracer_locks(void *arg)
{
	struct under_locks *shared = arg;
	int mutex = shmz_mutex_trylock(&shared->mutex);
	int rwlock = shmz_rwlock_tryrdlock(&shared->rwlock);

	/* The child before may have got to its end, and left it at that. */
	return (!mutex || mutex == -EDEADLK) && (!rwlock || rwlock == -EDEADLK);
}

/* No reader can have died with the lock for writing. */
static bool tracer_unlocks(void *arg, unsigned long at)
{
	struct under_locks *shared = arg;

	return !shmz_mutex_unlock(&shared->mutex) && !shmz_rwlock_unlock(&shared->rwlock) &&
	       locks_are_well(shared, at);
}

FIXTURE_VARIANT(kill) {
	int (*function)(void *arg);
	bool (*before)(void *arg);
	/* Instead of only looking whether the locks are well. */
	bool (*after)(void *arg, unsigned long at);
	/* Others use all locks meanwhile. */
	bool beside_others;
	/* Whether kills leave torn data, and whether the next one can be told. */
	bool tears;
	bool tells;
};

#define SWEEP(name, ...)						\
FIXTURE_VARIANT_ADD(kill, name) {					\
	.function = killed_##name, __VA_ARGS__				\
}

#define SWEEP_BESIDE_OTHERS(name, ...)					\
FIXTURE_VARIANT_ADD(kill, name##_beside_others) {			\
	.function = killed_##name, .after = locks_and_peers_are_well,	\
	.beside_others = true, __VA_ARGS__				\
}

SWEEP(with_mutex, .tears = true, .tells = true);
SWEEP(reading);
SWEEP(writing, .tears = true, .tells = true);
SWEEP(waiting, .tells = true);
SWEEP(signalling, .tears = true, .tells = true);
SWEEP(repairing, .before = one_has_died, .tears = true, .tells = true);
SWEEP(told_reading, .before = one_has_died, .tears = true, .tells = true);
SWEEP(timing_out, .before = tracer_locks, .after = tracer_unlocks, .tells = true);
SWEEP_BESIDE_OTHERS(with_mutex, .tells = true);
SWEEP_BESIDE_OTHERS(reading);
SWEEP_BESIDE_OTHERS(writing, .tells = true);
SWEEP_BESIDE_OTHERS(waiting, .tells = true);
SWEEP_BESIDE_OTHERS(signalling, .tells = true);

TEST_F(kill, at_each_instruction)
{
	struct under_locks *shared = self->shared;
	struct step_sweep sweep = {
		.function = variant->function,
		.arg = shared,
		.before = variant->before,
		.after = variant->after ?: locks_are_well,
		.seconds = sweep_seconds(),
	};
	bool ended;

	if (kernel_debugs() && (variant->beside_others || variant->before))
		SKIP(return, "stepping is too slow on a debug kernel");
	shared->dead_ns = DEAD_NS * (kernel_debugs() ? 20 : 1) * (variant->beside_others ? 5 : 1);
	for (peer_number = 0; variant->beside_others && peer_number < PEERS; peer_number++)
		self->peers[peer_number] = start_child(peer, shared);
	ended = step_sweep(&sweep);
	TH_LOG("killed %lu times, at every %lu of %lu instructions: "
	       "told %lu times, not told %lu, torn %lu", sweep.kills,
	       sweep.stride, sweep.instructions, shared->told, shared->untold, shared->torn);
	if (shared->wrong)
		TH_LOG("wrong: %s", shared->wrong);
	ASSERT_EQ(NULL, shared->wrong);
	ASSERT_TRUE(ended);
	if (!variant->tells)
		ASSERT_EQ(0, shared->told);
	/* How many they are beside others is a matter of chance. */
	if (sweep.stride > 1 || variant->beside_others)
		return;
	ASSERT_LE(sweep.instructions / 2, sweep.kills);
	ASSERT_LT(0, shared->untold);
	ASSERT_EQ(variant->tells, shared->told > 0);
	ASSERT_EQ(variant->tears, shared->torn > 0);
}

/*
 * Two at one lock, one of them stopped anywhere on its way in and out: it is not to
 * get in while the other one is. Neither waits, so that both go on.
 */
struct meeting {
	struct under_locks *shared;
	int (*lock)(struct shmz_rwlock *rw);
	int (*other)(struct shmz_rwlock *rw);
	/* The first is in now, and how often it was. */
	volatile int in;
	volatile int times;
	int together;
};

static int goes_in_and_out(void *arg)
{
	struct meeting *meeting = arg;
	int i;

	for (i = 0; i < 2; i++) {
		if (i)
			step_here();
		if (meeting->lock(&meeting->shared->rwlock))
			continue;
		meeting->times++;
		meeting->in = 1;
		meeting->in = 0;
		shmz_rwlock_unlock(&meeting->shared->rwlock);
	}
	return 0;
}

static int reads_beside(void *arg)
{
	return -shmz_rwlock_tryrdlock(arg);
}

static bool meets_other(void *arg, pid_t child, unsigned long instructions, bool *ended)
{
	struct meeting *meeting = arg;
	struct shmz_rwlock *rw = &meeting->shared->rwlock;
	int times = meeting->times, ret = meeting->other(rw);

	if (ret)
		return ret == -EBUSY;
	meeting->together += meeting->in;
	*ended = step(child, instructions) < instructions;
	meeting->together += meeting->times != times;
	/* What the first did on its way out takes nothing from the other. */
	if (meeting->other == shmz_rwlock_trywrlock)
		meeting->together += in_child(reads_beside, rw) != EBUSY;
	return !shmz_rwlock_unlock(rw);
}

static bool meets_no_more(void *arg, unsigned long at)
{
	struct meeting *meeting = arg;

	meeting->in = 0;
	return !meeting->together && locks_are_well(meeting->shared, at);
}

static bool never_meet(int (*lock)(struct shmz_rwlock *rw), int (*other)(struct shmz_rwlock *rw))
{
	struct meeting *meeting = mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct step_sweep sweep = {
		.function = goes_in_and_out,
		.arg = meeting,
		.stopped = meets_other,
		.after = meets_no_more,
		.seconds = sweep_seconds(),
	};

	meeting->shared = make_under_locks(LIVING_NS);
	meeting->shared->dead_ns = DEAD_NS;
	meeting->lock = lock;
	meeting->other = other;
	return step_sweep(&sweep) && !meeting->together && !meeting->shared->wrong;
}

TEST(reader_and_writer_never_meet)
{
	if (kernel_debugs())
		SKIP(return, "stepping is too slow on a debug kernel");
	ASSERT_TRUE(never_meet(shmz_rwlock_tryrdlock, shmz_rwlock_trywrlock));
}

TEST(writer_and_reader_never_meet)
{
	if (kernel_debugs())
		SKIP(return, "stepping is too slow on a debug kernel");
	ASSERT_TRUE(never_meet(shmz_rwlock_trywrlock, shmz_rwlock_tryrdlock));
}

TEST(writers_never_meet)
{
	if (kernel_debugs())
		SKIP(return, "stepping is too slow on a debug kernel");
	ASSERT_TRUE(never_meet(shmz_rwlock_trywrlock, shmz_rwlock_trywrlock));
}

static int counts_steps(void *arg)
{
	struct under_locks *shared = arg;

	shared->step = 0;
	step_here();
	/* One instruction each, where there are such. */
	shared->step = 1;
	shared->step = 2;
	shared->step = 3;
	shared->step = 4;
	shared->step = 5;
	return 0;
}

static bool count_of_steps(void *arg, unsigned long at)
{
	struct under_locks *shared = arg;

	shared->beats[0] |= 1 << shared->step;
	/* Never further than in one step more. */
	if (shared->step > shared->beats[1] + 1)
		return false;
	shared->beats[1] = shared->step;
	return true;
}

/* The tracer itself: it stops between any two stores. */
TEST(steps)
{
	struct under_locks *shared = make_under_locks(0);
	struct step_sweep sweep = {
		.function = counts_steps,
		.arg = shared,
		.after = count_of_steps,
		.seconds = 60,
	};

	ASSERT_NE(NULL, shared);
	ASSERT_TRUE(step_sweep(&sweep));
	ASSERT_EQ(1, sweep.stride);
	ASSERT_EQ(sweep.instructions + 1, sweep.kills);
	ASSERT_EQ(0x3f, shared->beats[0]);
}

TEST_HARNESS_MAIN
