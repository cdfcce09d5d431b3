// SPDX-License-Identifier: GPL-2.0
/*
 * poll and epoll on zone descriptors: when there is room, and who is woken.
 */
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>

#include "kselftest_harness.h"
#include "race.h"
#include "utils.h"

/* The zone is full with four spans of nine pages. */
#define SPANS		4
#define SPAN_BYTES	(9 * page_bytes())

#define EVERYTHING	(POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP)
#define ROOM		(POLLOUT | POLLWRNORM)

static int events_of(int fd, int timeout_ms)
{
	struct pollfd poller = { .fd = fd, .events = EVERYTHING };
	int ret = poll(&poller, 1, timeout_ms);

	return ret < 0 ? -errno : ret ? poller.revents : 0;
}

#define has_room(fd)	ASSERT_EQ(ROOM, events_of(fd, 0))
#define has_no_room(fd)	ASSERT_EQ(0, events_of(fd, 0))
#define fails(zone)							\
do {									\
	__u64 _offset;							\
									\
	fail_alloc(ENOMEM, zone, SPAN_BYTES, 1, &_offset);		\
} while (0)

FIXTURE(poll) {
	__u64 full[SPANS];
	int control;
	int zone;
};

FIXTURE_SETUP(poll)
{
	self->control = control_fd();
	self->zone = create_limited(self->control, GIB, SPANS * SPAN_BYTES);
	alloc_objects(self->zone, SPAN_BYTES, SPANS, self->full);
	/* Failures count from the first poll on. */
	fails(self->zone);
	has_room(self->zone);
}

FIXTURE_TEARDOWN(poll)
{
	close(self->zone);
	close(self->control);
}

TEST_F(poll, room_until_a_failure_and_again_after_a_free)
{
	/* Full, but nobody has been turned away yet. */
	has_room(self->zone);
	fails(self->zone);
	has_no_room(self->zone);
	has_no_room(self->zone);
	free_at(self->zone, self->full[0]);
	has_room(self->zone);
	free_at(self->zone, self->full[1]);
	has_room(self->zone);
	alloc_objects(self->zone, SPAN_BYTES, 2, self->full);
	has_room(self->zone);
	fails(self->zone);
	has_no_room(self->zone);
	/* A free that fails frees nothing. */
	fail_free_at(EINVAL, self->zone, 1);
	has_no_room(self->zone);
}

TEST_F(poll, batch_that_is_given_less)
{
	free_at(self->zone, self->full[0]);
	ASSERT_EQ(1, _try_alloc(self->zone, SPAN_BYTES, 2, self->full));
	has_no_room(self->zone);
	free_all(self->zone, self->full, 1);
	alloc_objects(self->zone, SPAN_BYTES, 1, self->full);
	has_room(self->zone);
}

TEST_F(poll, free_of_part_of_a_batch)
{
	__u64 offsets[2] = { self->full[0], 1 };

	fails(self->zone);
	ASSERT_EQ(1, _try_free_all(self->zone, offsets, 2));
	has_room(self->zone);
}

TEST_F(poll, what_can_never_succeed_does_not_count)
{
	__u64 offset;

	fail_alloc(ENOMEM, self->zone, SPANS * SPAN_BYTES + 1, 1, &offset);
	fail_alloc(ENOMEM, self->zone, UINT64_MAX, 1, &offset);
	fail_alloc(EINVAL, self->zone, 0, 1, &offset);
	has_room(self->zone);
}

TEST_F(poll, slot_that_is_freed)
{
	int zone = create_limited(self->control, GIB, 8 * page_bytes());
	__u64 slots[8];

	has_room(zone);
	alloc_objects(zone, page_bytes(), 8, slots);
	ASSERT_EQ(-ENOMEM, _try_alloc(zone, page_bytes(), 1, self->full));
	has_no_room(zone);
	free_at(zone, slots[3]);
	has_room(zone);
}

TEST_F(poll, every_descriptor_of_the_zone)
{
	const char *name = fresh_name();
	int zone = create_named(self->control, name, 0600);
	int other = open_zone(self->control, name, 0);
	__u64 offset = alloc(zone, MIB - page_bytes());

	has_room(zone);
	ASSERT_EQ(-ENOMEM, _try_alloc(other, 8, 1, self->full));
	has_no_room(zone);
	has_no_room(other);
	free_at(zone, offset);
	has_room(other);
}

