// SPDX-License-Identifier: GPL-2.0
/*
 * What a zone costs before and beside what is in it.
 *
 * create: a zone made and ended at once, of 1 TiB and of 1 MiB, in time and in
 * kernel memory while it is empty.
 *
 * meta: the kernel memory for each live byte where slots of one size fill their
 * slabs: descriptors, directory, page bitmap as allocated (kmem.c), and the
 * page map. The zone holds enough for fixed costs not to count.
 */
#include "core.h"
#include "kmem.h"
#include "rows.h"

#define CREATE_OPS	1000
#define CREATE_RATIO	1.2
#define CREATE_KIB	64

static void create_round(struct watch *watch, void *arg)
{
	const u64 *pages = arg;
	struct zone zone;
	u32 i;

	watch_start(watch);
	for (i = 0; i < CREATE_OPS; i++) {
		zone_create(&zone, *pages);
		zone_destroy(&zone);
	}
	watch_stop(watch, CREATE_OPS);
}

static double empty_kib(u64 pages)
{
	struct zone zone;
	u64 bytes;

	kmem_watch();
	zone_create(&zone, pages);
	bytes = kmem_allocated() + zone_map_bytes(&zone);
	zone_destroy(&zone);
	kmem_unwatch();
	return bytes / 1024.0;
}

static void report_empty(const char *where, u64 pages)
{
	struct figure figure = figure_none(where, "KiB");

	figure.value = estimate_exact(empty_kib(pages));
	figure_bar(&figure, BAR_OF_VALUE, CREATE_KIB);
	report(&figure);
}

void core_create_1tib(u64 arg)
{
	u64 large = TIB(1), small = MIB(1);
	struct side sides[] = { { create_round, &large }, { create_round, &small } };
	struct sample samples[ARRAY_SIZE(sides)];
	struct figure figure;

	(void)arg;
	rounds_run(sides, samples, ARRAY_SIZE(sides));
	figure = figure_of("native, create and destroy 1 TiB", &samples[0]);
	figure_beside(&figure, &samples[0], "1 MiB", &samples[1]);
	figure_bar(&figure, BAR_OF_RATIO, CREATE_RATIO);
	report(&figure);
	report_empty("native, kernel memory of 1 TiB", large);
	report_empty("native, kernel memory of 1 MiB", small);
}

/* Bytes of the zone that are filled: a multiple of every slab's length. */
#define META_BYTES	(1ULL << 30)

static double meta_bar(u64 bytes)
{
	switch (bytes) {
	case 8:
		return 2.2;
	case 16:
		return 1.4;
	case 24:
		return 1.2;
	case 32:
		return 0.95;
	default:
		return 0.9;
	}
}

void core_meta(u64 bytes)
{
	struct figure figure = figure_none("native, full slabs, as allocated", "%");
	u64 n = META_BYTES / bytes, live = n * bytes, i;
	u64 offsets[HEAP_BATCH_MAX];
	double allocated, requested, map;
	struct zone zone;

	kmem_watch();
	zone_create(&zone, TIB(1));
	for (i = 0; i < n; i += HEAP_BATCH_MAX)
		zone_make(&zone, bytes, offsets, min_t(u64, n - i, HEAP_BATCH_MAX));
	map = zone_map_bytes(&zone);
	allocated = kmem_allocated() + map;
	requested = kmem_requested() + map;
	kmem_unwatch();

	figure.value = estimate_exact(100 * allocated / live);
	figure_beside_exact(&figure, "as requested", 100 * requested / live);
	figure_bar(&figure, BAR_OF_VALUE, meta_bar(bytes));
	report(&figure);
	zone_destroy(&zone);
}
