// SPDX-License-Identifier: GPL-2.0
/*
 * How runs of pages become slabs and spans, and how they end.
 *
 * See heap_impl.h for the states of a run. Making one is in two phases:
 * reserve it under the lock, drop the lock, do what may sleep (the owner's
 * prepare, the descriptor), retake it, publish. Whatever fails in between,
 * the run is abandoned and nobody has seen it; only its pages count as dirty
 * from then on, since the bitmap cannot tell that they were never used.
 *
 * Publishing marks the page map before the directory has the entry, ending a
 * run clears the mark before its pages are free, so that the map never names
 * a class for a page that has another use.
 *
 * Nodes for bitmap and directory come from a stock in the heap. What a run
 * lacks is allocated without the lock, and then everything is looked at
 * afresh, as other runs may have come and gone. Ending a run only adds to the
 * stock, so frees neither allocate nor fail.
 */
#include "core_env.h"
#include "heap_impl.h"

/* Memory. */

void *heap_zalloc(struct heap *heap, size_t bytes)
{
	void *object = core_zalloc(bytes);

	if (object)
		atomic64_add(bytes, &heap->kernel_bytes);
	return object;
}

void heap_kfree(struct heap *heap, void *object, size_t bytes)
{
	if (!object)
		return;
	atomic64_sub(bytes, &heap->kernel_bytes);
	core_free(object);
}

static void row_free(struct heap *heap, struct pages_reserve *reserve)
{
	if (!reserve->row)
		return;
	atomic64_sub(reserve->row_len * sizeof(*reserve->row), &heap->kernel_bytes);
	core_free_array(reserve->row);
	reserve->row = NULL;
	reserve->row_len = 0;
}

void heap_trash_init(struct heap_trash *trash)
{
	memset(trash, 0, sizeof(*trash));
	INIT_LIST_HEAD(&trash->slabs);
}

static void trash_empty(struct heap *heap, struct heap_trash *trash)
{
	struct slab *slab;
	void *node;

	while (!list_empty(&trash->slabs)) {
		slab = list_first_entry(&trash->slabs, struct slab, link);
		list_del(&slab->link);
		heap_kfree(heap, slab, slab_bytes(slab->class));
	}
	while ((node = pages_next_spare(&trash->pages)))
		heap_kfree(heap, node, pages_node_bytes());
	while ((node = pages_next_dead(&trash->pages))) {
		heap_kfree(heap, node, pages_node_bytes());
		cond_resched();
	}
	while ((node = dir_next_node(&trash->dir))) {
		heap_kfree(heap, node, dir_node_bytes());
		cond_resched();
	}
	row_free(heap, &trash->pages);
}

/* Moves to the trash what the stocks hold beyond the given numbers. */
static void stock_trim(struct heap *heap, struct heap_trash *trash, u32 pages, u32 dir)
{
	struct pages_reserve *stock = &heap->pages_stock;

	swap(trash->pages.dead, stock->dead);
	swap(trash->pages.row, stock->row);
	swap(trash->pages.row_len, stock->row_len);
	while (stock->spares > pages)
		pages_add_spare(&trash->pages, pages_next_spare(stock));
	while (heap->dir_stock.count > dir)
		dir_add_node(&trash->dir, dir_next_node(&heap->dir_stock));
}

void heap_lock(struct heap *heap) __acquires(&heap->lock)
{
	core_lock(&heap->lock);
}

void heap_unlock(struct heap *heap, struct heap_trash *trash) __releases(&heap->lock)
{
	stock_trim(heap, trash, HEAP_PAGES_STOCK, HEAP_DIR_STOCK);
	core_unlock(&heap->lock);
	trash_empty(heap, trash);
}

void heap_empty_stock(struct heap *heap, struct heap_trash *trash)
{
	core_assert_held(&heap->lock);
	stock_trim(heap, trash, 0, 0);
}

/* Allocates what @pages and @dir lack to @want, of whatever they have. */
static int stock_alloc(struct heap *heap, const struct pages_want *want, u32 dir_want,
		       struct pages_reserve *pages, struct dir_reserve *dir)
{
	void *node;

	if (want->row_len) {
		pages->row = core_zalloc_array(want->row_len, sizeof(*pages->row));
		if (!pages->row)
			return -ENOMEM;
		pages->row_len = want->row_len;
		atomic64_add(want->row_len * sizeof(*pages->row), &heap->kernel_bytes);
	}
	while (pages->spares < want->nodes) {
		node = heap_zalloc(heap, pages_node_bytes());
		if (!node)
			return -ENOMEM;
		pages_add_spare(pages, node);
	}
	while (dir->count < dir_want) {
		node = heap_zalloc(heap, dir_node_bytes());
		if (!node)
			return -ENOMEM;
		dir_add_node(dir, node);
	}
	return 0;
}

