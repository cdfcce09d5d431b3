// SPDX-License-Identifier: GPL-2.0
/*
 * ALLOC with SHMZONE_ALLOC_WAIT: who is given what and when, in which order,
 * and what becomes of those who give up or are killed.
 *
 * Nothing here measures that something is quick: a wake-up that is lost is a
 * test that does not end.
 */
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "kselftest_harness.h"
#include "race.h"
#include "utils.h"

#define NOBODY		65534
#define MS		1000000ULL

/* The zone is full with four spans of nine pages. */
#define SPANS		4
#define SPAN_PAGES	9
#define SPAN_BYTES	(SPAN_PAGES * page_bytes())

#define WAITERS		12

/* One who waits in a child; in memory shared with it. */
struct waiter {
	int zone;
	__u64 bytes;
	__u32 count;
	__u64 timeout_ns;
	uid_t uid;
	bool waits;			/* about to wait */
	int ret;			/* objects, or -errno */
	__u64 offsets[SPANS];
};

static __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 * MS + now.tv_nsec;
}

FIXTURE(wait) {
	__u64 full[SPANS];
	struct waiter *waiters;
	pid_t pids[WAITERS];
	int control;
	int zone;
};

FIXTURE_SETUP(wait)
{
	self->control = control_fd();
	self->zone = create_limited(self->control, GIB, SPANS * SPAN_BYTES);
	alloc_objects(self->zone, SPAN_BYTES, SPANS, self->full);
	self->waiters = mmap(NULL, WAITERS * sizeof(struct waiter), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->waiters);
}

FIXTURE_TEARDOWN(wait)
{
	int i;

	for (i = 0; i < WAITERS; i++)
		if (self->pids[i] > 0)
			kill(self->pids[i], SIGKILL);
	close(self->zone);
	close(self->control);
}

static void on_signal(int signal)
{
}

static int wait_in_child(void *arg)
{
	struct waiter *me = arg;
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &action, NULL);
	if (me->uid && (setgroups(0, NULL) || setresuid(me->uid, me->uid, me->uid)))
		return 1;
	__atomic_store_n(&me->waits, true, __ATOMIC_SEQ_CST);
	me->ret = _try_alloc_wait(me->zone, me->bytes, me->count, me->timeout_ns, me->offsets);
	return 0;
}

/* Returns false if it does not come to wait. */
static bool start_waiter(FIXTURE_DATA(wait) *self, int i, __u64 bytes, __u32 count,
			 __u64 timeout_ns)
{
	struct waiter *waiter = &self->waiters[i];

	waiter->zone = self->zone;
	waiter->bytes = bytes;
	waiter->count = count;
	waiter->timeout_ns = timeout_ns;
	waiter->waits = false;
	self->pids[i] = start_child(wait_in_child, waiter);
	while (!__atomic_load_n(&waiter->waits, __ATOMIC_SEQ_CST))
		usleep(100);
	return falls_asleep(self->pids[i]);
}

/* What it was given in the end, or -errno; -1000 if the child did not end well. */
static int end_waiter(FIXTURE_DATA(wait) *self, int i)
{
	int ret = end_child(self->pids[i]);

	self->pids[i] = 0;
	return ret ? -1000 : self->waiters[i].ret;
}

#define started(...)	ASSERT_TRUE(start_waiter(self, __VA_ARGS__))
#define gives(n, i)	ASSERT_EQ(n, end_waiter(self, i))
#define times_out(zone, bytes, count)					\
do {									\
	__u64 _start = now_ns(), _offset;				\
									\
	ASSERT_EQ(-ETIMEDOUT, _try_alloc_wait(zone, bytes, count, 30 * MS, &_offset)); \
	ASSERT_LE(30 * MS, now_ns() - _start);				\
} while (0)

TEST_F(wait, not_if_there_is_memory)
{
	__u64 offset;

	free_at(self->zone, self->full[0]);
	ASSERT_EQ(1, _try_alloc_wait(self->zone, SPAN_BYTES, 1, 0, &offset));
	free_at(self->zone, offset);
	ASSERT_EQ(1, _try_alloc_wait(self->zone, SPAN_BYTES, 1, 1, &offset));
}

