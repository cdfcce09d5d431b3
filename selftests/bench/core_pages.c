// SPDX-License-Identifier: GPL-2.0
/*
 * Pages: what finding, taking and giving back runs costs, beside how much is
 * live and how scattered it is.
 *
 * Each row is measured on the page bitmap itself, a page at a time, with nodes
 * in stock as the heap keeps them; and through the heap, with its lock, its
 * directory and its two phases, where the smallest run that is no slab is a
 * span of nine pages.
 *
 * 1m_spans: a hole among many live runs is filled and made again.
 *
 * random: a million live runs lie scattered; a random one is freed and one is
 * allocated, at a random place or where first fit puts it. What first fit has
 * moved is put back, unmeasured, or the live set would gather at the start.
 * (In the heap, which only knows first fit, it has gathered there.) Which runs
 * are freed is known before: to look them up is no part of it.
 *
 * worst: a run is sought that is longer than any of the many holes before it.
 */
#include "core.h"
#include "host.h"
#include "rows.h"

#define SPAN_PAGES	9U
#define SPAN_BYTES	(SPAN_PAGES << PAGE_SHIFT)

/* Of random pages and spans. */
#define LIVE		1000000U

/* A bitmap or a heap with an operation that is measured. */
struct place {
	struct tree tree;
	struct zone zone;
	u64 run;		/* its length in pages */
	u64 first;		/* where it is expected */
	u64 *live;
	u64 seed;
};

/* 1m_spans and worst: take and give the same run. */

#define SAME_OPS	20000

static void same_tree(struct watch *watch, void *arg)
{
	struct place *place = arg;
	u64 first = 0;
	u32 i;

	watch_start(watch);
	for (i = 0; i < SAME_OPS; i++) {
		first = tree_find(&place->tree, place->run);
		tree_take(&place->tree, first, place->run);
		tree_give(&place->tree, first, place->run);
	}
	watch_stop(watch, SAME_OPS);
	BENCH_ASSERT(first == place->first);
}

static void same_zone(struct watch *watch, void *arg)
{
	struct place *place = arg;
	u64 offset = 0;
	u32 i;

	watch_start(watch);
	for (i = 0; i < SAME_OPS; i++) {
		zone_make(&place->zone, place->run << PAGE_SHIFT, &offset, 1);
		zone_drop(&place->zone, &offset, 1);
	}
	watch_stop(watch, SAME_OPS);
	BENCH_ASSERT(offset >> PAGE_SHIFT == place->first);
}

/* Hands in side 0 beside side 1: its time if it has a bar, and the ratio. */
static void report_same(const char *where, const char *peer, const struct sample *samples,
			double bar_ns, double bar_ratio)
{
	struct figure figure = figure_of(where, &samples[0]);

	if (bar_ns) {
		figure_bar(&figure, BAR_OF_VALUE, bar_ns);
		report(&figure);
		figure = figure_of(where, &samples[0]);
	}
	figure_beside(&figure, &samples[0], peer, &samples[1]);
	figure_bar(&figure, BAR_OF_RATIO, bar_ratio);
	report(&figure);
}

#define SPANS_FEW	1000
#define SPANS_RATIO	1.5

/* @live runs of a page from page 1 on, with a hole in the middle. */
static void spans_tree(struct place *place, u64 live)
{
	u64 page;

	place->run = 1;
	place->first = 1 + live / 2;
	tree_create(&place->tree, TIB(1));
	for (page = 1; page <= live; page++)
		tree_take(&place->tree, page, 1);
	tree_give(&place->tree, place->first, 1);
}

static void spans_zone(struct place *place, u64 live)
{
	u64 *offsets = bench_calloc(live, sizeof(*offsets));

	zone_create(&place->zone, TIB(1));
	zone_make(&place->zone, SPAN_BYTES, offsets, live);
	place->run = SPAN_PAGES;
	place->first = offsets[live / 2] >> PAGE_SHIFT;
	zone_drop(&place->zone, &offsets[live / 2], 1);
	free(offsets);
}