TEST_F(poll, read_only_descriptor_has_no_events)
{
	const char *name = fresh_name();
	int zone = create_named(self->control, name, 0600);
	int reader = open_zone(self->control, name, SHMZONE_OPEN_RDONLY);
	struct epoll_event event = { .events = EPOLLOUT | EPOLLIN };
	int set = epoll_create1(0);

	has_no_room(reader);
	ASSERT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, reader, &event));
	ASSERT_EQ(0, epoll_wait(set, &event, 1, 0));
	has_room(zone);
}

TEST_F(poll, select_for_writing)
{
	struct timeval none = {};
	fd_set writers;

	FD_ZERO(&writers);
	FD_SET(self->zone, &writers);
	ASSERT_EQ(1, select(self->zone + 1, NULL, &writers, NULL, &none));
	fails(self->zone);
	ASSERT_EQ(0, select(self->zone + 1, NULL, &writers, NULL, &none));
}

/* What is given up there is kernel memory, of use to nobody who polls. */
TEST_F(poll, ageing_is_no_event)
{
	int zone = create_limited(self->control, GIB, 5 * MIB);
	__u64 alone;

	has_room(zone);
	alloc(zone, 4 * MIB);
	alone = alloc(zone, 900 * KIB);
	/* Nothing else is there in its part of the heap's directory. */
	free_at(zone, alone);
	fail_alloc(ENOMEM, zone, 4 * MIB, 1, &alone);
	has_no_room(zone);
	ASSERT_EQ(0, events_of(zone, 2500));
}

static int poll_in_child(void *arg)
{
	return events_of(*(int *)arg, -1) == ROOM ? 0 : 1;
}

TEST_F(poll, free_wakes_all_who_sleep)
{
	pid_t children[5];
	int i;

	fails(self->zone);
	for (i = 0; i < 5; i++)
		children[i] = start_child(poll_in_child, &self->zone);
	/* Before or while they sleep: both have to do. */
	usleep(20000);
	free_at(self->zone, self->full[0]);
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, end_child(children[i]));
}

TEST_F(poll, time_limit)
{
	fails(self->zone);
	ASSERT_EQ(0, events_of(self->zone, 20));
}

FIXTURE(epoll) {
	__u64 full[SPANS];
	int control;
	int zone;
	int set;
};

FIXTURE_VARIANT(epoll) {
	__u32 trigger;
};

FIXTURE_VARIANT_ADD(epoll, level) { .trigger = 0 };
FIXTURE_VARIANT_ADD(epoll, edge) { .trigger = EPOLLET };

FIXTURE_SETUP(epoll)
{
	struct epoll_event event = { .events = EPOLLOUT | variant->trigger };

	self->control = control_fd();
	self->zone = create_limited(self->control, GIB, SPANS * SPAN_BYTES);
	alloc_objects(self->zone, SPAN_BYTES, SPANS, self->full);
	self->set = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_EQ(0, epoll_ctl(self->set, EPOLL_CTL_ADD, self->zone, &event));
}

FIXTURE_TEARDOWN(epoll)
{
	close(self->set);
	close(self->zone);
	close(self->control);
}

#define events_in(set, timeout_ms)					\
({									\
	struct epoll_event _event = {};					\
									\
	epoll_wait(set, &_event, 1, timeout_ms) == 1 ? (int)_event.events : 0; \
})

TEST_F(epoll, events)
{
	bool edge = variant->trigger == EPOLLET;

	ASSERT_EQ(EPOLLOUT, events_in(self->set, 0));
	ASSERT_EQ(edge ? 0 : EPOLLOUT, events_in(self->set, 0));
	fails(self->zone);
	ASSERT_EQ(0, events_in(self->set, 0));
	/* From not ready to ready: one edge, whatever is freed after it. */
	free_at(self->zone, self->full[0]);
	ASSERT_EQ(EPOLLOUT, events_in(self->set, 0));
	free_at(self->zone, self->full[1]);
	ASSERT_EQ(edge ? 0 : EPOLLOUT, events_in(self->set, 0));
	alloc_objects(self->zone, SPAN_BYTES, 2, self->full);
	ASSERT_EQ(edge ? 0 : EPOLLOUT, events_in(self->set, 0));
	/* And once more. */
	fails(self->zone);
	ASSERT_EQ(0, events_in(self->set, 0));
	free_at(self->zone, self->full[0]);
	ASSERT_EQ(EPOLLOUT, events_in(self->set, 0));
}

