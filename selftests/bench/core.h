/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The core as the benchmarks use it: the one place that knows how its
 * functions are called. Whatever is refused ends the row.
 *
 *	zone	a heap whose keeper does what the module's does at least
 *	tree	a page bitmap with nodes in stock, as the heap keeps it
 */
#ifndef SHMZONE_BENCH_CORE_H
#define SHMZONE_BENCH_CORE_H

#include "bench.h"
#include "../../kmod/core/heap.h"
#include "../../kmod/core/pages.h"

#define MIB(n)	((u64)(n) << (20 - PAGE_SHIFT))		/* in pages */
#define GIB(n)	MIB((u64)(n) << 10)
#define TIB(n)	GIB((u64)(n) << 10)

/**
 * struct zone - a heap
 * @heap: the heap
 * @mapped: pages below which the page map exists
 */
struct zone {
	struct heap *heap;
	u64 mapped;
};

void zone_create(struct zone *zone, u64 pages);
void zone_destroy(struct zone *zone);

/* Bytes of the page map, as kmod/pagemap.c allocates it. */
u64 zone_map_bytes(const struct zone *zone);

/* Any number of objects of one size, HEAP_BATCH_MAX at a time. */
void zone_make(struct zone *zone, u64 bytes, u64 *offsets, u64 n);
void zone_drop(struct zone *zone, const u64 *offsets, u64 n);

/* The first such run at or after *@first, in pages. */
bool zone_find_idle(struct zone *zone, u64 *first, u64 *n);

/**
 * struct tree - a page bitmap
 * @pages: the bitmap
 * @stock: nodes to be used
 */
struct tree {
	struct pages pages;
	struct pages_reserve stock;
};

/* Page 0 is taken, as it is in a heap. */
void tree_create(struct tree *tree, u64 pages);
void tree_destroy(struct tree *tree);
u64 tree_find(const struct tree *tree, u64 n);
void tree_take(struct tree *tree, u64 first, u64 n);
void tree_give(struct tree *tree, u64 first, u64 n);

#endif /* SHMZONE_BENCH_CORE_H */