void core_page_1m_spans(u64 arg)
{
	struct place many, few;
	struct side trees[] = { { same_tree, &many }, { same_tree, &few } };
	struct side zones[] = { { same_zone, &many }, { same_zone, &few } };
	struct sample samples[ARRAY_SIZE(trees)];

	(void)arg;
	spans_tree(&many, LIVE);
	spans_tree(&few, SPANS_FEW);
	rounds_run(trees, samples, ARRAY_SIZE(trees));
	report_same("native, bitmap, 1,000,000 live pages", "1,000 live", samples, 0,
		    SPANS_RATIO);
	tree_destroy(&many.tree);
	tree_destroy(&few.tree);

	spans_zone(&many, LIVE);
	spans_zone(&few, SPANS_FEW);
	rounds_run(zones, samples, ARRAY_SIZE(zones));
	report_same("native, heap, 1,000,000 live spans", "1,000 live", samples, 0, SPANS_RATIO);
	zone_destroy(&many.zone);
	zone_destroy(&few.zone);
}

#define WORST_RUN	64U
#define WORST_MANY	1000000U
#define WORST_FEW	10000U
#define WORST_NS	500
#define WORST_RATIO	1.5

/* Pages from 1 on are taken, then every other one is given back. */
static void worst_tree(struct place *place, u64 holes)
{
	u64 page;

	place->run = WORST_RUN;
	place->first = 2 * holes + 1;
	tree_create(&place->tree, TIB(1));
	for (page = 1; page <= 2 * holes; page++)
		tree_take(&place->tree, page, 1);
	for (page = 1; page <= 2 * holes; page += 2)
		tree_give(&place->tree, page, 1);
}

static void worst_zone(struct place *place, u64 holes)
{
	u64 *offsets = bench_calloc(2 * holes, sizeof(*offsets));
	u64 i;

	zone_create(&place->zone, TIB(1));
	zone_make(&place->zone, SPAN_BYTES, offsets, 2 * holes);
	place->run = WORST_RUN;
	place->first = (offsets[2 * holes - 1] >> PAGE_SHIFT) + SPAN_PAGES;
	for (i = 0; i < 2 * holes; i += 2)
		zone_drop(&place->zone, &offsets[i], 1);
	free(offsets);
}

void core_page_worst(u64 arg)
{
	struct place many, few;
	struct side trees[] = { { same_tree, &many }, { same_tree, &few } };
	struct side zones[] = { { same_zone, &many }, { same_zone, &few } };
	struct sample samples[ARRAY_SIZE(trees)];

	(void)arg;
	worst_tree(&many, WORST_MANY);
	worst_tree(&few, WORST_FEW);
	rounds_run(trees, samples, ARRAY_SIZE(trees));
	report_same("native, bitmap, 1,000,000 holes", "10,000 holes", samples, WORST_NS,
		    WORST_RATIO);
	tree_destroy(&many.tree);
	tree_destroy(&few.tree);

	worst_zone(&many, WORST_MANY);
	worst_zone(&few, WORST_FEW);
	rounds_run(zones, samples, ARRAY_SIZE(zones));
	report_same("native, heap, 1,000,000 span holes", "10,000 holes", samples, WORST_NS,
		    WORST_RATIO);
	zone_destroy(&many.zone);
	zone_destroy(&few.zone);
}

/* random. */

#define RANDOM_OPS	5000U
#define RANDOM_NS	1000

/*
 * One random place in each of @n equal parts of [1, @end), in random order, so
 * that they differ; if a bitmap is given, places that are free there.
 */
static void scatter(u64 *places, u64 n, u64 end, u64 *seed, const struct pages *free_in)
{
	u64 i, j, part = (end - 1) / n;

	for (i = 0; i < n; i++)
		do
			places[i] = 1 + i * part + host_random(seed) % part;
		while (free_in && pages_is_taken(free_in, places[i]));
	for (i = n; i > 1; i--) {
		j = host_random(seed) % i;
		swap(places[i - 1], places[j]);
	}
}

static void random_tree(struct place *place, u64 pages)
{
	u32 i;

	place->seed = 1;
	place->run = 1;
	place->live = bench_calloc(LIVE, sizeof(*place->live));
	tree_create(&place->tree, pages);
	scatter(place->live, LIVE, pages, &place->seed, NULL);
	for (i = 0; i < LIVE; i++)
		tree_take(&place->tree, place->live[i], 1);
}

