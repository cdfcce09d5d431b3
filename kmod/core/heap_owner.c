// SPDX-License-Identifier: GPL-2.0
/*
 * Owners: their life, and the end of what they own. See heap_owner.h.
 *
 * An owner has shelves of its own. Their racks know all slabs, full ones too, so
 * that its end finds them without a search. What it owns elsewhere are its
 * *strays*: spans, and slots on slabs of others. They are counted, and it is known
 * between which pages they lie; its end looks through the directory there until
 * it has found them all.
 *
 * The end of an owner
 *
 *	parents		are freed, and what is tied to them
 *	shelves		each slab leaves its rack. One that is not mixed is free
 *			as a whole; of a mixed one, the slots that the owner has.
 *			If others are left it stays, SLAB_LEFT, on no list.
 *	strays		are freed
 *	ended		its shelves go, but for those with slabs that are left,
 *			which go with the last of these; then the owner does,
 *			once nobody looks at it
 *
 * Each step does a bounded amount under one lock. Nobody allocates for the owner,
 * gives to it or frees as it meanwhile; but others free what they own on its slabs,
 * and that puts a slab that has not left its rack yet onto another list of it, or
 * ends one that has left.
 *
 * Who looks through all owners, which are on a list, pins the one at hand, since an
 * owner may go at any time. Who comes from a slab need not: see heap_shard().
 */
#include "core_env.h"
#include "heap_impl.h"
#include "heap_kin.h"
#include "heap_owner.h"

/*
 * What heap_owner_end() does under one lock at most: slabs, slots that it looks at one
 * by one, which are those of mixed slabs, and entries of the directory. The slab
 * that goes beyond the number of slots is done to its end.
 */
#define END_SLABS	8
#define END_SLOTS	1024
#define END_ENTRIES	64

/* Tags. */

static struct heap_owner **owner_place(const struct heap *heap, u32 tag)
{
	struct owner_leaf *leaf, *const *place = &heap->owners->leaf[tag >> OWNER_LEAF_SHIFT];

	/* Pairs with leaf_make(). */
	leaf = smp_load_acquire(place);
	return leaf ? &leaf->owner[tag & (OWNER_LEAF_LEN - 1)] : NULL;
}

struct heap_owner *heap_owner_at(const struct heap *heap, u32 tag)
{
	struct heap_owner **place;

	if (!tag || !heap->owners)
		return NULL;
	place = owner_place(heap, tag);
	/* Pairs with owner_insert(). */
	return place ? smp_load_acquire(place) : NULL;
}

struct heap_shard *heap_owned_shard(const struct heap *heap, const struct slab *slab)
{
	const struct heap_owner *owner = heap_owner_at(heap, slab_owner(slab));
	struct heap_shelf *shelf;

	if (!owner)
		return NULL;
	shelf = heap_shelf(owner, slab_class(slab), slab_group(slab));
	if (!shelf || slab_shard(slab) >= heap_shelf_shards(shelf))
		return NULL;
	return shelf->shard[slab_shard(slab)];
}

/* A leaf for a tag. */
static bool leaf_make(struct heap *heap, u32 tag)
{
	struct owner_leaf **place = &heap->owners->leaf[tag >> OWNER_LEAF_SHIFT];
	struct owner_leaf *leaf = heap_zalloc(heap, sizeof(*leaf));

	if (!leaf)
		return false;
	core_lock(&heap->lock);
	if (!*place) {
		/* Pairs with owner_place(). */
		smp_store_release(place, leaf);
		leaf = NULL;
	}
	core_unlock(&heap->lock);
	heap_kfree(heap, leaf, sizeof(*leaf));
	return true;
}

/*
 * Gives an owner the next free tag after the last one, so that none is used again
 * soon. Returns whether a leaf is missing; @owner->tag is 0 if no tag is free.
 */
static bool owner_insert(struct heap *heap, struct heap_owner *owner)
{
	struct heap_owners *owners = heap->owners;
	struct heap_owner **place;
	u32 i, tag = owners->last;

	core_assert_held(&heap->lock);
	for (i = 0; i < OWNER_TAG_MAX; i++) {
		tag = tag == OWNER_TAG_MAX ? 1 : tag + 1;
		place = owner_place(heap, tag);
		if (!place) {
			owner->tag = tag;
			return true;
		}
		if (*place)
			continue;
		owner->tag = tag;
		owners->last = tag;
		list_add(&owner->link, &owners->all);
		/* Pairs with heap_owner_at(). */
		smp_store_release(place, owner);
		return false;
	}
	owner->tag = 0;
	return false;
}