/* Puts enough into the stocks for a run. Drops and retakes the lock. */
static int stock_fill(struct heap *heap, const struct pages_want *want, u32 dir_want,
		      struct heap_trash *trash) __must_hold(&heap->lock)
{
	struct heap_trash fresh;
	void *node;
	int err;

	heap_trash_init(&fresh);
	heap_unlock(heap, trash);
	err = stock_alloc(heap, want, dir_want, &fresh.pages, &fresh.dir);
	if (err)
		trash_empty(heap, &fresh);
	heap_lock(heap);

	while ((node = pages_next_spare(&fresh.pages)))
		pages_add_spare(&heap->pages_stock, node);
	while ((node = dir_next_node(&fresh.dir)))
		dir_add_node(&heap->dir_stock, node);
	/* Dropping the lock left no row in the stock. */
	heap->pages_stock.row = fresh.pages.row;
	heap->pages_stock.row_len = fresh.pages.row_len;
	return err;
}

/* Runs. */

static_assert(CLASS_SLAB_PAGES_MAX <= DIR_SET_MAX);

/* Whether the stocks suffice for a run; if not, what it wants. */
static bool run_stocked(const struct heap *heap, u64 first, u64 n, u64 entries,
			struct pages_want *want, u32 *dir_want)
{
	*want = pages_wants(&heap->pages, first, n);
	*dir_want = dir_wants(&heap->dir, first, entries);
	return want->nodes <= heap->pages_stock.spares &&
	       want->row_len <= heap->pages_stock.row_len &&
	       *dir_want <= heap->dir_stock.count;
}

/* The lowest free run, if the limit allows for it. */
static u64 run_find(const struct heap *heap, u64 n)
{
	u64 taken = heap_taken(heap);
	u64 limit = heap->stat.limit_pages;

	if (taken > limit || n > limit - taken)
		return PAGES_NONE;
	return pages_find(&heap->pages, n);
}

/*
 * Reserves a run whose first @entries pages have an entry in the directory.
 * For want of pages, the empty slabs held back are let go first. Drops and
 * retakes the lock.
 */
static int run_reserve(struct heap *heap, u64 n, u64 entries, struct heap_trash *trash,
		       u64 *first) __must_hold(&heap->lock)
{
	struct pages_want want;
	bool trimmed = false;
	u32 dir_want;
	int err;

	core_assert_held(&heap->lock);
	for (;;) {
		*first = run_find(heap, n);
		if (*first == PAGES_NONE) {
			/* What can never fit is no reason to let go of anything. */
			if (trimmed || n >= heap->pages.count || n > heap->stat.limit_pages)
				return -ENOMEM;
			heap_release_held(heap, trash);
			trimmed = true;
			continue;
		}
		if (run_stocked(heap, *first, n, entries, &want, &dir_want))
			break;
		err = stock_fill(heap, &want, dir_want, trash);
		if (err)
			return err;
	}
	pages_take(&heap->pages, *first, n, &heap->pages_stock);
	dir_set(&heap->dir, *first, entries, DIR_BUSY, &heap->dir_stock);
	heap->busy_pages += n;
	return 0;
}

static void run_publish(struct heap *heap, u64 first, u64 n, u64 entries, u64 entry, u32 mark)
{
	core_assert_held(&heap->lock);
	heap->ops->mark(heap->owner, first, entries, mark);
	dir_set(&heap->dir, first, entries, entry, &heap->dir_stock);
	heap->busy_pages -= n;
}

static void run_abandon(struct heap *heap, u64 first, u64 n, u64 entries)
{
	core_assert_held(&heap->lock);
	dir_set(&heap->dir, first, entries, 0, &heap->dir_stock);
	pages_give(&heap->pages, first, n, &heap->pages_stock);
	heap->busy_pages -= n;
}

static void run_release(struct heap *heap, u64 first, u64 n, u64 entries)
{
	core_assert_held(&heap->lock);
	heap->ops->mark(heap->owner, first, entries, 0);
	dir_set(&heap->dir, first, entries, 0, &heap->dir_stock);
	pages_give(&heap->pages, first, n, &heap->pages_stock);
}

