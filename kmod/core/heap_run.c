// SPDX-License-Identifier: GPL-2.0
/*
 * How runs of pages become slabs and spans, and how they end.
 *
 * See heap_impl.h for the states of a run. Making one is in two phases:
 * reserve it under the pages lock, drop the lock, do what may sleep (the
 * descriptor, the keeper's prepare), retake it, publish. Whatever fails in
 * between, the run is abandoned and nobody has seen it.
 *
 * If the keeper has a release callback, ending a run is in two phases as well:
 * make it busy and dying under the pages lock, drop the lock, release, retake
 * it, and give the pages back, which are clean then. An abandoned run dies
 * likewise. Whoever ends a run is in heap_free() or the like and has it on
 * its stack, one at a time: so a batch of frees needs no memory, and holds the
 * pages lock for one run at once.
 *
 * Publishing marks the page map before the directory has the entry, ending a
 * run clears the mark before its pages are free, so that the map never names
 * a class for a page that has another use.
 *
 * The page bitmap holds every taken page for dirty. A slab knows better, page
 * by page, and what it never used is clean again when it ends. The pages of a
 * span are dirty from the moment it is reserved.
 *
 * Ending a run only adds to the stock, so frees neither allocate nor fail.
 */
#include "core_env.h"
#include "heap_impl.h"

static_assert(CLASS_SLAB_PAGES_MAX <= DIR_SET_MAX);

/**
 * struct run - a run of pages
 * @first: first page
 * @n: pages
 * @entries: pages from the first that have an entry in the directory
 * @slab: it is a slab, or to become one; else a span
 * @dirty: of a slab: pages that may hold memory, a bit each
 * @dying: its memory is being released; under the pages lock
 * @link: while it is busy: in the heap's list
 */
struct run {
	u64 first;
	u64 n;
	u64 entries;
	bool slab;
	u8 dirty;
	bool dying;
	struct list_head link;
};

static void run_add_busy(struct heap *heap, struct run *run)
{
	core_assert_held(&heap->lock);
	list_add(&run->link, &heap->busy);
	heap->busy_pages += run->n;
}

static void run_del_busy(struct heap *heap, struct run *run)
{
	core_assert_held(&heap->lock);
	list_del(&run->link);
	heap->busy_pages -= run->n;
}

static struct run *busy_run_at(const struct heap *heap, u64 page)
{
	struct run *run;

	list_for_each_entry(run, &heap->busy, link)
		if (page >= run->first && page - run->first < run->n)
			return run;
	return NULL;
}

enum heap_page heap_page_locked(const struct heap *heap, u64 page)
{
	struct run *run;

	core_assert_held(&heap->lock);
	if (!page || page >= heap->pages.count || !pages_is_taken(&heap->pages, page))
		return HEAP_PAGE_FREE;
	run = busy_run_at(heap, page);
	if (!run)
		return HEAP_PAGE_TAKEN;
	return run->dying ? HEAP_PAGE_FREE : HEAP_PAGE_PREPARED;
}

enum heap_page heap_page(struct heap *heap, u64 page)
{
	enum heap_page state;

	core_lock(&heap->lock);
	state = heap_page_locked(heap, page);
	core_unlock(&heap->lock);
	return state;
}

/* Whether the stocks suffice for a run; if not, what it wants. */
static bool run_stocked(const struct heap *heap, const struct run *run,
			struct pages_want *want, u32 *dir_want)
{
	*want = pages_wants(&heap->pages, run->first, run->n);
	*dir_want = dir_wants(&heap->dir, run->first, run->entries);
	return want->objects[PAGES_CHUNK] <= heap->pages_stock.spares[PAGES_CHUNK] &&
	       want->objects[PAGES_NODE] <= heap->pages_stock.spares[PAGES_NODE] &&
	       want->row_len <= heap->pages_stock.row_len &&
	       *dir_want <= heap->dir_stock.count;
}

/* The lowest free run, if the limit allows for it. */
static u64 run_find(const struct heap *heap, u64 n)
{
	u64 taken = heap_taken(heap);

	if (taken > heap->limit_pages || n > heap->limit_pages - taken)
		return PAGES_NONE;
	return pages_find(&heap->pages, n);
}