TEST_F(wait, no_longer_than_told)
{
	__u64 offset;

	times_out(self->zone, SPAN_BYTES, 1);
	times_out(self->zone, 8, 1);
	ASSERT_EQ(-ETIMEDOUT, _try_alloc_wait(self->zone, 8, 1, 1, &offset));
	/* Behind another one, too. */
	started(0, SPAN_BYTES, 1, 0);
	times_out(self->zone, SPAN_BYTES, 1);
	free_at(self->zone, self->full[0]);
	gives(1, 0);
	ASSERT_EQ(SPANS, stat_of(self->zone).out_live_objects);
}

TEST_F(wait, for_a_free_of_another_process)
{
	started(0, SPAN_BYTES, 1, 0);
	free_at(self->zone, self->full[2]);
	gives(1, 0);
	ASSERT_EQ(self->full[2], self->waiters[0].offsets[0]);
}

TEST_F(wait, time_limits_beyond_all_time)
{
	static const __u64 limits[] = { 1ULL << 62, INT64_MAX - 1, INT64_MAX,
					1ULL << 63, UINT64_MAX };
	int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		started(0, SPAN_BYTES, 1, limits[i]);
		free_at(self->zone, self->full[0]);
		gives(1, 0);
	}
}

TEST_F(wait, time_limit_without_the_flag)
{
	__u64 offset;
	struct shmzone_alloc args = {
		SIZED(shmzone_alloc),
		.bytes = 8,
		.offsets = to_u64(&offset),
		.count = 1,
		.timeout_ns = 1,
	};

	free_at(self->zone, self->full[0]);
	fail_call(EINVAL, self->zone, SHMZONE_ALLOC, &args);
	args.timeout_ns = 0;
	call(self->zone, SHMZONE_ALLOC, &args);
}

TEST_F(wait, structure_without_a_time_limit)
{
	__u64 offset;
	struct shmzone_alloc args = {
		.size = SHMZONE_ALLOC_SIZE_VER0,
		.flags = SHMZONE_ALLOC_WAIT,
		.bytes = 8,
		.offsets = to_u64(&offset),
		.count = 1,
		.timeout_ns = 1,	/* not seen */
	};
	pid_t parent = getpid();
	pid_t child = fork();

	if (child == 0)
		_exit(!falls_asleep(parent) ||
		      _try_free_at(self->zone, self->full[0]) != 1);
	call(self->zone, SHMZONE_ALLOC, &args);
	ASSERT_EQ(0, end_child(child));
}

TEST_F(wait, not_for_what_can_never_be)
{
	int zone = create_limited(self->control, GIB, 2 * page_bytes());
	__u64 offset;

	ASSERT_EQ(-ENOMEM, _try_alloc_wait(self->zone, SPANS * SPAN_BYTES + 1, 1, 0, &offset));
	ASSERT_EQ(-ENOMEM, _try_alloc_wait(self->zone, GIB, 1, 0, &offset));
	ASSERT_EQ(-ENOMEM, _try_alloc_wait(self->zone, UINT64_MAX, 1, 0, &offset));
	/* No slab fits below this limit; nor behind the first page of this zone. */
	ASSERT_EQ(-ENOMEM, _try_alloc_wait(zone, 64, 1, 0, &offset));
	zone = create(self->control, 4 * page_bytes());
	ASSERT_EQ(-ENOMEM, _try_alloc_wait(zone, 64, 1, 0, &offset));
	/* No need to queue up to learn that. */
	started(0, SPAN_BYTES, 1, 0);
	ASSERT_EQ(-ENOMEM, _try_alloc_wait(self->zone, GIB, 1, 0, &offset));
	/* All there can be is not too much to wait for. */
	times_out(self->zone, SPANS * SPAN_BYTES, 1);
}

TEST_F(wait, bad_arguments_do_not_wait)
{
	__u64 offset;

	ASSERT_EQ(-EINVAL, _try_alloc_wait(self->zone, 0, 1, 0, &offset));
	ASSERT_EQ(-EINVAL, _try_alloc_wait(self->zone, 8, 0, 0, &offset));
	ASSERT_EQ(-EINVAL, _try_alloc_wait(self->zone, 8, SHMZONE_BATCH_MAX + 1, 0, &offset));
}

