// SPDX-License-Identifier: GPL-2.0
/*
 * Processes and threads on one zone at once, some of them killed at any
 * instruction. Every object carries its owner's pattern from its first to its
 * last moment, so that an object given out twice is seen; afterwards the
 * figures agree with what is left.
 */
#include <pthread.h>

#include "kselftest_harness.h"
#include "crowd.h"

#define ZONE_BYTES	(256 * MIB)
#define PROCESSES	4
#define THREADS		3
#define SECONDS		4
#define HELD		64

FIXTURE(stress) {
	char *data;
	__u64 zones;
	int control;
	int zone;
};

FIXTURE_SETUP(stress)
{
	struct shmzone_info args;

	self->control = control_fd();
	info(self->control, &args);
	self->zones = args.out_zones;
	self->zone = create(self->control, ZONE_BYTES);
	self->data = map_data_ok(self->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
}

FIXTURE_TEARDOWN(stress)
{
	munmap(self->data, ZONE_BYTES);
	close(self->zone);
	EXPECT_TRUE(zones_become(self->control, self->zones));
	close(self->control);
}

/* One thread's objects: batches of one size each. */
struct batch {
	__u64 offsets[16];
	__u64 seed;
	__u32 bytes;
	int count;
};

struct worker {
	FIXTURE_DATA(stress) *test;
	struct batch held[HELD];
	__u64 random;
	const char *wrong;
};

static __u32 random_bytes(__u64 *random)
{
	__u32 largest = 16U << next_random(random) % 13;

	return 1 + next_random(random) % largest;
}

static void take(struct worker *worker, struct batch *batch)
{
	int zone = worker->test->zone;
	int i;

	batch->bytes = random_bytes(&worker->random);
	batch->seed = worker->random;
	batch->count = _try_alloc_in(zone, next_random(&worker->random) % 3,
				     batch->bytes,
				     1 + next_random(&worker->random) % 16,
				     batch->offsets);
	if (batch->count == -ENOMEM)
		batch->count = 0;
	if (batch->count < 0)
		worker->wrong = "an allocation failed";
	for (i = 0; i < batch->count; i++)
		fill_pattern(worker->test->data + batch->offsets[i], batch->bytes,
			     batch->seed + i);
}

static void give_back(struct worker *worker, struct batch *batch)
{
	int zone = worker->test->zone;
	int i;

	for (i = 0; i < batch->count; i++)
		if (!has_pattern(worker->test->data + batch->offsets[i],
				 batch->bytes, batch->seed + i))
			worker->wrong = "somebody else wrote to an object";
	if (batch->count > 0 &&
	    _try_free_all(zone, batch->offsets, batch->count) != batch->count)
		worker->wrong = "a free was refused";
	batch->count = 0;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	double end = now() + SECONDS;
	int i;

	while (!worker->wrong && now() < end) {
		struct batch *batch;

		batch = &worker->held[next_random(&worker->random) % HELD];
		if (batch->count)
			give_back(worker, batch);
		else
			take(worker, batch);
	}
	for (i = 0; i < HELD && !worker->wrong; i++)
		give_back(worker, &worker->held[i]);
	return NULL;
}

static int work_in_threads(void *arg)
{
	static struct worker workers[THREADS];
	pthread_t threads[THREADS];
	int i, ret = 0;

	for (i = 0; i < THREADS; i++) {
		workers[i].test = arg;
		workers[i].random = getpid() * 1000003ULL + i;
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			return 2;
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (workers[i].wrong) {
			fprintf(stderr, "# %s\n", workers[i].wrong);
			ret = 1;
		}
	}
	return ret;
}

static bool figures_are_zero(int zone)
{
	struct shmzone_class_figures figures;
	struct shmzone_stat stat;
	__u32 class;

	if (_try_stat(zone, &stat))
		return false;
	for (class = 0; class < SHMZONE_CLASSES; class++) {
		_try_class_stat(zone, class, SHMZONE_GROUP_ALL, &figures);
		if (figures.used || figures.requests - figures.failures !=
				    figures.frees)
			return false;
	}
	return !stat.out_live_objects && !stat.out_live_bytes &&
	       !stat.out_spans && stat.out_frees ==
	       stat.out_requests - stat.out_failures;
}

TEST_F(stress, processes_and_threads)
{
	struct shmzone_stat stat;
	pid_t children[PROCESSES];
	int i;

	for (i = 0; i < PROCESSES; i++)
		children[i] = start_child(work_in_threads, self);
	for (i = 0; i < PROCESSES; i++)
		EXPECT_EQ(0, end_child(children[i]));
	EXPECT_TRUE(figures_are_zero(self->zone));
	stat = stat_of(self->zone);
	EXPECT_EQ(0, stat.out_bad_outside + stat.out_bad_misaligned +
		     stat.out_bad_interior + stat.out_bad_not_live +
		     stat.out_bad_bytes);
	TH_LOG("%llu objects", stat.out_requests);
}

TEST_F(stress, at_the_limit)
{
	pid_t children[PROCESSES];
	int i;

	close(self->zone);
	self->zone = create_limited(self->control, ZONE_BYTES, MIB);
	munmap(self->data, ZONE_BYTES);
	self->data = map_data_ok(self->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	for (i = 0; i < PROCESSES; i++)
		children[i] = start_child(work_in_threads, self);
	for (i = 0; i < PROCESSES; i++)
		EXPECT_EQ(0, end_child(children[i]));
	EXPECT_TRUE(figures_are_zero(self->zone));
	EXPECT_LT(0, stat_of(self->zone).out_failures);
	/* All of it can be had again. */
	free_at(self->zone, alloc(self->zone, MIB));
}

static int work_until_killed(void *arg)
{
	for (;;)
		work_in_threads(arg);
	return 0;
}

TEST_F(stress, workers_are_killed)
{
	double end = now() + SECONDS;
	pid_t steady = start_child(work_in_threads, self);
	int kills = 0;

	while (now() < end) {
		pid_t victim = start_child(work_until_killed, self);

		usleep(20000 + victim * 7919 % 50000);
		kill(victim, SIGKILL);
		ASSERT_EQ(-SIGKILL, end_child(victim));
		kills++;
	}
	/* Who was not killed has not noticed anything. */
	ASSERT_EQ(0, end_child(steady));
	TH_LOG("%d processes killed", kills);
	/* What the killed had is still live, and the zone is in order. */
	ASSERT_EQ(stat_of(self->zone).out_requests -
		  stat_of(self->zone).out_failures - stat_of(self->zone).out_frees,
		  stat_of(self->zone).out_live_objects);
	ASSERT_EQ(0, in_child(work_in_threads, self));
}

/* Free whatever one guesses: live objects of others, too. */
static int free_at_random(void *arg)
{
	FIXTURE_DATA(stress) *self = arg;
	__u64 random = getpid();
	double end = now() + SECONDS;
	__u64 offsets[32];
	int i;

	while (now() < end) {
		for (i = 0; i < 32; i++)
			offsets[i] = next_random(&random) % (4 * MIB) & ~7ULL;
		for (i = 0; i < 32; i++)
			_try_free_all(self->zone, offsets + i, 32 - i);
		_try_alloc(self->zone, random_bytes(&random), 32, offsets);
	}
	return 0;
}

TEST_F(stress, wild_frees_cannot_break_the_figures)
{
	struct shmzone_stat stat;
	pid_t children[PROCESSES];
	int i;

	for (i = 0; i < PROCESSES; i++)
		children[i] = start_child(free_at_random, self);
	for (i = 0; i < PROCESSES; i++)
		ASSERT_EQ(0, end_child(children[i]));
	stat = stat_of(self->zone);
	ASSERT_EQ(stat.out_requests - stat.out_failures - stat.out_frees,
		  stat.out_live_objects);
	ASSERT_LE(stat.out_live_bytes, stat.out_taken_bytes);
	ASSERT_TRUE(zone_consistent(self->zone));
}

static int create_use_and_drop(void *arg)
{
	FIXTURE_DATA(stress) *self = arg;
	double end = now() + SECONDS;
	__u64 random = getpid();

	while (now() < end) {
		int zone = _try_create(self->control, 64 * MIB);
		__u64 offset;
		char *data;

		if (zone < 0)
			return 1;
		data = map_data(zone, 64 * MIB, PROT_READ | PROT_WRITE);
		if (_try_alloc(zone, random_bytes(&random), 1, &offset) == 1)
			data[offset] = 1;
		/* Descriptor and mapping go in either order. */
		if (random & 1)
			close(zone);
		munmap(data, 64 * MIB);
		if (!(random & 1))
			close(zone);
	}
	return 0;
}

TEST_F(stress, zones_come_and_go)
{
	pid_t children[PROCESSES];
	int i;

	for (i = 0; i < PROCESSES; i++)
		children[i] = start_child(create_use_and_drop, self);
	for (i = 0; i < PROCESSES; i++)
		ASSERT_EQ(0, end_child(children[i]));
	ASSERT_TRUE(zones_become(self->control, self->zones + 1));
}

struct mapper {
	FIXTURE_DATA(stress) *test;
	double end;
	int failed;
};

static void *map_and_unmap(void *arg)
{
	struct mapper *mapper = arg;

	while (now() < mapper->end) {
		volatile __u32 *map = map_pages(mapper->test->zone, ZONE_BYTES,
						PROT_READ);
		size_t i;

		/* The zone may have been closed since its number was read. */
		if ((void *)map == MAP_FAILED)
			continue;
		for (i = 0; i < ZONE_BYTES / page_bytes(); i += 512)
			if (SHMZONE_PAGE_KIND(map[i]) > SHMZONE_KIND_SPAN)
				mapper->failed = 1;
		munmap((void *)map, ZONE_BYTES / page_bytes() * sizeof(__u32));
	}
	return NULL;
}

TEST_F(stress, page_map_is_faulted_while_it_appears)
{
	struct mapper mapper = { .test = self, .end = now() + SECONDS };
	pthread_t threads[2];
	__u64 offset;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, map_and_unmap, &mapper));
	while (now() < mapper.end) {
		int old = self->zone;
		int zone = create(self->control, ZONE_BYTES);

		/* A new zone's page map is empty: parts appear once only. */
		self->zone = zone;
		for (i = 0; i < 60; i++)
			if (_try_alloc(zone, 4 * MIB, 1, &offset) != 1)
				break;
		ASSERT_EQ(60, i);
		usleep(1000);
		close(old);
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ASSERT_EQ(0, mapper.failed);
}

TEST_HARNESS_MAIN
