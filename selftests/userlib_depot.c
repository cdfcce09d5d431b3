// SPDX-License-Identifier: GPL-2.0
/*
 * Threads of one process of which each frees what the other allocates: what is
 * freed is handed over without the kernel, in zones of each kind that allows for it,
 * across forks too; and what is on its way is no less counted, bounded and taken
 * back than what threads have in their caches.
 */
#include <pthread.h>

#include "kselftest_harness.h"
#include "caches.h"
#include "userlib.h"

#define ZONE_BYTES	(64 * MIB)
#define LIMIT		(16 * MIB)
#define CEILING		MIB		/* of all its caches */
#define LARGE_ZONE_BYTES (1024 * MIB)
#define ALONE_CACHES	5		/* of the depot, in a process of one thread */
#define BYTES		1000
#define HANDFUL		32
#define HANDFULS	60U
/* More than one bin has room for. */
#define LARGE_HANDFUL	256

/**
 * struct pair - two threads
 * @zone: the zone
 * @turn: where they wait for each other
 * @handfuls: how many are handed over
 * @size: objects of each
 * @wrong: frees that failed, and objects that were written to
 * @hand: the objects
 */
struct pair {
	struct shmz *zone;
	pthread_barrier_t turn;
	unsigned int handfuls;
	unsigned int size;
	unsigned int wrong;
	__u64 *hand[LARGE_HANDFUL];
};

static void *lets_go(void *arg)
{
	struct pair *pair = arg;
	unsigned int i, j;

	for (i = 0; i < pair->handfuls; i++) {
		pthread_barrier_wait(&pair->turn);
		for (j = 0; j < pair->size; j++) {
			if (*pair->hand[j] != i * pair->size + j + getpid())
				pair->wrong++;
			if (shmz_free(pair->zone, pair->hand[j]))
				pair->wrong++;
		}
		pthread_barrier_wait(&pair->turn);
	}
	return NULL;
}

/* Gives how often something went wrong. */
static int hand_over_many(struct shmz *zone, unsigned int handfuls, unsigned int size)
{
	struct pair pair = { .zone = zone, .handfuls = handfuls, .size = size };
	pthread_t thread;
	unsigned int i, j;

	if (pthread_barrier_init(&pair.turn, NULL, 2) ||
	    pthread_create(&thread, NULL, lets_go, &pair))
		return 1;
	for (i = 0; i < handfuls; i++) {
		for (j = 0; j < size; j++) {
			pair.hand[j] = shmz_alloc(zone, BYTES);
			if (!pair.hand[j])
				return 1;
			*pair.hand[j] = i * size + j + getpid();
		}
		pthread_barrier_wait(&pair.turn);
		pthread_barrier_wait(&pair.turn);
	}
	pthread_join(thread, NULL);
	return pair.wrong;
}

static int hand_over(struct shmz *zone, unsigned int handfuls)
{
	return hand_over_many(zone, handfuls, HANDFUL);
}

/* Slots that the kernel was asked for. */
static __u64 asked_for(struct shmz *zone)
{
	struct shmzone_class_figures figures;
	int fd = shmz_fd(zone);

	if (_try_class_stat(fd, class_of(fd, BYTES), 0, &figures))
		return 0;
	return figures.requests;
}

static __u64 caches_of(struct shmz *zone)
{
	struct shmzone_stat stat;

	return _try_stat(shmz_fd(zone), &stat) ? 0 : stat.out_caches;
}

FIXTURE(depot) {
	struct shmz *zone;
};

FIXTURE_VARIANT(depot) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(depot, plain) {};

FIXTURE_VARIANT_ADD(depot, owned) {
	SHMZONE_CREATE_OWNED,
};

/* There the kernel sees each free. */
FIXTURE_VARIANT_ADD(depot, checked) {
	SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED,
};

FIXTURE_SETUP(depot)
{
	int fd = create_kind(control_fd(), variant->kind, ZONE_BYTES, LIMIT);

	self->zone = not_null(shmz_adopt(fd));
	ASSERT_EQ(0, hand_over(self->zone, HANDFULS));
}

FIXTURE_TEARDOWN(depot)
{
	ASSERT_TRUE(zone_consistent(shmz_fd(self->zone)));
	shmz_close(self->zone);
}

