// SPDX-License-Identifier: GPL-2.0
/*
 * What a heap could give up: empty slabs held back, empty nodes, stock, and
 * pages without a live object that may hold memory.
 */
#include "core_env.h"
#include "heap_impl.h"
#include "heap_kin.h"

/*
 * Moves slabs of one shard that are held back to the trash, by @let_go. Returns whether
 * one is still held.
 */
static bool shard_release(struct heap_shard *shard,
			  struct slab *(*let_go)(struct slots_rack *slots),
			  struct heap_trash *trash)
{
	struct slab *slab;
	bool held;

	core_lock(&shard->lock);
	slab = let_go(&shard->slots);
	if (slab) {
		list_add(&slab->link, &trash->surplus);
		shard->stat.slabs--;
	}
	held = shard->slots.held;
	core_unlock(&shard->lock);
	return held;
}

static bool shelf_release(struct heap *heap, const struct heap_owner *owner, u32 class, u32 group,
			  struct slab *(*let_go)(struct slots_rack *slots))
{
	struct heap_trash trash;
	struct heap_shelf *shelf;
	bool held = false;
	u32 i;

	heap_trash_init(&trash);
	rcu_read_lock();
	shelf = heap_shelf(owner, class, group);
	for (i = 0; shelf && i < heap_shelf_shards(shelf); i++)
		held |= shard_release(shelf->shard[i], let_go, &trash);
	rcu_read_unlock();
	heap_release_surplus(heap, &trash);
	return held;
}

static bool group_release(struct heap *heap, const struct heap_owner *owner, u32 group,
			  struct slab *(*let_go)(struct slots_rack *slots))
{
	bool held = false;
	u32 class;

	for (class = CLASS_SPAN + 1; class < CLASS_COUNT; class++)
		held |= shelf_release(heap, owner, class, group, let_go);
	return held;
}

static bool release_held(struct heap *heap, struct slab *(*let_go)(struct slots_rack *slots))
{
	struct heap_owner *owner = NULL;
	bool held = false;
	u32 group;

	while ((owner = heap_owner_next(heap, owner))) {
		for (group = 0; group < CLASS_GROUPS; group++) {
			if (READ_ONCE(owner->group[group]))
				held |= group_release(heap, owner, group, let_go);
			cond_resched();
		}
	}
	return held;
}

void heap_release_held(struct heap *heap)
{
	release_held(heap, slots_release_held);
	heap_note_empty(heap);
}

static void reap_nodes(struct heap *heap)
{
	struct heap_trash trash;
	bool more = true;
	u64 page = 0;

	heap_trash_init(&trash);
	while (more) {
		core_lock(&heap->lock);
		more = dir_reap(&heap->dir, &page, &trash.dir);
		core_unlock(&heap->lock);
		heap_trash_empty(heap, &trash);
		cond_resched();
	}
}

void heap_trim(struct heap *heap)
{
	struct heap_trash trash;

	heap_trash_init(&trash);
	heap_release_held(heap);
	reap_nodes(heap);
	core_lock(&heap->lock);
	heap_stock_trim(heap, &trash, 0);
	core_unlock(&heap->lock);
	heap_trash_empty(heap, &trash);
}

bool heap_is_ageing(const struct heap *heap)
{
	return READ_ONCE(heap->ageing);
}

bool heap_age(struct heap *heap)
{
	WRITE_ONCE(heap->ageing, false);
	/*
	 * Before looking: what comes to be held or empty after it was looked at
	 * says so again, under a lock that is taken here later.
	 */
	smp_mb();
	if (release_held(heap, slots_age) || heap_has_orphans(heap))
		heap_note_idle(heap);
	reap_nodes(heap);
	return heap_is_ageing(heap);
}

/* Finding pages to release. */

/* The idle pages of a slab that may hold memory, from a page on. */
static bool slab_find_idle(struct heap *heap, struct slab *slab, u64 page, u64 *first, u64 *n)
{
	struct heap_shard *shard = heap_shard(heap, slab);
	u32 idle;

	if (!shard)
		return false;
	core_lock(&shard->lock);
	idle = slab->place == SLAB_APART ? 0 : slab_idle(slab) & slab->dirty;
	core_unlock(&shard->lock);

	idle = idle >> (page - slab_page(slab)) << (page - slab_page(slab));
	if (!idle)
		return false;
	*first = slab_page(slab) + __ffs64(idle);
	*n = __ffs64(~((u64)idle >> __ffs64(idle)));
	return true;
}

/**
 * struct idle_search - a walk over runs of pages
 * @page: where it has come to
 * @free_first: the next run of free pages at or after it that may hold memory, as
 *              far as is known: none lies before
 * @free_n: its length; 0 if it is still sought
 * @free_over: there is none any more
 */
struct idle_search {
	u64 page;
	u64 free_first;
	u64 free_n;
	bool free_over;
};

/* Looks for the next free run. Returns whether it is known, or there is none. */
static bool idle_find_free(struct heap *heap, struct idle_search *search)
{
	if (search->free_first < search->page) {
		search->free_first = search->page;
		search->free_n = 0;
	}
	if (!search->free_n && !search->free_over)
		search->free_over = !pages_next_dirty(&heap->pages, &search->free_first,
						      &search->free_n);
	return search->free_n || search->free_over;
}

/*
 * Looks at a bounded number of free pages, or at the next slab or span. Returns
 * whether the search has ended, with the run found in @first and @n, or 0 in @n.
 */
static bool idle_step(struct heap *heap, struct idle_search *search, u64 *first, u64 *n)
{
	u64 entry = 0, page = search->page;
	struct slab *slab;
	bool found = true;

	rcu_read_lock();
	core_lock(&heap->lock);
	if (!idle_find_free(heap, search)) {
		core_unlock(&heap->lock);
		rcu_read_unlock();
		return false;
	}
	entry = dir_next(&heap->dir, &page);
	core_unlock(&heap->lock);

	slab = dir_slab(entry);
	if (search->free_n && (!entry || search->free_first < page)) {
		*first = search->free_first;
		*n = search->free_n;
	} else if (!entry) {
		*n = 0;
	} else if (slab) {
		found = slab_find_idle(heap, slab, page, first, n);
		search->page = slab_page(slab) + class_table[slab_class(slab)].slab_pages;
	} else {
		found = false;
		search->page = page + (dir_is_span(entry) ? dir_span_pages(entry) : 1);
	}
	rcu_read_unlock();
	return found;
}

bool heap_find_idle(struct heap *heap, u64 *first, u64 *n)
{
	struct idle_search search = { .page = *first, .free_first = *first };

	while (!idle_step(heap, &search, first, n))
		cond_resched();
	return *n;
}
