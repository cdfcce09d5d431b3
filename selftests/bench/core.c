// SPDX-License-Identifier: GPL-2.0
/*
 * Calling the core.
 */
#include "core.h"

volatile bool need_resched;

/* Zones. */

static int prepare(void *keeper, u64 first, u64 n, u64 marked)
{
	struct zone *zone = keeper;

	(void)n;
	zone->mapped = max(zone->mapped, first + marked);
	return 0;
}

static void mark(void *keeper, u64 first, u64 n, u32 entry)
{
	(void)keeper;
	(void)first;
	(void)n;
	(void)entry;
}

static const struct heap_ops ops = { .prepare = prepare, .mark = mark };

void zone_create(struct zone *zone, u64 pages)
{
	zone->mapped = 0;
	zone->heap = heap_create(pages, pages, &ops, zone);
	BENCH_ASSERT(zone->heap);
}

void zone_destroy(struct zone *zone)
{
	heap_destroy(zone->heap);
}

/* A u32 a page, in parts of a page. */
u64 zone_map_bytes(const struct zone *zone)
{
	return DIV_ROUND_UP(zone->mapped * sizeof(u32), PAGE_SIZE) * PAGE_SIZE;
}

void zone_make(struct zone *zone, u64 bytes, u64 *offsets, u64 n)
{
	struct heap_request request = { .bytes = bytes };
	u32 batch;

	for (; n; n -= batch, offsets += batch) {
		batch = min_t(u64, n, HEAP_BATCH_MAX);
		if (heap_alloc(zone->heap, &request, offsets, batch) != (int)batch)
			bench_die("an allocation of %llu bytes failed", (unsigned long long)bytes);
	}
}

void zone_drop(struct zone *zone, const u64 *offsets, u64 n)
{
	u32 batch, bad;

	for (; n; n -= batch, offsets += batch) {
		batch = min_t(u64, n, HEAP_BATCH_MAX);
		if (heap_free(zone->heap, offsets, batch, 0, &bad) != (int)batch)
			bench_die("a free was refused");
	}
}

bool zone_find_idle(struct zone *zone, u64 *first, u64 *n)
{
	return heap_find_idle(zone->heap, first, n);
}

/* Trees: what heap_run.c does around each change. */

/* Of nodes and of chunks, kept in stock. */
#define TREE_STOCK	4

static struct kmem_cache *pages_cache[PAGES_KINDS];

static void tree_trim(struct tree *tree, u32 keep)
{
	struct pages_reserve *stock = &tree->stock;
	enum pages_kind kind;
	void *object;

	while ((object = pages_next_dead(stock, &kind)))
		core_cache_free(pages_cache[kind], object);
	for (kind = 0; kind < PAGES_KINDS; kind++)
		while (stock->spares[kind] > keep)
			core_cache_free(pages_cache[kind], pages_next_spare(stock, kind));
	if (!stock->old_row)
		return;
	core_free_array(stock->old_row);
	stock->old_row = NULL;
}

void tree_create(struct tree *tree, u64 pages)
{
	enum pages_kind kind;

	for (kind = 0; kind < PAGES_KINDS; kind++)
		if (!pages_cache[kind])
			pages_cache[kind] = core_cache_create("bench_pages", pages_bytes(kind));
	memset(tree, 0, sizeof(*tree));
	pages_init(&tree->pages, pages);
	tree_take(tree, 0, 1);
}

void tree_destroy(struct tree *tree)
{
	pages_destroy(&tree->pages, &tree->stock);
	tree_trim(tree, 0);
}

u64 tree_find(const struct tree *tree, u64 n)
{
	u64 first = pages_find(&tree->pages, n);

	BENCH_ASSERT(first != PAGES_NONE);
	return first;
}

void tree_take(struct tree *tree, u64 first, u64 n)
{
	struct pages_want want = pages_wants(&tree->pages, first, n);
	struct pages_reserve *stock = &tree->stock;
	enum pages_kind kind;

	for (kind = 0; kind < PAGES_KINDS; kind++)
		while (stock->spares[kind] < want.objects[kind])
			pages_add_spare(stock, kind, core_cache_zalloc(pages_cache[kind]));
	if (want.row_len) {
		stock->row = core_zalloc_array(want.row_len, sizeof(*stock->row));
		stock->row_len = want.row_len;
	}
	pages_take(&tree->pages, first, n, stock);
	tree_trim(tree, TREE_STOCK);
}

void tree_give(struct tree *tree, u64 first, u64 n)
{
	pages_give(&tree->pages, first, n, &tree->stock);
	tree_trim(tree, TREE_STOCK);
}
