// SPDX-License-Identifier: GPL-2.0
/*
 * Figures of a heap, and its check.
 *
 * The check walks the directory, which names every slab and span once, in
 * address order, and compares it with everything else that speaks of them:
 * the page bitmap, the shelves, the figures.
 */
#include "core_env.h"
#include "heap_impl.h"

void heap_get_stat(struct heap *heap, struct heap_stat *stat)
{
	core_lock(&heap->lock);
	*stat = heap->stat;
	stat->taken_pages = heap_taken(heap);
	core_unlock(&heap->lock);
	stat->kernel_bytes = atomic64_read(&heap->kernel_bytes);
}

static void add_class_stat(struct heap_class_stat *sum, const struct heap *heap, u32 class,
			   u32 group)
{
	const struct heap_class_stat *stat;

	if (!heap->group[group] || !heap->group[group]->shelf[class])
		return;
	stat = &heap->group[group]->shelf[class]->stat;
	sum->slabs += stat->slabs;
	sum->total += class == CLASS_SPAN ? stat->used : stat->slabs * class_table[class].slots;
	sum->used += stat->used;
	sum->requests += stat->requests;
	sum->failures += stat->failures;
	sum->frees += stat->frees;
}

void heap_get_class_stat(struct heap *heap, u32 class, u32 group, struct heap_class_stat *stat)
{
	u32 first = group == CLASS_GROUPS ? 0 : group;
	u32 last = group == CLASS_GROUPS ? CLASS_GROUPS - 1 : group;

	memset(stat, 0, sizeof(*stat));
	if (class >= CLASS_COUNT || group > CLASS_GROUPS)
		return;
	core_lock(&heap->lock);
	for (; first <= last; first++)
		add_class_stat(stat, heap, class, first);
	core_unlock(&heap->lock);
}

/* The check. */

/**
 * struct tally - what the directory says of one class and group
 * @slabs: slabs or spans
 * @used: slots or pages taken
 */
struct tally {
	u64 slabs;
	u64 used;
};

/**
 * struct census - what the directory says of the whole heap
 * @tally: by group and class
 * @pages: pages of slabs and spans
 * @listed: slabs that are on a shelf
 */
struct census {
	struct tally tally[CLASS_GROUPS][CLASS_COUNT];
	u64 pages;
	u64 listed;
};

static const char *census_slab(struct census *census, const struct heap *heap,
			       struct slab *slab, u64 page)
{
	u64 n = class_table[slab->class].slab_pages;
	struct tally *tally;
	u64 i;

	if (slab->class == CLASS_SPAN || slab->class >= CLASS_COUNT ||
	    slab->group >= CLASS_GROUPS)
		return "heap: a slab has no such class or group";
	if (slab->page != page)
		return "heap: a slab is found where it does not begin";
	for (i = 0; i < n; i++)
		if (dir_get(&heap->dir, page + i) != dir_slab_entry(slab))
			return "heap: a page of a slab leads elsewhere";
	tally = &census->tally[slab->group][slab->class];
	tally->slabs++;
	tally->used += class_table[slab->class].slots - slab->free;
	census->pages += n;
	census->listed += slab->place != SLAB_FULL;
	return slab_check(slab);
}

/*
 * Takes the run that begins at the page into account; @next gets the page
 * after it.
 */
static const char *census_run(struct census *census, const struct heap *heap, u64 entry,
			      u64 page, u64 *next)
{
	struct tally *tally;
	const char *error;
	u64 n;

	if (entry == DIR_BUSY) {
		*next = page + 1;
		return NULL;
	}
	if (dir_is_span(entry)) {
		n = dir_span_pages(entry);
		tally = &census->tally[dir_span_group(entry)][CLASS_SPAN];
		tally->slabs++;
		tally->used += n;
		census->pages += n;
	} else {
		if (!dir_slab(entry))
			return "heap: an entry is neither slab nor span";
		error = census_slab(census, heap, dir_slab(entry), page);
		if (error)
			return error;
		n = class_table[dir_slab(entry)->class].slab_pages;
	}
	if (pages_count(&heap->pages, page, n) != n)
		return "heap: a page of a slab or span is free";
	*next = page + n;
	return NULL;
}