/* Finds a run and has all in stock that it needs. Drops and retakes the lock. */
static int run_find_stocked(struct heap *heap, struct run *run, struct heap_trash *trash)
	__must_hold(&heap->lock)
{
	struct pages_want want;
	u32 dir_want;
	int err;

	for (;;) {
		run->first = run_find(heap, run->n);
		if (run->first == PAGES_NONE)
			return -ENOMEM;
		if (run_stocked(heap, run, &want, &dir_want))
			return 0;
		err = heap_stock_fill(heap, &want, dir_want, trash);
		if (err)
			return err;
	}
}

/*
 * Reserves a run. For want of pages, the empty slabs held back are let go
 * first, unless the run can never fit.
 */
static int run_reserve(struct heap *heap, struct run *run)
{
	bool hopeless, trimmed = false;
	struct heap_trash trash;
	int err;

	heap_trash_init(&trash);
	for (;; trimmed = true) {
		core_lock(&heap->lock);
		err = run_find_stocked(heap, run, &trash);
		if (!err)
			break;
		hopeless = run->n >= heap->pages.count || run->n > heap->limit_pages;
		heap_unlock(heap, &trash);
		if (run->first != PAGES_NONE || trimmed || hopeless)
			return err;
		heap_release_held(heap);
	}
	if (run->slab)
		run->dirty = pages_dirty_mask(&heap->pages, run->first, run->n);
	pages_take(&heap->pages, run->first, run->n, &heap->pages_stock);
	dir_set(&heap->dir, run->first, run->entries, DIR_BUSY, &heap->dir_stock);
	run_add_busy(heap, run);
	heap_unlock(heap, &trash);
	return 0;
}

/* Leaves nothing superfluous: all entries are there, and only change. */
static void run_publish(struct heap *heap, struct run *run, u64 entry, u32 mark)
{
	core_assert_held(&heap->lock);
	heap->ops->mark(heap->keeper, run->first, run->entries, mark);
	dir_set(&heap->dir, run->first, run->entries, entry, &heap->dir_stock);
	run_del_busy(heap, run);
}

/* Gives the pages of a slab back, those it never used as clean. */
static void run_give_slab(struct heap *heap, const struct run *run)
{
	u32 i, n;

	for (i = 0; i < run->n; i += n) {
		bool dirty = run->dirty >> i & 1;

		for (n = 1; i + n < run->n && (run->dirty >> (i + n) & 1) == dirty; n++)
			;
		if (dirty)
			pages_give(&heap->pages, run->first + i, n, &heap->pages_stock);
		else
			pages_give_clean(&heap->pages, run->first + i, n, &heap->pages_stock);
	}
}

/* Takes a run out of the directory, and gives its pages back. */
static void run_end(struct heap *heap, const struct run *run)
{
	core_assert_held(&heap->lock);
	dir_set(&heap->dir, run->first, run->entries, 0, &heap->dir_stock);
	if (heap->ops->release)
		pages_give_clean(&heap->pages, run->first, run->n, &heap->pages_stock);
	else if (run->slab)
		run_give_slab(heap, run);
	else
		pages_give(&heap->pages, run->first, run->n, &heap->pages_stock);
}

/*
 * Has the keeper release the memory of a busy run, with the lock dropped: from
 * before to after that the run is dying, and as good as free for heap_page().
 */
static void run_release_memory(struct heap *heap, struct run *run) __must_hold(&heap->lock)
{
	struct heap_trash trash;

	if (!heap->ops->release)
		return;
	run->dying = true;
	heap_trash_init(&trash);
	heap_unlock(heap, &trash);
	heap->ops->release(heap->keeper, run->first, run->n);
	core_lock(&heap->lock);
}

static void run_abandon(struct heap *heap, struct run *run)
{
	struct heap_trash trash;

	heap_trash_init(&trash);
	core_lock(&heap->lock);
	run_release_memory(heap, run);
	run_end(heap, run);
	run_del_busy(heap, run);
	heap_unlock(heap, &trash);
	heap_note_empty(heap);
}

/* May drop and retake the lock. */
static void run_release(struct heap *heap, struct run *run) __must_hold(&heap->lock)
{
	heap->ops->mark(heap->keeper, run->first, run->entries, 0);
	if (heap->ops->release) {
		dir_set(&heap->dir, run->first, run->entries, DIR_BUSY, &heap->dir_stock);
		run_add_busy(heap, run);
		run_release_memory(heap, run);
		run_del_busy(heap, run);
	}
	run_end(heap, run);
}

