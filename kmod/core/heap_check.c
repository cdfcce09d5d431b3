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
 *
 * Where there are owners, the walks count what is whose. As the slots that an
 * owner has on slabs of others are seen under many locks one after the other, that
 * is compared only if nothing changed its owner meanwhile.
 */
#include "core_env.h"
#include "heap_impl.h"
#include "heap_kin.h"

/**
 * struct owner_census - what an owner has
 * @slabs: slabs
 * @strays: spans, and slots on slabs of others
 */
struct owner_census {
	u32 slabs;
	u32 strays;
};

/**
 * struct census - what the directory says of the whole heap
 * @owner: by tag; NULL where there are no owners
 * @changes: changes of owner before it was taken
 * @slabs: of each shard, where there are no owners
 * @spans: by group; @slabs and @used alone
 * @pages: pages of slabs and spans
 */
struct census {
	struct owner_census *owner;
	u64 changes;
	u32 slabs[CLASS_GROUPS][CLASS_COUNT][HEAP_SHARDS_MAX];
	struct heap_class_stat spans[CLASS_GROUPS];
	u64 pages;
};

static const char *census_slab(struct census *census, const struct heap *heap,
			       struct slab *slab, u64 page)
{
	u32 class = slab_class(slab), group = slab_group(slab), tag = slab_owner(slab);
	const struct heap_owner *owner = tag ? heap_owner_at(heap, tag) : &heap->nobody;
	u64 i;

	if (class == CLASS_SPAN || class >= CLASS_COUNT || !owner || !tag != !heap->owners ||
	    !heap_shelf(owner, class, group) ||
	    slab_shard(slab) >= heap_shelf_shards(heap_shelf(owner, class, group)))
		return "heap: a slab has no such class, group, shard or owner";
	if (slab_page(slab) != page)
		return "heap: a slab is found where it does not begin";
	for (i = 0; i < class_table[class].slab_pages; i++)
		if (dir_get(&heap->dir, page + i) != dir_slab_entry(slab))
			return "heap: a page of a slab leads elsewhere";
	census->slabs[group][class][slab_shard(slab)]++;
	if (census->owner)
		census->owner[tag].slabs++;
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
		if (census->owner)
			census->owner[dir_span_who(entry) & OWNER_TAG_MASK].strays++;
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

/* A slab that is being released counts as its owner's to the end. */
static const char *check_owned_slabs(const struct census *census, const struct heap *heap)
{
	const struct heap_owner *owner;
	u64 slabs, seen;
	u32 tag;

	for (tag = 0; census->owner && tag <= OWNER_TAG_MAX; tag++) {
		owner = heap_owner_at(heap, tag);
		seen = census->owner[tag].slabs;
		slabs = owner ? owner->slabs : 0;
		if (slabs < seen || (slabs > seen && !heap->busy_pages))
			return "heap: an owner's count of slabs is wrong";
	}
	return NULL;
}

static const char *check_strays(const struct census *census, struct heap *heap)
{
	const struct heap_owner *owner;
	const char *error = NULL;
	u32 tag;

	core_lock(&heap->lock);
	for (tag = 1; census->changes == heap->owners->changes && tag <= OWNER_TAG_MAX; tag++) {
		owner = heap_owner_at(heap, tag);
		if ((owner ? owner->strays : 0) != census->owner[tag].strays)
			error = "heap: an owner's count of stray objects is wrong";
	}
	if (census->changes == heap->owners->changes &&
	    census->owner[OWNER_KIN].strays != heap->owners->kins)
		error = "heap: the count of objects that are tied to others is wrong";
	core_unlock(&heap->lock);
	return error;
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
	if (!error)
		error = check_owned_slabs(census, heap);
	if (heap->owners)
		census->changes = heap->owners->changes;
	core_unlock(&heap->lock);
	return error;
}

/* Who owns the slots of a slab. */
static const char *check_who(struct census *census, struct heap *heap, struct slab *slab)
{
	u32 i, tag, own = slab_owner(slab);
	u16 who;

	if (!own || !owned_slab(slab)->who)
		return slab->place == SLAB_LEFT ? "heap: a slab was left that is not mixed" : NULL;
	for (i = 0; i < class_table[slab_class(slab)].slots; i++) {
		who = owned_slab(slab)->who[i];
		tag = who & OWNER_TAG_MASK;
		if (!slab_slot_taken(slab, i) && who != own)
			return "heap: a free slot has an owner";
		if (slab->place == SLAB_LEFT && slab_slot_taken(slab, i) && tag == own)
			return "heap: a slot was left to an owner that has ended";
		if (who_is_kin(who) &&
		    !heap_kin_find(heap, slab_start(slab) +
				   (u64)i * class_table[slab_class(slab)].slot_bytes))
			return "heap: a slot is tied to others, but nobody knows how";
		if (tag && !who_is_kin(who) && !heap_owner_at(heap, tag))
			return "heap: a slot has an owner that is not there";
		census->owner[tag].strays += tag != own;
	}
	return NULL;
}

/* What the slabs of one shard say. */
static const char *count_slots(struct census *census, struct heap *heap, u32 home,
			       struct heap_class_stat *stat, u64 *listed, u64 *full)
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
			if (slab_free(slab) != class_table[slab_class(slab)].slots)
				error = "heap: a slab with a live slot is apart";
			else if (!heap->owners && slab->count.more)
				error = "heap: a slab apart looks as if it were to be settled";
			continue;
		}
		error = slab_check(slab) ?: check_who(census, heap, slab);
		stat->slabs++;
		stat->used += class_table[slab_class(slab)].slots - slab_free(slab);
		*listed += slab_where(slab) != SLAB_FULL && slab->place != SLAB_LEFT;
		*full += slab_where(slab) == SLAB_FULL;
	}
	return error;
}