TEST_F(wait, one_slot_is_enough)
{
	__u64 slots[64];
	int zone = create_limited(self->control, GIB, 8 * page_bytes());
	int n = _try_alloc(zone, page_bytes(), 64, slots);

	/* The page is not given back: its slab has other slots. */
	ASSERT_EQ(8, n);
	self->zone = zone;
	started(0, page_bytes(), 1, 0);
	free_at(zone, slots[5]);
	gives(1, 0);
	ASSERT_EQ(slots[5], self->waiters[0].offsets[0]);
}

TEST_F(wait, batch_waits_for_its_first_object)
{
	started(0, SPAN_BYTES, 3, 0);
	free_at(self->zone, self->full[1]);
	gives(1, 0);
	free_all(self->zone, self->full + 2, 2);
	ASSERT_EQ(2, _try_alloc_wait(self->zone, SPAN_BYTES, 4, 0, self->waiters[0].offsets));
}

TEST_F(wait, in_order_of_arrival)
{
	int i;

	for (i = 0; i < 6; i++)
		started(i, SPAN_BYTES, 1, 0);
	for (i = 0; i < 6; i++) {
		free_at(self->zone, i ? self->waiters[i - 1].offsets[0] : self->full[0]);
		gives(1, i);
	}
	ASSERT_EQ(SPANS, stat_of(self->zone).out_live_objects);
}

TEST_F(wait, one_free_serves_many)
{
	int i;

	for (i = 0; i < SPANS; i++)
		started(i, SPAN_BYTES, 1, 0);
	free_all(self->zone, self->full, SPANS);
	for (i = 0; i < SPANS; i++)
		gives(1, i);
}

TEST_F(wait, small_ones_behind_a_large_one)
{
	__u64 offset;

	started(0, 2 * SPAN_BYTES, 1, 0);
	free_at(self->zone, self->full[0]);
	/* There is memory for this, but somebody else was first. */
	times_out(self->zone, SPAN_BYTES, 1);
	times_out(self->zone, 8, 1);
	/* Who does not wait does not look at the queue. */
	ASSERT_EQ(1, _try_alloc(self->zone, SPAN_BYTES, 1, &offset));
	free_at(self->zone, offset);
	free_at(self->zone, self->full[1]);
	gives(1, 0);
}

TEST_F(wait, killed_head_passes_its_turn_on)
{
	started(0, 2 * SPAN_BYTES, 1, 0);
	started(1, SPAN_BYTES, 1, 0);
	started(2, SPAN_BYTES, 1, 0);
	free_at(self->zone, self->full[0]);
	kill(self->pids[0], SIGKILL);
	gives(-1000, 0);
	gives(1, 1);
	free_at(self->zone, self->full[2]);
	gives(1, 2);
	ASSERT_EQ(SPANS, stat_of(self->zone).out_live_objects);
}

TEST_F(wait, head_out_of_time_passes_its_turn_on)
{
	/* Long enough to be seen asleep. */
	started(0, 2 * SPAN_BYTES, 1, (kernel_debugs() ? 6000 : 1500) * MS);
	started(1, SPAN_BYTES, 1, 0);
	free_at(self->zone, self->full[0]);
	gives(-ETIMEDOUT, 0);
	gives(1, 1);
}

TEST_F(wait, killed_in_the_middle)
{
	int i;

	for (i = 0; i < 5; i++)
		started(i, SPAN_BYTES, 1, 0);
	kill(self->pids[1], SIGKILL);
	kill(self->pids[2], SIGKILL);
	kill(self->pids[4], SIGKILL);
	gives(-1000, 1);
	gives(-1000, 2);
	gives(-1000, 4);
	free_at(self->zone, self->full[0]);
	gives(1, 0);
	free_at(self->zone, self->full[1]);
	gives(1, 3);
	ASSERT_EQ(SPANS, stat_of(self->zone).out_live_objects);
}

TEST_F(wait, signal_ends_it)
{
	started(0, SPAN_BYTES, 1, 0);
	started(1, SPAN_BYTES, 1, 1000 * 1000 * MS);
	/* The handler is installed with SA_RESTART, which changes nothing. */
	kill(self->pids[1], SIGUSR1);
	gives(-EINTR, 1);
	kill(self->pids[0], SIGUSR1);
	gives(-EINTR, 0);
	ASSERT_EQ(SPANS, stat_of(self->zone).out_live_objects);
	free_at(self->zone, self->full[0]);
	ASSERT_EQ(1, _try_alloc_wait(self->zone, SPAN_BYTES, 1, 0, self->full));
}