/* Life. */

int heap_enable_owners(struct heap *heap)
{
	heap->owners = heap_zalloc(heap, sizeof(*heap->owners));
	if (!heap->owners)
		return -ENOMEM;
	INIT_LIST_HEAD(&heap->owners->all);
	INIT_LIST_HEAD(&heap->owners->dead);
	INIT_LIST_HEAD(&heap->nobody.parents);
	INIT_LIST_HEAD(&heap->nobody.dead);
	return 0;
}

int heap_owner_create(struct heap *heap, u64 id, void *payer, struct heap_owner **owner)
{
	struct heap_owner *new = heap_zalloc(heap, sizeof(*new));
	bool lacks_leaf;

	if (!new)
		return -ENOMEM;
	new->id = id;
	new->payer = payer;
	new->stray_low = PAGES_NONE;
	INIT_LIST_HEAD(&new->parents);
	INIT_LIST_HEAD(&new->dead);
	do {
		core_lock(&heap->lock);
		lacks_leaf = owner_insert(heap, new);
		core_unlock(&heap->lock);
		if (lacks_leaf && !leaf_make(heap, new->tag)) {
			heap_kfree(heap, new, sizeof(*new));
			return -ENOMEM;
		}
	} while (lacks_leaf);
	if (!new->tag) {
		heap_kfree(heap, new, sizeof(*new));
		return -ENOSPC;
	}
	*owner = new;
	return 0;
}

u32 heap_owner_tag(const struct heap_owner *owner)
{
	return owner->tag;
}

/* To be called when one of what keeps an owner that has ended has changed. */
static void owner_check(struct heap *heap, struct heap_owner *owner, struct heap_trash *trash)
{
	core_assert_held(&heap->lock);
	if (!owner->ended || owner->slabs || owner->pins)
		return;
	WRITE_ONCE(*owner_place(heap, owner->tag), NULL);
	list_del(&owner->link);
	list_add(&owner->link, &trash->owners);
}

void heap_slab_joins(struct heap *heap, const struct slab *slab)
{
	struct heap_owner *owner = heap_owner_at(heap, slab_owner(slab));

	core_assert_held(&heap->lock);
	owner->slabs++;
	heap_shelf(owner, slab_class(slab), slab_group(slab))->slabs++;
}

/* A shelf of an owner that has ended goes unless it has a slab. */
static void shelf_check(struct heap_owner *owner, struct heap_shelf *shelf,
			struct heap_trash *trash)
{
	if (!owner->ended || shelf->slabs)
		return;
	WRITE_ONCE(owner->group[shelf->group]->shelf[shelf->class], NULL);
	list_add(&shelf->link, &trash->shelves);
}

void heap_slab_leaves(struct heap *heap, const struct slab *slab, struct heap_trash *trash)
{
	struct heap_owner *owner = heap_owner_at(heap, slab_owner(slab));
	struct heap_shelf *shelf = heap_shelf(owner, slab_class(slab), slab_group(slab));

	core_assert_held(&heap->lock);
	owner->slabs--;
	shelf->slabs--;
	shelf_check(owner, shelf, trash);
	owner_check(heap, owner, trash);
}

static void check_shelves(struct heap_owner *owner, struct heap_trash *trash)
{
	struct heap_shelf *shelf;
	u32 class, group;

	for (group = 0; group < CLASS_GROUPS; group++) {
		for (class = CLASS_SPAN + 1; owner->group[group] && class < CLASS_COUNT; class++) {
			shelf = heap_shelf(owner, class, group);
			if (shelf)
				shelf_check(owner, shelf, trash);
		}
	}
}

/* The figures of a shard, whose slabs are gone, are added to nobody's. */
static void bequeath(struct heap_shard *from, struct heap_shard *to)
{
	struct heap_class_stat stat;

	core_lock(&from->lock);
	stat = from->stat;
	core_unlock(&from->lock);
	core_lock(&to->lock);
	to->stat.requests += stat.requests;
	to->stat.failures += stat.failures;
	to->stat.frees += stat.frees;
	core_unlock(&to->lock);
}

