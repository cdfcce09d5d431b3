// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that allocate and free slots of one class and group at the same time,
 * in batches as magazines do: in one zone with one shard, in one with a shard for
 * each thread, and in a zone each, which is as well as it can go. Time is wall
 * time for each object of all threads together.
 */
#include "core.h"
#include "rows.h"

#define THREADS		2
#define BATCHES		2000
#define LIVE		20
#define SLOT_BYTES	64

/**
 * struct crowd - threads and their zones
 * @zone: zones; all threads use the first unless @apart
 * @apart: a zone for each thread
 * @threads: how many
 */
struct crowd {
	struct zone zone[THREADS];
	bool apart;
	u32 threads;
};

struct member {
	pthread_t thread;
	struct zone *zone;
	u32 hint;
};

static void make(struct member *member, u64 *offsets)
{
	struct heap_request request = { .bytes = SLOT_BYTES, .hint = member->hint };
	int got = heap_alloc(member->zone->heap, &request, offsets, HEAP_BATCH_MAX);

	BENCH_ASSERT(got == HEAP_BATCH_MAX);
}

/* Keeps some batches live, so that neither always works on one slab alone. */
static void *member_work(void *arg)
{
	struct member *member = arg;
	u64 offsets[LIVE][HEAP_BATCH_MAX];
	u32 i;

	for (i = 0; i < LIVE; i++)
		make(member, offsets[i]);
	for (i = 0; i < BATCHES; i++) {
		zone_drop(member->zone, offsets[i % LIVE], HEAP_BATCH_MAX);
		make(member, offsets[i % LIVE]);
	}
	for (i = 0; i < LIVE; i++)
		zone_drop(member->zone, offsets[i], HEAP_BATCH_MAX);
	return NULL;
}

static void crowd_round(struct watch *watch, void *arg)
{
	struct crowd *crowd = arg;
	struct member member[THREADS];
	u32 i;

	for (i = 0; i < crowd->threads; i++) {
		member[i].zone = &crowd->zone[crowd->apart ? i : 0];
		member[i].hint = i;
	}
	watch_start(watch);
	for (i = 1; i < crowd->threads; i++)
		pthread_create(&member[i].thread, NULL, member_work, &member[i]);
	member_work(&member[0]);
	for (i = 1; i < crowd->threads; i++)
		pthread_join(member[i].thread, NULL);
	watch_stop(watch, (u64)crowd->threads * (BATCHES + LIVE) * HEAP_BATCH_MAX);
}

static void crowd_create(struct crowd *crowd, u32 threads, u32 shards, bool apart)
{
	u32 i;

	heap_shards = shards;
	*crowd = (struct crowd){ .threads = threads, .apart = apart };
	for (i = 0; i < THREADS; i++)
		zone_create(&crowd->zone[i], TIB(1));
}

void core_shards(u64 arg)
{
	struct crowd alone, one, each, apart;
	struct side sides[] = {
		{ crowd_round, &alone }, { crowd_round, &one },
		{ crowd_round, &each }, { crowd_round, &apart },
	};
	static const char *const names[] = {
		"native, 1 thread", "native, 2 threads, 1 shard",
		"native, 2 threads, 2 shards", "native, 2 threads, a zone each",
	};
	struct sample samples[ARRAY_SIZE(sides)];
	struct figure figure;
	u32 i;

	(void)arg;
	crowd_create(&alone, 1, 1, false);
	crowd_create(&one, THREADS, 1, false);
	crowd_create(&each, THREADS, THREADS, false);
	crowd_create(&apart, THREADS, 1, true);
	rounds_run(sides, samples, ARRAY_SIZE(sides));

	for (i = 0; i < ARRAY_SIZE(sides); i++) {
		figure = figure_of(names[i], &samples[i]);
		if (i < ARRAY_SIZE(sides) - 1 && i)
			figure_beside(&figure, &samples[i], "a zone each",
				      &samples[ARRAY_SIZE(sides) - 1]);
		report(&figure);
	}
	for (i = 0; i < THREADS; i++) {
		zone_destroy(&alone.zone[i]);
		zone_destroy(&one.zone[i]);
		zone_destroy(&each.zone[i]);
		zone_destroy(&apart.zone[i]);
	}
}