static const char *census_take(struct census *census, const struct heap *heap)
{
	const char *error = NULL;
	u64 page = 0, next = 1, entry;

	while (!error && (entry = dir_next(&heap->dir, &page))) {
		if (page < next)
			return "heap: two runs overlap";
		error = census_run(census, heap, entry, page, &next);
		page++;
		if (!dir_is_span(entry))
			page = next;
	}
	return error;
}

static const char *check_shelf(const struct census *census, const struct heap_shelf *shelf,
			       u32 class, u32 group, u64 *listed)
{
	const struct tally *tally = &census->tally[group][class];
	const char *error;
	u64 slabs;

	error = slots_check(&shelf->slots, class, group, &slabs);
	if (error)
		return error;
	*listed += slabs;
	if (shelf->stat.slabs != tally->slabs || shelf->stat.used != tally->used)
		return "heap: figures of a class are wrong";
	if (shelf->stat.requests - shelf->stat.failures - shelf->stat.frees !=
	    (class == CLASS_SPAN ? tally->slabs : tally->used))
		return "heap: requests, failures and frees of a class do not add up";
	return NULL;
}

static const char *check_figures(const struct census *census, const struct heap *heap)
{
	const struct heap_stat *stat = &heap->stat;
	u64 slabs = 0, spans = 0, live = 0, bytes = 0;
	const struct tally *tally;
	u32 class, group;

	for (group = 0; group < CLASS_GROUPS; group++) {
		tally = census->tally[group];
		spans += tally[CLASS_SPAN].slabs;
		live += tally[CLASS_SPAN].slabs;
		bytes += tally[CLASS_SPAN].used << PAGE_SHIFT;
		for (class = CLASS_SPAN + 1; class < CLASS_COUNT; class++) {
			slabs += tally[class].slabs;
			live += tally[class].used;
			bytes += tally[class].used * class_table[class].slot_bytes;
		}
	}
	if (slabs != stat->slabs || spans != stat->spans)
		return "heap: the figures of slabs or spans are wrong";
	if (live != stat->live_objects || bytes != stat->live_bytes)
		return "heap: the figures of live objects are wrong";
	if (stat->requests - stat->failures - stat->frees != live)
		return "heap: requests, failures and frees do not add up";
	return NULL;
}

static const char *check_shelves(const struct census *census, const struct heap *heap)
{
	const struct heap_group *group;
	const char *error = NULL;
	u64 listed = 0;
	u32 i, class;

	for (i = 0; i < CLASS_GROUPS; i++) {
		group = heap->group[i];
		for (class = 0; group && class < CLASS_COUNT && !error; class++)
			if (group->shelf[class])
				error = check_shelf(census, group->shelf[class], class, i, &listed);
	}
	if (!error && listed != census->listed)
		error = "heap: a slab with room is on no shelf, or on two";
	return error;
}

static const char *check_locked(struct census *census, const struct heap *heap)
{
	const char *error;

	error = pages_check(&heap->pages);
	if (!error)
		error = dir_check(&heap->dir);
	if (!error)
		error = census_take(census, heap);
	if (!error && census->pages + heap->busy_pages != heap_taken(heap))
		error = "heap: a taken page belongs to nothing";
	if (!error && !pages_is_taken(&heap->pages, 0))
		error = "heap: page 0 is free";
	if (!error)
		error = check_figures(census, heap);
	if (!error)
		error = check_shelves(census, heap);
	return error;
}

const char *heap_check(struct heap *heap)
{
	struct census *census = core_zalloc_array(1, sizeof(*census));
	const char *error;

	if (!census)
		return "heap: no memory for the check";
	core_lock(&heap->lock);
	error = check_locked(census, heap);
	core_unlock(&heap->lock);
	core_free_array(census);
	return error;
}