/* Chooses random live runs, all different, and copies them out. */
static void random_choose(struct place *place, u64 *victims, u64 *runs)
{
	u32 i;

	scatter(victims, RANDOM_OPS, LIVE + 1, &place->seed, NULL);
	for (i = 0; i < RANDOM_OPS; i++)
		runs[i] = place->live[victims[i] - 1];
}

static void random_replace(struct place *place, const u64 *victims, const u64 *runs)
{
	u32 i;

	for (i = 0; i < RANDOM_OPS; i++)
		place->live[victims[i] - 1] = runs[i];
}

static void random_anywhere(struct watch *watch, void *arg)
{
	u64 victims[RANDOM_OPS], runs[RANDOM_OPS], places[RANDOM_OPS];
	struct place *place = arg;
	struct tree *tree = &place->tree;
	u32 i;

	random_choose(place, victims, runs);
	scatter(places, RANDOM_OPS, tree->pages.count, &place->seed, &tree->pages);
	watch_start(watch);
	for (i = 0; i < RANDOM_OPS; i++) {
		tree_give(tree, runs[i], 1);
		tree_take(tree, places[i], 1);
	}
	watch_stop(watch, RANDOM_OPS);
	random_replace(place, victims, places);
}

static void random_first_fit(struct watch *watch, void *arg)
{
	u64 victims[RANDOM_OPS], runs[RANDOM_OPS];
	struct place *place = arg;
	struct tree *tree = &place->tree;
	u32 i;

	random_choose(place, victims, runs);
	watch_start(watch);
	for (i = 0; i < RANDOM_OPS; i++) {
		tree_give(tree, runs[i], 1);
		runs[i] = tree_find(tree, 1);
		tree_take(tree, runs[i], 1);
	}
	watch_stop(watch, RANDOM_OPS);

	for (i = 0; i < RANDOM_OPS; i++)
		tree_give(tree, runs[i], 1);
	scatter(runs, RANDOM_OPS, tree->pages.count, &place->seed, &tree->pages);
	for (i = 0; i < RANDOM_OPS; i++)
		tree_take(tree, runs[i], 1);
	random_replace(place, victims, runs);
}

static void random_zone(struct place *place, u64 pages)
{
	place->seed = 1;
	place->run = SPAN_PAGES;
	place->live = bench_calloc(LIVE, sizeof(*place->live));
	zone_create(&place->zone, pages);
	zone_make(&place->zone, SPAN_BYTES, place->live, LIVE);
}

static void random_heap(struct watch *watch, void *arg)
{
	u64 victims[RANDOM_OPS], runs[RANDOM_OPS];
	struct place *place = arg;
	u32 i;

	random_choose(place, victims, runs);
	watch_start(watch);
	for (i = 0; i < RANDOM_OPS; i++) {
		zone_drop(&place->zone, &runs[i], 1);
		zone_make(&place->zone, SPAN_BYTES, &runs[i], 1);
	}
	watch_stop(watch, RANDOM_OPS);
	random_replace(place, victims, runs);
}

void core_page_random(u64 arg)
{
	static const char *const where[] = {
		"native, bitmap, 1 TiB, any place", "native, bitmap, 1 TiB, first fit",
		"native, bitmap, 16 TiB, any place", "native, bitmap, 16 TiB, first fit",
		"native, heap, 1 TiB, spans", "native, heap, 16 TiB, spans",
	};
	struct place small, large, small_zone, large_zone;
	struct side sides[] = {
		{ random_anywhere, &small }, { random_first_fit, &small },
		{ random_anywhere, &large }, { random_first_fit, &large },
		{ random_heap, &small_zone }, { random_heap, &large_zone },
	};
	struct sample samples[ARRAY_SIZE(sides)];
	struct figure figure;
	u32 i;

	(void)arg;
	random_tree(&small, TIB(1));
	random_tree(&large, TIB(16));
	random_zone(&small_zone, TIB(1));
	random_zone(&large_zone, TIB(16));
	rounds_run(sides, samples, ARRAY_SIZE(sides));
	for (i = 0; i < ARRAY_SIZE(sides); i++) {
		figure = figure_of(where[i], &samples[i]);
		figure_bar(&figure, BAR_OF_VALUE, RANDOM_NS);
		report(&figure);
	}
}