int heap_take_first(struct heap *heap)
{
	struct pages_want want = pages_wants(&heap->pages, 0, 1);
	struct heap_trash trash;
	int err;

	heap_trash_init(&trash);
	core_lock(&heap->lock);
	err = heap_stock_fill(heap, &want, 0, &trash);
	if (!err)
		pages_take(&heap->pages, 0, 1, &heap->pages_stock);
	heap_unlock(heap, &trash);
	return err;
}

/* Slabs. */

int heap_slab_create(struct heap *heap, u32 home, struct slab **slab)
{
	u32 class = SLAB_HOME_CLASS(home), tag = home >> SLAB_OWNER_SHIFT;
	struct run run = {
		.n = class_table[class].slab_pages,
		.entries = class_table[class].slab_pages,
		.slab = true,
	};
	int err;

	err = run_reserve(heap, &run);
	if (err)
		return err;
	if (heap->ops->prepare_fills)
		run.dirty = slab_pages_mask(class);
	*slab = heap_slab_alloc(heap, home);
	if (*slab) {
		slab_init(*slab, home, run.first, run.dirty);
		err = heap->ops->prepare(heap->keeper, run.first, run.n, run.n);
		if (err)
			heap_slab_free(heap, *slab);
	} else {
		err = -ENOMEM;
	}
	if (err) {
		run_abandon(heap, &run);
		return err;
	}
	core_lock(&heap->lock);
	run_publish(heap, &run, dir_slab_entry(*slab),
		    HEAP_MARK(HEAP_KIND_SLAB, class, slab_group(*slab), tag));
	if (tag)
		heap_slab_joins(heap, *slab);
	core_unlock(&heap->lock);
	return 0;
}

void heap_release_surplus(struct heap *heap, struct heap_trash *trash)
{
	struct slab *slab;

	if (list_empty(&trash->surplus))
		return;
	core_lock(&heap->lock);
	while (!list_empty(&trash->surplus)) {
		slab = list_first_entry(&trash->surplus, struct slab, link);
		list_del(&slab->link);
		run_release(heap, &(struct run){
			.first = slab_page(slab),
			.n = class_table[slab_class(slab)].slab_pages,
			.entries = class_table[slab_class(slab)].slab_pages,
			.slab = true,
			.dirty = slab->dirty,
		});
		list_add(&slab->link, &trash->slabs);
		atomic64_add(1, &heap->turnover);
		if (slab_owner(slab))
			heap_slab_leaves(heap, slab, trash);
	}
	heap_unlock(heap, trash);
}

/* Spans. */

int heap_span_create(struct heap *heap, u64 n, u32 group, u32 tag, u64 *first)
{
	struct run run = { .n = n, .entries = 1 };
	int err;

	err = run_reserve(heap, &run);
	if (err)
		return err;
	err = heap->ops->prepare(heap->keeper, run.first, n, 1);
	if (err) {
		run_abandon(heap, &run);
		return err;
	}
	core_lock(&heap->lock);
	run_publish(heap, &run, dir_span_entry(n, group, tag),
		    HEAP_MARK(HEAP_KIND_SPAN, CLASS_SPAN, group, tag));
	heap_stray_add(heap, tag, run.first);
	heap->spans[group].slabs++;
	heap->spans[group].used += n;
	heap->spans[group].requests++;
	core_unlock(&heap->lock);
	*first = run.first;
	return 0;
}

void heap_span_release(struct heap *heap, u64 first, u64 entry)
{
	u32 group = dir_span_group(entry);
	u64 n = dir_span_pages(entry);

	heap_stray_del(heap, dir_span_who(entry) & OWNER_TAG_MASK, 1);
	heap->spans[group].slabs--;
	heap->spans[group].used -= n;
	heap->spans[group].frees++;
	run_release(heap, &(struct run){ .first = first, .n = n, .entries = 1 });
}

/* The end. */

void heap_drain(struct heap *heap)
{
	struct heap_trash trash;
	struct slab *slab;
	u64 page = 0, entry;

	heap_trash_init(&trash);
	while ((entry = dir_next(&heap->dir, &page))) {
		slab = dir_is_span(entry) ? NULL : dir_slab(entry);
		page += slab ? class_table[slab_class(slab)].slab_pages : 1;
		if (slab)
			heap_slab_free(heap, slab);
		cond_resched();
	}
	pages_destroy(&heap->pages, &heap->pages_stock);
	dir_destroy(&heap->dir, &trash.dir);
	core_lock(&heap->lock);
	heap_stock_trim(heap, &trash, 0);
	core_unlock(&heap->lock);
	heap_trash_empty(heap, &trash);
}
