// SPDX-License-Identifier: GPL-2.0
/*
 * Slots in batches, as magazines ask for them.
 *
 * batch64: 64 slots of 64 bytes allocated and freed at once, for each object,
 * beside glibc's malloc() and free() of as many bytes: of one object at a time,
 * which it serves from a stock of its own, and of 64 at a time.
 *
 * drain_cold: 63 random ones of 10 million live slots are freed at once, as
 * when a magazine is drained. As many are allocated anew, unmeasured. First the
 * zone is alone with the processor's caches, which its 4 MiB of kernel memory
 * mostly fit into. Then it takes turns with glibc, which does the same and has
 * its own data everywhere, and with itself while somebody uses the caches for
 * other things: there all of it waits for memory, whose latency depends on the
 * machine and its day.
 */
#include "core.h"
#include "host.h"
#include "rows.h"

#define SLOT_BYTES	64
#define BATCH		HEAP_BATCH_MAX
#define BATCH_OPS	1000
#define BATCH_OBJECTS	(BATCH_OPS * BATCH)
#define BATCH_LIVE	1000
#define BATCH_RATIO	0.5

struct batch {
	struct zone zone;
	u64 offsets[BATCH];
};

static void batch_zone(struct watch *watch, void *arg)
{
	struct batch *batch = arg;
	u32 i;

	watch_start(watch);
	for (i = 0; i < BATCH_OPS; i++) {
		zone_make(&batch->zone, SLOT_BYTES, batch->offsets, BATCH);
		zone_drop(&batch->zone, batch->offsets, BATCH);
	}
	watch_stop(watch, BATCH_OBJECTS);
}

static void batch_glibc_pair(struct watch *watch, void *arg)
{
	u32 i;

	(void)arg;
	watch_start(watch);
	for (i = 0; i < BATCH_OBJECTS; i++)
		free(malloc(SLOT_BYTES));
	watch_stop(watch, BATCH_OBJECTS);
}

static void batch_glibc_64(struct watch *watch, void *arg)
{
	void *objects[BATCH];
	u32 i, j;

	(void)arg;
	watch_start(watch);
	for (i = 0; i < BATCH_OPS; i++) {
		for (j = 0; j < BATCH; j++)
			objects[j] = malloc(SLOT_BYTES);
		for (j = 0; j < BATCH; j++)
			free(objects[j]);
	}
	watch_stop(watch, BATCH_OBJECTS);
}

void core_batch64(u64 arg)
{
	struct batch batch;
	struct side sides[] = {
		{ batch_zone, &batch }, { batch_glibc_pair, NULL }, { batch_glibc_64, NULL },
	};
	struct sample samples[ARRAY_SIZE(sides)];
	u64 live[BATCH_LIVE];
	struct figure figure;

	(void)arg;
	zone_create(&batch.zone, TIB(1));
	zone_make(&batch.zone, SLOT_BYTES, live, BATCH_LIVE);
	rounds_run(sides, samples, ARRAY_SIZE(sides));

	figure = figure_of("native, 64 slots of 64 bytes", &samples[0]);
	figure_beside(&figure, &samples[0], "glibc, a pair", &samples[1]);
	figure_bar(&figure, BAR_OF_RATIO, BATCH_RATIO);
	report(&figure);
	figure = figure_of("native, 64 slots of 64 bytes", &samples[0]);
	figure_beside(&figure, &samples[0], "glibc, 64 at a time", &samples[2]);
	report(&figure);
	zone_destroy(&batch.zone);
}

#define DRAIN_LIVE	10000000U
#define DRAIN_BATCH	63U
#define DRAIN_BATCHES	16U
#define DRAIN_OPS	(DRAIN_BATCH * DRAIN_BATCHES)
#define DRAIN_TIMES	20U
#define DRAIN_NS	10
#define DRAIN_USED	(16U << 20)

/* Objects of either a zone or glibc; @objects holds offsets or pointers. */
struct drain {
	struct zone *zone;
	u64 *objects;
	u64 seed;
	u8 *used;		/* what others use the caches for, or NULL */
};

static void drain_make(struct drain *drain, u64 *objects, u32 n)
{
	u32 i;

	if (drain->zone)
		zone_make(drain->zone, SLOT_BYTES, objects, n);
	for (i = 0; !drain->zone && i < n; i++)
		objects[i] = (uintptr_t)malloc(SLOT_BYTES);
}

static void drain_drop(struct drain *drain, const u64 *objects, u32 n)
{
	u32 i;

	if (drain->zone)
		zone_drop(drain->zone, objects, n);
	for (i = 0; !drain->zone && i < n; i++)
		free((void *)(uintptr_t)objects[i]);
}

static void drain_begin(struct drain *drain, struct zone *zone)
{
	*drain = (struct drain){ .zone = zone, .seed = 1 };
	drain->objects = bench_calloc(DRAIN_LIVE, sizeof(*drain->objects));
	drain_make(drain, drain->objects, DRAIN_LIVE);
}

/* Puts random ones at the end of @objects, whose order means nothing. */
static u64 *drain_choose(struct drain *drain)
{
	u64 *chosen = drain->objects + DRAIN_LIVE - DRAIN_OPS;
	u32 i, j;

	for (i = 0; i < DRAIN_OPS; i++) {
		j = host_random(&drain->seed) % (DRAIN_LIVE - DRAIN_OPS);
		swap(drain->objects[j], chosen[i]);
	}
	return chosen;
}

static void drain_round(struct watch *watch, void *arg)
{
	struct drain *drain = arg;
	u64 *chosen;
	u32 i, j;

	for (i = 0; i < DRAIN_TIMES; i++) {
		chosen = drain_choose(drain);
		if (drain->used)
			memset(drain->used, i, DRAIN_USED);
		watch_start(watch);
		for (j = 0; j < DRAIN_OPS; j += DRAIN_BATCH)
			drain_drop(drain, chosen + j, DRAIN_BATCH);
		watch_stop(watch, DRAIN_OPS);
		drain_make(drain, chosen, DRAIN_OPS);
	}
}

void core_drain_cold(u64 arg)
{
	struct drain drain, used, glibc;
	struct side sides[] = {
		{ drain_round, &drain }, { drain_round, &used }, { drain_round, &glibc },
	};
	struct sample samples[ARRAY_SIZE(sides)];
	struct figure figure;
	struct zone zone;

	(void)arg;
	zone_create(&zone, TIB(1));
	drain_begin(&drain, &zone);
	rounds_run(sides, samples, 1);
	figure = figure_of("native, 63 of 10 million", &samples[0]);
	figure_bar(&figure, BAR_OF_VALUE, DRAIN_NS);
	report(&figure);

	used = drain;
	used.used = bench_calloc(1, DRAIN_USED);
	drain_begin(&glibc, NULL);
	rounds_run(sides, samples, ARRAY_SIZE(sides));

	figure = figure_of("native, the same, in turns with glibc", &samples[0]);
	figure_beside(&figure, &samples[0], "glibc", &samples[2]);
	report(&figure);
	figure = figure_of("native, the same, caches used", &samples[1]);
	report(&figure);
	zone_destroy(&zone);
}
