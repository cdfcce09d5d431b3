/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the heap's own files share; nobody else includes this.
 *
 *	heap.c		requests, frees and what lives where
 *	heap_run.c	how runs of pages become slabs and spans, and end
 *	heap_stat.c	figures and the check
 *
 * States of a run of pages, all changed under the lock:
 *
 *	free --reserve--> busy --publish--> slab, span --release--> free
 *	                  |
 *	                  +----abandon----> free
 *
 * A busy run is taken in the page bitmap and says so in the directory, so
 * that neither can nodes that its entries need vanish, nor anybody find it.
 * It belongs to the one who reserved it, who may sleep meanwhile.
 *
 * There is one lock. Who changes bitmap or directory drops it by heap_unlock(),
 * which then frees what became superfluous meanwhile; functions that may drop
 * and retake it say so. What concerns a single shelf (its slots, its figures)
 * and what concerns pages (bitmap, directory, runs) are kept apart, so that
 * each shelf can get a lock of its own, taken before that of the pages.
 */
#ifndef SHMZONE_CORE_HEAP_IMPL_H
#define SHMZONE_CORE_HEAP_IMPL_H

#include "core_env.h"
#include "class.h"
#include "dir.h"
#include "heap.h"
#include "pages.h"
#include "slots.h"

/* Nodes kept for the next run, rather than freed and allocated every time. */
#define HEAP_PAGES_STOCK	PAGES_NODES_MAX
#define HEAP_DIR_STOCK		4

/**
 * struct heap_shelf - one class and group, once it is used
 * @slots: slabs with room; unused for spans
 * @stat: its figures; @stat.total is derived when asked for
 */
struct heap_shelf {
	struct slots_shelf slots;
	struct heap_class_stat stat;
};

struct heap_group {
	struct heap_shelf *shelf[CLASS_COUNT];
};

/**
 * struct heap_trash - what is to be freed once the lock is dropped
 */
struct heap_trash {
	struct list_head slabs;
	struct pages_reserve pages;
	struct dir_reserve dir;
};

/**
 * struct heap - a heap
 * @ops: immutable
 * @owner: immutable
 * @kernel_bytes: memory of the heap, itself included; not under the lock
 * @lock: protects everything below
 * @stat: figures; @taken_pages and @kernel_bytes are filled in when asked for
 * @busy_pages: pages of busy runs
 * @pages: page bitmap; page 0 is taken for good
 * @dir: directory
 * @pages_stock: nodes for the page bitmap
 * @dir_stock: nodes for the directory
 * @group: shelves by group, NULL until the group is used
 */
struct heap {
	const struct heap_ops *ops;
	void *owner;
	atomic64_t kernel_bytes;

	struct core_lock lock;
	struct heap_stat stat;
	u64 busy_pages;
	struct pages pages;
	struct dir dir;
	struct pages_reserve pages_stock;
	struct dir_reserve dir_stock;
	struct heap_group *group[CLASS_GROUPS];
};

/* heap_run.c */

void *heap_zalloc(struct heap *heap, size_t bytes);
void heap_kfree(struct heap *heap, void *object, size_t bytes);

void heap_trash_init(struct heap_trash *trash);
void heap_lock(struct heap *heap) __acquires(&heap->lock);
void heap_unlock(struct heap *heap, struct heap_trash *trash) __releases(&heap->lock);

/* Pages of slabs, spans and busy runs. */
static inline u64 heap_taken(const struct heap *heap)
{
	return heap->pages.taken - 1;
}

/**
 * heap_take_first() - take page 0 for good, in a new heap
 *
 * Returns 0 or -ENOMEM.
 */
int heap_take_first(struct heap *heap);

/**
 * heap_slab_create() - make a slab
 *
 * Drops and retakes the lock. Returns 0 and in @slab the slab, published but
 * apart from its shelf, or a negative errno.
 */
int heap_slab_create(struct heap *heap, u32 class, u32 group, struct heap_trash *trash,
		     struct slab **slab) __must_hold(&heap->lock);

/**
 * heap_slab_release() - end a slab that is empty and apart
 */
void heap_slab_release(struct heap *heap, struct slab *slab, struct heap_trash *trash);

/**
 * heap_span_create() - make a span
 *
 * Drops and retakes the lock. Returns 0 and its first page in @first, or a
 * negative errno.
 */
int heap_span_create(struct heap *heap, u64 n, u32 group, struct heap_trash *trash,
		     u64 *first) __must_hold(&heap->lock);

void heap_span_release(struct heap *heap, u64 first, u64 n, u32 group);

/**
 * heap_release_held() - end all empty slabs held back
 *
 * Drops and retakes the lock.
 */
void heap_release_held(struct heap *heap, struct heap_trash *trash) __must_hold(&heap->lock);

/**
 * heap_empty_stock() - move all nodes that are in stock to the trash
 */
void heap_empty_stock(struct heap *heap, struct heap_trash *trash);

/**
 * heap_drain() - free all but the shelves, in a heap that ends
 *
 * May leave nothing but what heap_create() can leave when it fails.
 */
void heap_drain(struct heap *heap);

#endif /* SHMZONE_CORE_HEAP_IMPL_H */