void heap_shelf_free(struct heap *heap, struct heap_shelf *shelf)
{
	struct heap_shelf *heir = heap_shelf(&heap->nobody, shelf->class, shelf->group);
	u32 i;

	for (i = 0; i < heap_shelf_shards(shelf); i++)
		bequeath(shelf->shard[i], heir->shard[0]);
	heap_shelf_destroy(heap, shelf, true);
}

void heap_owner_destroy(struct heap *heap, struct heap_owner *owner, bool late)
{
	heap_shelves_destroy(heap, owner, late);
	if (heap->ops->owner_freed)
		heap->ops->owner_freed(heap->keeper, owner->payer);
	heap_kfree_late(heap, owner, sizeof(*owner), late);
}

void heap_owners_destroy(struct heap *heap)
{
	struct heap_owners *owners = heap->owners;
	struct heap_owner *owner;
	u32 i;

	if (!owners)
		return;
	heap_kins_destroy(heap);
	while (!list_empty(&owners->all)) {
		owner = list_first_entry(&owners->all, struct heap_owner, link);
		list_del(&owner->link);
		heap_owner_destroy(heap, owner, false);
		cond_resched();
	}
	for (i = 0; i < OWNER_LEAVES; i++)
		heap_kfree(heap, owners->leaf[i], sizeof(*owners->leaf[i]));
	heap_kfree(heap, owners, sizeof(*owners));
}

/* One after the other. */

/* Who has come meanwhile stands before the one at hand. */
static struct heap_owner *next_after(const struct heap *heap, const struct heap_owner *owner)
{
	const struct list_head *all = &heap->owners->all;
	struct list_head *next = owner->tag ? owner->link.next : all->next;

	core_assert_held(&heap->lock);
	return next == all ? NULL : list_entry(next, struct heap_owner, link);
}

static void unpin(struct heap *heap, struct heap_owner *owner, struct heap_trash *trash)
{
	core_assert_held(&heap->lock);
	if (!owner->tag)
		return;
	owner->pins--;
	owner_check(heap, owner, trash);
}

void heap_owner_unpin(struct heap *heap, struct heap_owner *owner)
{
	struct heap_trash trash;

	heap_trash_init(&trash);
	core_lock(&heap->lock);
	unpin(heap, owner, &trash);
	heap_unlock(heap, &trash);
}

struct heap_owner *heap_owner_next(struct heap *heap, struct heap_owner *owner)
{
	struct heap_owner *next;
	struct heap_trash trash;

	if (!owner)
		return &heap->nobody;
	if (!heap->owners)
		return NULL;
	heap_trash_init(&trash);
	core_lock(&heap->lock);
	next = next_after(heap, owner);
	if (next)
		next->pins++;
	unpin(heap, owner, &trash);
	heap_unlock(heap, &trash);
	return next;
}

/* The end: shelves. */

/* Shelves and their shards in a row. */
static struct heap_shard *shard_at(const struct heap_owner *owner, u32 at)
{
	u32 i = at % HEAP_SHARDS_MAX, class = at / HEAP_SHARDS_MAX % CLASS_COUNT;
	struct heap_shelf *shelf = heap_shelf(owner, class, at / HEAP_SHARDS_MAX / CLASS_COUNT);

	return shelf && i < heap_shelf_shards(shelf) ? shelf->shard[i] : NULL;
}

#define SHARDS_OF_OWNER	(CLASS_GROUPS * CLASS_COUNT * HEAP_SHARDS_MAX)

/* Returns how many slots were looked at. */
static u32 end_slab(struct heap *heap, struct heap_owner *owner, struct heap_shard *shard,
		    struct slab *slab, struct heap_trash *trash)
{
	bool mixed = owned_slab(slab)->who;
	u32 freed;

	core_assert_held(&shard->lock);
	if (mixed) {
		heap_owned_strip(heap, shard, slab, owner->tag);
	} else {
		freed = slab_give_all(slab);
		shard->stat.used -= freed;
		shard->stat.frees += freed;
	}
	slots_leave(&shard->slots, slab);
	if (slab->place != SLAB_LEFT) {
		shard->stat.slabs--;
		list_add(&slab->link, &trash->surplus);
	}
	return mixed ? class_table[slab_class(slab)].slots : 0;
}