static int free_later(void *arg)
{
	FIXTURE_DATA(epoll) *self = arg;

	usleep(20000);
	return _try_free_at(self->zone, self->full[3]) == 1 ? 0 : 1;
}

TEST_F(epoll, sleeper_is_woken)
{
	pid_t child;

	events_in(self->set, 0);
	fails(self->zone);
	child = start_child(free_later, self);
	ASSERT_EQ(EPOLLOUT, events_in(self->set, -1));
	ASSERT_EQ(0, end_child(child));
}

TEST_F(epoll, zone_closed_in_the_set)
{
	struct shmzone_info args;

	info(self->control, &args);
	close(self->zone);
	ASSERT_TRUE(zones_become(self->control, args.out_zones - 1));
	ASSERT_EQ(0, events_in(self->set, 0));
}

/* There is one free a round: if it is missed there is nothing to wake again. */
TEST_F(epoll, free_at_the_moment_of_a_failure)
{
	struct epoll_event event = { .events = EPOLLOUT | variant->trigger };
	struct race *race = make_race();
	unsigned int seed = 2;
	__u64 object;
	pid_t child;
	int i;

	race->zone = create_limited(self->control, GIB, SPAN_BYTES);
	object = alloc(race->zone, SPAN_BYTES);
	ASSERT_EQ(0, epoll_ctl(self->set, EPOLL_CTL_ADD, race->zone, &event));
	ASSERT_EQ(0, epoll_ctl(self->set, EPOLL_CTL_DEL, self->zone, NULL));
	child = start_child(free_each, race);
	for (i = 0; i < RACE_ROUNDS; i++) {
		__atomic_store_n(&race->object, object, __ATOMIC_SEQ_CST);
		dawdle(&seed);
		while (_try_alloc(race->zone, SPAN_BYTES, 1, &object) == -ENOMEM)
			ASSERT_EQ(EPOLLOUT, events_in(self->set, -1));
	}
	ASSERT_EQ(0, end_child(child));
}

static const __u64 sizes[] = { 64, 4096, 36864, 8, 20000 };

/* Never try again without an event after a failure. */
static int alloc_by_events(int zone, __u32 trigger)
{
	struct epoll_event event = { .events = EPOLLOUT | trigger };
	int set = epoll_create1(0);
	unsigned int seed = getpid();
	int i;

	if (epoll_ctl(set, EPOLL_CTL_ADD, zone, &event))
		return 1;
	for (i = 0; i < 150; i++) {
		__u64 bytes = sizes[rand_r(&seed) % 5], offset;
		int ret;

		while ((ret = _try_alloc(zone, bytes, 1, &offset)) == -ENOMEM)
			if (epoll_wait(set, &event, 1, -1) != 1)
				return 2;
		if (ret != 1)
			return 3;
		if (rand_r(&seed) % 2)
			sched_yield();
		if (_try_free_at(zone, offset) != 1)
			return 4;
	}
	return 0;
}

struct task {
	int zone;
	__u32 trigger;
};

static int alloc_in_child(void *arg)
{
	struct task *task = arg;

	return alloc_by_events(task->zone, task->trigger);
}

TEST_F(epoll, many_alloc_by_events)
{
	struct task task = {
		.zone = create_limited(self->control, GIB, 12 * page_bytes()),
		.trigger = variant->trigger,
	};
	pid_t children[6];
	int i;

	for (i = 0; i < 6; i++)
		children[i] = start_child(alloc_in_child, &task);
	for (i = 0; i < 6; i++)
		EXPECT_EQ(0, end_child(children[i]));
	ASSERT_EQ(0, stat_of(task.zone).out_live_objects);
}

TEST_HARNESS_MAIN
