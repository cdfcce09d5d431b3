// SPDX-License-Identifier: GPL-2.0
/*
 * The check of a heap: everything is recomputed naively and compared.
 *
 * Two walks over the directory, which names every slab and span once, in
 * address order. The first, under the pages lock, compares it with the page
 * bitmap and the figures of spans, and counts the slabs of each shard. The
 * second is made for each shard that has any, under its lock and the pages
 * lock, and compares the bitmaps of its slabs with its lists and figures. A
 * heap may be in use meanwhile: what one walk sees cannot change under it.
 * Slabs that are apart are being made or ended; they are on no list.
 */
#include "core_env.h"
#include "heap_impl.h"

/**
 * struct census - what the directory says of the whole heap
 * @slabs: of each shard
 * @spans: by group; @slabs and @used alone
 * @pages: pages of slabs and spans
 */
struct census {
	u32 slabs[CLASS_GROUPS][CLASS_COUNT][HEAP_SHARDS_MAX];
	struct heap_class_stat spans[CLASS_GROUPS];
	u64 pages;
};

static const char *census_slab(struct census *census, const struct heap *heap,
			       struct slab *slab, u64 page)
{
	u32 class = slab_class(slab), group = slab_group(slab), shard = slab_shard(slab);
	u64 i;

	if (class == CLASS_SPAN || class >= CLASS_COUNT || group >= CLASS_GROUPS ||
	    !heap_shelf(heap, class, group) ||
	    shard >= heap_shelf_shards(heap_shelf(heap, class, group)))
		return "heap: a slab has no such class, group or shard";
	if (slab->page != page)
		return "heap: a slab is found where it does not begin";
	for (i = 0; i < class_table[class].slab_pages; i++)
		if (dir_get(&heap->dir, page + i) != dir_slab_entry(slab))
			return "heap: a page of a slab leads elsewhere";
	census->slabs[group][class][shard]++;
	return NULL;
}

/*
 * Takes the run that begins at the page into account; @next gets the page
 * after it.
 */
static const char *census_run(struct census *census, const struct heap *heap, u64 entry,
			      u64 page, u64 *next)
{
	struct heap_class_stat *spans;
	const char *error;
	u64 n;

	if (entry == DIR_BUSY) {
		*next = page + 1;
		return NULL;
	}
	if (dir_is_span(entry)) {
		n = dir_span_pages(entry);
		spans = &census->spans[dir_span_group(entry)];
		spans->slabs++;
		spans->used += n;
	} else {
		if (!dir_slab(entry))
			return "heap: an entry is neither slab nor span";
		error = census_slab(census, heap, dir_slab(entry), page);
		if (error)
			return error;
		n = class_table[slab_class(dir_slab(entry))].slab_pages;
	}
	if (pages_count(&heap->pages, page, n) != n)
		return "heap: a page of a slab or span is free";
	census->pages += n;
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

static const char *check_spans(const struct census *census, const struct heap *heap)
{
	const struct heap_class_stat *stat;
	u32 group;

	for (group = 0; group < CLASS_GROUPS; group++) {
		stat = &heap->spans[group];
		if (stat->slabs != census->spans[group].slabs ||
		    stat->used != census->spans[group].used)
			return "heap: the figures of spans are wrong";
		if (stat->requests - stat->failures - stat->frees != stat->slabs)
			return "heap: requests, failures and frees of spans do not add up";
	}
	return NULL;
}

static const char *check_runs(struct census *census, struct heap *heap)
{
	const char *error;

	core_lock(&heap->lock);
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
		error = check_spans(census, heap);
	core_unlock(&heap->lock);
	return error;
}

/* What the slabs of one shard say. */
static const char *count_slots(const struct heap *heap, u32 home, struct heap_class_stat *stat,
			       u64 *listed)
{
	const char *error = NULL;
	u64 page = 0, entry;
	struct slab *slab;

	while (!error && (entry = dir_next(&heap->dir, &page))) {
		slab = dir_slab(entry);
		page += slab ? class_table[slab_class(slab)].slab_pages : 1;
		if (!slab || slab->home != home)
			continue;
		if (slab->place == SLAB_APART) {
			if (slab->free != class_table[slab_class(slab)].slots)
				error = "heap: a slab with a live slot is apart";
			continue;
		}
		error = slab_check(slab);
		stat->slabs++;
		stat->used += class_table[slab_class(slab)].slots - slab->free;
		*listed += slab->place != SLAB_FULL;
	}
	return error;
}

static const char *check_shard_locked(const struct heap *heap, const struct heap_shard *shard,
				      u32 home)
{
	const struct heap_class_stat *stat = &shard->stat;
	struct heap_class_stat seen = {};
	u64 listed = 0, slabs;
	const char *error;

	error = slots_check(&shard->slots, home, &slabs);
	if (!error)
		error = count_slots(heap, home, &seen, &listed);
	if (error)
		return error;
	if (listed != slabs)
		return "heap: a slab with room is on no shelf, or on two";
	if (stat->slabs != seen.slabs || stat->used != seen.used)
		return "heap: figures of a class are wrong";
	if (stat->requests - stat->failures - stat->frees != stat->used)
		return "heap: requests, failures and frees of a class do not add up";
	return NULL;
}

static const char *check_shard(struct heap *heap, struct heap_shard *shard, u32 home, u32 seen)
{
	const char *error = NULL;

	core_lock(&shard->lock);
	if (seen || shard->stat.slabs || shard->slots.room) {
		core_lock(&heap->lock);
		error = check_shard_locked(heap, shard, home);
		core_unlock(&heap->lock);
	}
	core_unlock(&shard->lock);
	return error;
}

static const char *check_shelf(struct heap *heap, const u32 *seen, u32 class, u32 group)
{
	struct heap_shelf *shelf = heap_shelf(heap, class, group);
	const char *error = NULL;
	u32 i;

	for (i = 0; shelf && i < heap_shelf_shards(shelf) && !error; i++)
		error = check_shard(heap, shelf->shard[i], SLAB_HOME(class, group, i), seen[i]);
	return error;
}

const char *heap_check(struct heap *heap)
{
	struct census *census = core_zalloc_array(1, sizeof(*census));
	const char *error;
	u32 class, group;

	if (!census)
		return "heap: no memory for the check";
	error = check_runs(census, heap);
	for (group = 0; group < CLASS_GROUPS; group++)
		for (class = CLASS_SPAN + 1; class < CLASS_COUNT && !error; class++)
			error = check_shelf(heap, census->slabs[group][class], class, group);
	core_free_array(census);
	return error;
}