int heap_take_first(struct heap *heap)
{
	struct pages_want want = pages_wants(&heap->pages, 0, 1);
	struct heap_trash trash;
	int err;

	heap_trash_init(&trash);
	heap_lock(heap);
	err = stock_fill(heap, &want, 0, &trash);
	if (!err)
		pages_take(&heap->pages, 0, 1, &heap->pages_stock);
	heap_unlock(heap, &trash);
	return err;
}

/* Slabs and spans. */

int heap_slab_create(struct heap *heap, u32 class, u32 group, struct heap_trash *trash,
		     struct slab **slab) __must_hold(&heap->lock)
{
	u64 first, n = class_table[class].slab_pages;
	int err;

	err = run_reserve(heap, n, n, trash, &first);
	if (err)
		return err;
	heap_unlock(heap, trash);

	*slab = NULL;
	err = heap->ops->prepare(heap->owner, first, n, n);
	if (!err) {
		*slab = heap_zalloc(heap, slab_bytes(class));
		err = *slab ? 0 : -ENOMEM;
	}

	heap_lock(heap);
	if (err) {
		run_abandon(heap, first, n, n);
		return err;
	}
	slab_init(*slab, class, group, first);
	run_publish(heap, first, n, n, dir_slab_entry(*slab),
		    HEAP_MARK(HEAP_KIND_SLAB, class, group));
	heap->group[group]->shelf[class]->stat.slabs++;
	heap->stat.slabs++;
	return 0;
}

void heap_slab_release(struct heap *heap, struct slab *slab, struct heap_trash *trash)
{
	u64 n = class_table[slab->class].slab_pages;

	run_release(heap, slab->page, n, n);
	heap->group[slab->group]->shelf[slab->class]->stat.slabs--;
	heap->stat.slabs--;
	list_add(&slab->link, &trash->slabs);
}

int heap_span_create(struct heap *heap, u64 n, u32 group, struct heap_trash *trash,
		     u64 *first) __must_hold(&heap->lock)
{
	struct heap_shelf *shelf = heap->group[group]->shelf[CLASS_SPAN];
	int err;

	err = run_reserve(heap, n, 1, trash, first);
	if (err)
		return err;
	heap_unlock(heap, trash);
	err = heap->ops->prepare(heap->owner, *first, n, 1);
	heap_lock(heap);
	if (err) {
		run_abandon(heap, *first, n, 1);
		return err;
	}
	run_publish(heap, *first, n, 1, dir_span_entry(n, group),
		    HEAP_MARK(HEAP_KIND_SPAN, CLASS_SPAN, group));
	shelf->stat.slabs++;
	heap->stat.spans++;
	return 0;
}

void heap_span_release(struct heap *heap, u64 first, u64 n, u32 group)
{
	struct heap_shelf *shelf = heap->group[group]->shelf[CLASS_SPAN];

	run_release(heap, first, n, 1);
	shelf->stat.slabs--;
	heap->stat.spans--;
}

static void group_release_held(struct heap *heap, struct heap_group *group,
			       struct heap_trash *trash)
{
	struct slab *slab;
	u32 class;

	for (class = CLASS_SPAN + 1; class < CLASS_COUNT; class++) {
		if (!group->shelf[class])
			continue;
		slab = slots_release_held(&group->shelf[class]->slots);
		if (slab)
			heap_slab_release(heap, slab, trash);
	}
}

void heap_release_held(struct heap *heap, struct heap_trash *trash) __must_hold(&heap->lock)
{
	u32 group;

	core_assert_held(&heap->lock);
	for (group = 0; group < CLASS_GROUPS; group++) {
		if (!heap->group[group])
			continue;
		group_release_held(heap, heap->group[group], trash);
		if (list_empty(&trash->slabs))
			continue;
		heap_unlock(heap, trash);
		cond_resched();
		heap_lock(heap);
	}
}

void heap_drain(struct heap *heap)
{
	struct heap_trash trash;
	struct slab *slab;
	u64 page = 0, entry;

	heap_trash_init(&trash);
	while ((entry = dir_next(&heap->dir, &page))) {
		slab = dir_is_span(entry) ? NULL : dir_slab(entry);
		page += slab ? class_table[slab->class].slab_pages : 1;
		if (slab)
			heap_kfree(heap, slab, slab_bytes(slab->class));
		cond_resched();
	}
	pages_destroy(&heap->pages, &heap->pages_stock);
	dir_destroy(&heap->dir, &heap->dir_stock);
	stock_trim(heap, &trash, 0, 0);
	trash_empty(heap, &trash);
}