/* Returns whether there may be more. */
static bool end_slabs(struct heap *heap, struct heap_owner *owner, struct heap_trash *trash)
{
	struct heap_shard *shard;
	struct slab *slab = NULL;
	u32 n, slots;

	for (; owner->at < SHARDS_OF_OWNER; owner->at++) {
		shard = shard_at(owner, owner->at);
		if (!shard)
			continue;
		core_lock(&shard->lock);
		for (n = 0, slots = 0; n < END_SLABS && slots < END_SLOTS; n++) {
			slab = slots_next(&shard->slots);
			if (!slab)
				break;
			slots += end_slab(heap, owner, shard, slab, trash);
		}
		core_unlock(&shard->lock);
		if (n)
			return true;
	}
	return false;
}

/* The end: strays. */

/* Frees what the owner has on a slab of another's. */
static void end_stray_slots(struct heap *heap, const struct heap_owner *owner,
			    struct slab *slab, struct heap_trash *trash)
{
	struct heap_shard *shard = heap_shard(heap, slab);

	/* If somebody looks at it just now for the first time, that is not for us. */
	if (!shard || !READ_ONCE(owned_slab(slab)->who))
		return;
	core_lock(&shard->lock);
	if (heap_owned_strip(heap, shard, slab, owner->tag))
		heap_owned_settle(heap, shard, slab, trash);
	core_unlock(&shard->lock);
}

static void end_stray_span(struct heap *heap, const struct heap_owner *owner, u64 page)
{
	struct heap_trash trash;
	u64 entry;

	heap_trash_init(&trash);
	core_lock(&heap->lock);
	entry = dir_get(&heap->dir, page);
	/* It was on offer, perhaps, and is another's now. */
	if (dir_is_span(entry) && (dir_span_who(entry) & OWNER_TAG_MASK) == owner->tag)
		heap_span_release(heap, page, entry);
	heap_unlock(heap, &trash);
}

/*
 * Looks at some pages on which strays may be, for a slab or a span of the owner's.
 * Returns its entry and first page, or 0. Sets @owner->page to where to go on, or
 * to %PAGES_NONE if there are no more.
 */
static u64 next_stray(const struct heap *heap, struct heap_owner *owner, u64 *page)
{
	u64 entry;
	u32 n;

	core_assert_held(&heap->lock);
	*page = max(owner->page, owner->stray_low);
	for (n = 0; n < END_ENTRIES; n++, ++*page) {
		entry = owner->strays ? dir_next(&heap->dir, page) : 0;
		if (!entry || *page > owner->stray_high)
			break;
		owner->page = *page + 1;
		if (dir_is_slab(entry)) {
			const struct slab *slab = dir_slab_of(entry);

			owner->page = slab_page(slab) + class_table[slab_class(slab)].slab_pages;
			return entry;
		}
		if (dir_is_span(entry) && (dir_span_who(entry) & OWNER_TAG_MASK) == owner->tag)
			return entry;
	}
	if (n < END_ENTRIES)
		owner->page = PAGES_NONE;
	return 0;
}

/* Returns whether there may be more. */
static bool end_strays(struct heap *heap, struct heap_owner *owner, struct heap_trash *trash)
{
	u64 entry, page;

	rcu_read_lock();
	core_lock(&heap->lock);
	entry = next_stray(heap, owner, &page);
	core_unlock(&heap->lock);
	if (dir_is_slab(entry))
		end_stray_slots(heap, owner, dir_slab_of(entry), trash);
	rcu_read_unlock();
	if (dir_is_span(entry))
		end_stray_span(heap, owner, page);
	return owner->page != PAGES_NONE;
}

bool heap_owner_end(struct heap *heap, struct heap_owner *owner)
{
	struct heap_trash trash;
	bool more;

	/* Before slabs are left for what goes with them. */
	if (heap_end_parents(heap, owner) || heap_free_orphans(heap, owner))
		return true;
	heap_trash_init(&trash);
	more = end_slabs(heap, owner, &trash) || end_strays(heap, owner, &trash);
	heap_release_surplus(heap, &trash);
	heap_note_empty(heap);
	if (more)
		return true;
	core_lock(&heap->lock);
	WARN_ON_ONCE(owner->strays);
	owner->ended = true;
	check_shelves(owner, &trash);
	owner_check(heap, owner, &trash);
	heap_unlock(heap, &trash);
	return false;
}