static const char *check_shard_locked(struct census *census, struct heap *heap,
				      const struct heap_shard *shard, u32 home)
{
	const struct heap_class_stat *stat = &shard->stat;
	struct heap_class_stat seen = {};
	u64 listed = 0, full = 0, slabs;
	const char *error;

	error = slots_check(&shard->slots, home, &slabs);
	if (!error)
		error = count_slots(census, heap, home, &seen, &listed, &full);
	if (error)
		return error;
	if (listed != slabs)
		return "heap: a slab with room is on no shelf, or on two";
	if (shard->slots.knows_full && full != slots_count_full(&shard->slots))
		return "heap: a full slab is on no list, or on two";
	if (stat->slabs != seen.slabs || stat->used != seen.used)
		return "heap: figures of a class are wrong";
	if (stat->requests - stat->failures - stat->frees != stat->used)
		return "heap: requests, failures and frees of a class do not add up";
	return NULL;
}

static const char *check_shard(struct census *census, struct heap *heap,
			       struct heap_shard *shard, u32 home)
{
	u32 seen = census->slabs[home >> 8 & 0xf][SLAB_HOME_CLASS(home)][home >> 12 & 0xf];
	const char *error = NULL;

	core_lock(&shard->lock);
	if (seen || shard->stat.slabs || shard->slots.room) {
		core_lock(&heap->lock);
		error = check_shard_locked(census, heap, shard, home);
		core_unlock(&heap->lock);
	}
	core_unlock(&shard->lock);
	return error;
}

static const char *check_owner(struct census *census, struct heap *heap,
			       const struct heap_owner *owner)
{
	const char *error = NULL;
	struct heap_shelf *shelf;
	u32 i, class, group;

	rcu_read_lock();
	for (group = 0; group < CLASS_GROUPS; group++) {
		for (class = CLASS_SPAN + 1; class < CLASS_COUNT && !error; class++) {
			shelf = heap_shelf(owner, class, group);
			for (i = 0; shelf && i < heap_shelf_shards(shelf) && !error; i++)
				error = check_shard(census, heap, shelf->shard[i],
						    SLAB_HOME(class, group, i) |
							    SLAB_OWNER(owner->tag));
		}
	}
	rcu_read_unlock();
	return error;
}

static const char *check_all(struct census *census, struct heap *heap)
{
	const char *error = check_runs(census, heap);
	struct heap_owner *owner = NULL;

	while (!error && (owner = heap_owner_next(heap, owner)))
		error = check_owner(census, heap, owner);
	if (owner)
		heap_owner_unpin(heap, owner);
	if (!error && heap->owners)
		error = check_strays(census, heap);
	return error;
}

const char *heap_check(struct heap *heap)
{
	struct census *census = core_zalloc_array(1, sizeof(*census));
	const char *error = "heap: no memory for the check";

	if (census && heap->owners)
		census->owner = core_zalloc_array(OWNER_TAG_MASK + 1, sizeof(*census->owner));
	if (census && !heap->owners == !census->owner)
		error = check_all(census, heap);
	if (census)
		core_free_array(census->owner);
	core_free_array(census);
	return error;
}