TEST_F(wait, read_only_descriptor)
{
	const char *name = fresh_name();
	int zone = create_named(self->control, name, 0600);
	int reader = open_zone(self->control, name, SHMZONE_OPEN_RDONLY);
	__u64 offset;

	ASSERT_EQ(-EACCES, _try_alloc_wait(reader, 8, 1, 0, &offset));
	ASSERT_EQ(1, _try_alloc_wait(zone, 8, 1, 0, &offset));
}

TEST_F(wait, unprivileged_users)
{
	self->waiters[0].uid = NOBODY;
	self->waiters[1].uid = NOBODY - 1;
	started(0, SPAN_BYTES, 1, 0);
	started(1, SPAN_BYTES, 1, 0);
	free_all(self->zone, self->full, 2);
	gives(1, 0);
	gives(1, 1);
}

TEST_F(wait, descriptor_closed_meanwhile)
{
	struct waiter_thread waiter = { dup(self->zone), SPAN_BYTES };

	ASSERT_TRUE(start_waiter_thread(&waiter));
	close(waiter.zone);
	free_at(self->zone, self->full[0]);
	ASSERT_EQ(0, pthread_join(waiter.id, NULL));
	ASSERT_EQ(1, waiter.ret);
}

/* There is one free a round: if it is missed there is nothing to wake again. */
TEST_F(wait, free_at_the_moment_of_a_failure)
{
	struct race *race = make_race();
	unsigned int seed = 2;
	__u64 object;
	pid_t child;
	int i;

	race->zone = create_limited(self->control, GIB, SPAN_BYTES);
	object = alloc(race->zone, SPAN_BYTES);
	child = start_child(free_each, race);
	for (i = 0; i < RACE_ROUNDS; i++) {
		__atomic_store_n(&race->object, object, __ATOMIC_SEQ_CST);
		dawdle(&seed);
		ASSERT_EQ(1, _try_alloc_wait(race->zone, SPAN_BYTES, 1, 0, &object));
	}
	ASSERT_EQ(0, end_child(child));
}

static const __u64 sizes[] = { 64, 4096, 36864, 8, 20000 };

/* Wait, use, free; what is taken fits one at a time, or a few. */
static int wait_and_free(void *arg)
{
	int zone = *(int *)arg;
	unsigned int seed = getpid();
	__u64 offset;
	int i, ret;

	for (i = 0; i < 150; i++) {
		__u64 timeout_ns = rand_r(&seed) % 4 ? 0 : 1 + rand_r(&seed) % (2 * MS);

		ret = _try_alloc_wait(zone, sizes[rand_r(&seed) % 5], 1, timeout_ns, &offset);
		if (ret == -ETIMEDOUT && timeout_ns)
			continue;
		if (ret != 1)
			return 1;
		if (rand_r(&seed) % 2)
			sched_yield();
		if (_try_free_at(zone, offset) != 1)
			return 2;
	}
	return 0;
}

TEST_F(wait, many_wait_and_free)
{
	int zone = create_limited(self->control, GIB, 12 * page_bytes());
	pid_t children[8];
	int i;

	for (i = 0; i < 8; i++)
		children[i] = start_child(wait_and_free, &zone);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, end_child(children[i]));
	ASSERT_EQ(0, stat_of(zone).out_live_objects);
}

static int wait_for_too_much(void *arg)
{
	__u64 offset;

	return _try_alloc_wait(*(int *)arg, 16 * page_bytes(), 1, 0, &offset);
}

TEST_F(wait, many_wait_behind_those_who_are_killed)
{
	int zone = create_limited(self->control, GIB, 16 * page_bytes());
	pid_t children[4], victim;
	int i;

	/* This stays, so nobody ever gets all of the zone. */
	alloc(zone, 8);
	for (i = 0; i < 4; i++)
		children[i] = start_child(wait_and_free, &zone);
	for (i = 0; i < 40; i++) {
		victim = start_child(wait_for_too_much, &zone);
		usleep(rand() % 20000);
		kill(victim, SIGKILL);
		ASSERT_EQ(-SIGKILL, end_child(victim));
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, end_child(children[i]));
	ASSERT_EQ(1, stat_of(zone).out_live_objects);
}

TEST_HARNESS_MAIN
