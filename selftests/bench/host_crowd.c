// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that come and go, and free what others allocated, as servers do.
 *
 * larson: each thread replaces random ones of its objects for a while, then
 * ends; its objects are taken over by a new thread, of another one where there
 * are several. After Larson and Krishnan's test.
 *
 * xmalloc: each thread allocates objects by the batch, leaves the batch in a
 * common place and frees what it finds there. After Boreham's test.
 *
 * Time is wall time for each object of all threads together.
 */
#include "allocator.h"
#include "pattern.h"
#include "rows.h"

#include <stdatomic.h>

#define THREADS_MAX	2U

/* larson */
#define OBJECTS		1000U
#define LIVES		5U
#define REPLACED	10000U

/* xmalloc */
#define BATCH		64U
#define BATCHES		500U

struct owned {
	void *object[OBJECTS];
	u32 bytes[OBJECTS];
};

struct batch {
	void *object[BATCH];
};

struct crowd;

/**
 * struct member - a thread, or a row of threads that succeed each other
 * @crowd: of which it is one
 * @thread: the thread
 * @first: where in the steps it begins
 * @owned: larson: its objects, exchanged from life to life
 */
struct member {
	struct crowd *crowd;
	pthread_t thread;
	u32 first;
	struct owned *owned;
};

/**
 * struct crowd - threads
 * @from: the allocator
 * @steps: sizes and places
 * @threads: how many at a time
 * @member: each
 * @left: xmalloc: where a batch is left
 */
struct crowd {
	const struct allocator *from;
	const struct step *steps;
	u32 threads;
	struct member member[THREADS_MAX];
	_Alignas(128) struct batch *_Atomic left;
};

static void crowd_work(struct crowd *crowd, void *(*work)(void *member))
{
	u32 i;

	for (i = 0; i < crowd->threads; i++)
		if (pthread_create(&crowd->member[i].thread, NULL, work, &crowd->member[i]))
			bench_die("no thread can be made");
	for (i = 0; i < crowd->threads; i++)
		pthread_join(crowd->member[i].thread, NULL);
}

static void *crowd_begin(const struct allocator *allocator, u64 threads)
{
	struct crowd *crowd = aligned_alloc(128, sizeof(*crowd));
	u32 i;

	if (!crowd)
		bench_die("out of memory");
	memset(crowd, 0, sizeof(*crowd));
	crowd->from = allocator;
	crowd->threads = threads;
	crowd->steps = steps_make();
	for (i = 0; i < threads; i++) {
		crowd->member[i].crowd = crowd;
		crowd->member[i].first = i * (STEPS / THREADS_MAX);
		crowd->member[i].owned = bench_calloc(1, sizeof(struct owned));
	}
	return crowd;
}

/* larson */

static __always_inline void larson_life(struct member *member, const bool zone)
{
	const struct allocator *from = member->crowd->from;
	struct owned *owned = member->owned;
	const struct step *step;
	void **object;
	u32 i;

	for (i = 0; i < REPLACED; i++) {
		step = &member->crowd->steps[(member->first + i) % STEPS];
		object = &owned->object[step->place % OBJECTS];
		if (*object) {
			look(*object);
			drop(from, *object, zone);
		}
		*object = take(from, step->bytes, zone);
		touch(*object, step->bytes);
		owned->bytes[step->place % OBJECTS] = step->bytes;
	}
	member->first += i;
}

static void *larson_life_peer(void *arg)
{
	larson_life(arg, false);
	return NULL;
}

static void *larson_life_zone(void *arg)
{
	larson_life(arg, true);
	return NULL;
}

static void hand_on(struct crowd *crowd)
{
	struct owned *first = crowd->member[0].owned;
	u32 i;

	for (i = 0; i + 1 < crowd->threads; i++)
		crowd->member[i].owned = crowd->member[i + 1].owned;
	crowd->member[i].owned = first;
}

static u64 larson_live(const void *arg)
{
	const struct crowd *crowd = arg;
	u64 sum = 0;
	u32 i, j;

	for (i = 0; i < crowd->threads; i++)
		for (j = 0; j < OBJECTS; j++)
			sum += crowd->member[i].owned->bytes[j];
	return sum;
}

static __always_inline void larson(struct watch *watch, void *arg, const bool zone)
{
	struct crowd *crowd = arg;
	u32 i;

	watch_start(watch);
	for (i = 0; i < LIVES; i++) {
		crowd_work(crowd, zone ? larson_life_zone : larson_life_peer);
		hand_on(crowd);
	}
	watch_stop(watch, (u64)crowd->threads * LIVES * REPLACED);
}

BOTH(larson);

const struct pattern pattern_larson = {
	.rounds = larson_rounds,
	.begin = crowd_begin,
	.live_bytes = larson_live,
};

/* xmalloc */

static __always_inline void batch_drop(const struct allocator *from, struct batch *batch,
				       const bool zone)
{
	u32 i;

	for (i = 0; i < BATCH; i++) {
		look(batch->object[i]);
		drop(from, batch->object[i], zone);
	}
	drop(from, batch, zone);
}

static __always_inline void xmalloc_work(struct member *member, const bool zone)
{
	const struct step *step = member->crowd->steps + member->first % STEPS;
	const struct allocator *from = member->crowd->from;
	struct batch *batch;
	u32 i, j;

	BENCH_ASSERT(member->first + BATCH * BATCHES <= STEPS);
	for (i = 0; i < BATCHES; i++) {
		batch = take(from, sizeof(*batch), zone);
		BENCH_ASSERT(batch);
		for (j = 0; j < BATCH; j++, step++) {
			batch->object[j] = take(from, step->bytes, zone);
			touch(batch->object[j], step->bytes);
		}
		batch = atomic_exchange(&member->crowd->left, batch);
		if (batch)
			batch_drop(from, batch, zone);
	}
}

static void *xmalloc_work_peer(void *arg)
{
	xmalloc_work(arg, false);
	return NULL;
}

static void *xmalloc_work_zone(void *arg)
{
	xmalloc_work(arg, true);
	return NULL;
}

static __always_inline void xmalloc(struct watch *watch, void *arg, const bool zone)
{
	struct crowd *crowd = arg;

	watch_start(watch);
	crowd_work(crowd, zone ? xmalloc_work_zone : xmalloc_work_peer);
	watch_stop(watch, (u64)crowd->threads * BATCHES * BATCH);
}

BOTH(xmalloc);

/* Threads that wait for a processor say nothing, so they are no more than two. */
static void crowds(void (*const *rounds)(struct watch *watch, void *arg), u64 charge)
{
	static const char *const names[] = { "1 thread", "2 threads" };
	u32 i;

	for (i = 0; i < THREADS_MAX; i++) {
		struct contest contest = {
			.where = contest_where(names[i], charge),
			.rounds = rounds,
			.begin = crowd_begin,
			.arg = i + 1,
			.charge = charge,
			.best_bar = 1,
		};

		contest_run(&contest);
	}
}

void host_larson(u64 charge)
{
	crowds(larson_rounds, charge);
}

void host_xmalloc(u64 charge)
{
	crowds(xmalloc_rounds, charge);
}