TEST_F(depot, hands_over)
{
	__u64 before = asked_for(self->zone), asked;

	ASSERT_LT(0, before);
	ASSERT_EQ(0, hand_over(self->zone, HANDFULS));
	asked = asked_for(self->zone) - before;
	/* The periodic work may come in between, and take something back. */
	ASSERT_EQ(!!(variant->kind & SHMZONE_CREATE_CHECKED), asked > HANDFULS * HANDFUL / 2);
}

/* A zone of the same kind in which caches may have much. */
static struct shmz *large_zone(__u32 kind)
{
	return shmz_adopt(_try_create_kind(_try_control(), kind, LARGE_ZONE_BYTES,
					   LARGE_ZONE_BYTES));
}

/* One cache after the other takes what those before it have no room for. */
TEST_F(depot, hands_over_what_takes_several_caches)
{
	struct shmz *zone = not_null(large_zone(variant->kind));
	__u64 before;

	ASSERT_EQ(0, hand_over_many(zone, HANDFULS / 4, LARGE_HANDFUL));
	before = asked_for(zone);
	ASSERT_EQ(0, hand_over_many(zone, HANDFULS, LARGE_HANDFUL));
	ASSERT_EQ(!!(variant->kind & SHMZONE_CREATE_CHECKED),
		  asked_for(zone) - before > HANDFULS * LARGE_HANDFUL / 4);
	shmz_close(zone);
}

/* Caches that a child has, which is alone, after it freed far more than one has room for. */
static int caches_of_one(void *arg)
{
	static void *objects[32 * LARGE_HANDFUL];
	struct shmz *zone = arg;
	int i;

	for (i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = shmz_alloc(zone, BYTES);
	for (i = 0; i < ARRAY_SIZE(objects); i++)
		if (!objects[i] || shmz_free(zone, objects[i]))
			return -1;
	return caches_of(zone);
}

/* It keeps some for itself, but not as much as several threads would for each other. */
TEST_F(depot, small_for_one_thread)
{
	bool checked = variant->kind & SHMZONE_CREATE_CHECKED;
	struct shmz *zone = not_null(large_zone(variant->kind));

	ASSERT_EQ(checked ? 1 : 1 + ALONE_CACHES, in_child(caches_of_one, zone));
	shmz_close(zone);
}

TEST_F(depot, counted_bounded_and_taken_back)
{
	struct shmzone_stat stat = stat_of(shmz_fd(self->zone));

	ASSERT_GE(CEILING, stat.out_cached_bytes);
	ASSERT_EQ(0, live_objects(self->zone));
	ASSERT_LE(0, shmz_reclaim_caches(self->zone));
	ASSERT_EQ(0, stat_of(shmz_fd(self->zone)).out_cached_objects);
}

TEST_F(depot, idle)
{
	ASSERT_TRUE(comes_to_nothing(shmz_fd(self->zone)));
}

/* What lies there can be had by all who ask, to the last byte. */
TEST_F(depot, at_the_limit)
{
	int fd = shmz_fd(self->zone);
	__u64 bytes = 0;

	while (shmz_alloc(self->zone, 64 * KIB))
		bytes += 64 * KIB;
	ASSERT_EQ(LIMIT, bytes);
	ASSERT_EQ(0, stat_of(fd).out_cached_objects);
}

/* A child has its own, and its parent goes on with what it had. */
TEST_F(depot, across_forks)
{
	pid_t child[2];
	int i;

	for (i = 0; i < 2; i++) {
		child[i] = fork();
		if (!child[i])
			_exit(!!hand_over(self->zone, HANDFULS));
	}
	ASSERT_EQ(0, hand_over(self->zone, HANDFULS));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, end_child(child[i]));
	ASSERT_EQ(0, live_objects(self->zone));
}

TEST_F(depot, beside_a_child_of_vfork)
{
	volatile int wrong = -1;
	pid_t child = vfork();

	if (!child) {
		void *objects[HANDFUL];
		int i;

		for (i = 0; i < HANDFUL; i++)
			objects[i] = shmz_alloc(self->zone, BYTES);
		wrong = 0;
		for (i = 0; i < HANDFUL; i++)
			wrong += !objects[i] || shmz_free(self->zone, objects[i]);
		_exit(0);
	}
	ASSERT_EQ(0, end_child(child));
	ASSERT_EQ(0, wrong);
	ASSERT_EQ(0, hand_over(self->zone, HANDFULS));
	ASSERT_EQ(0, live_objects(self->zone));
}

TEST_HARNESS_MAIN
