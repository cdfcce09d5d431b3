/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the heap's own files share; nobody else includes this.
 *
 *	heap.c		life and requests
 *	heap_free.c	frees
 *	heap_look.c	what lives where
 *	heap_run.c	how runs of pages become slabs and spans, and end
 *	heap_mem.c	kernel memory: what is kept in stock, counted, freed late
 *	heap_idle.c	what could be given up: held slabs, idle pages
 *	heap_owner.c	owners: life, and the end of what they own
 *	heap_owned.c	objects with owners: frees
 *	heap_change.c	objects with owners: changes of owner
 *	heap_kin.c	objects that are tied to others; heap_kin.h
 *	heap_stat.c	figures
 *	heap_check.c	the check
 *
 * States of a run of pages, all changed under the pages lock:
 *
 *	free ---reserve---> prepared ---publish---> slab, span
 *	  ^                    |                        |
 *	  |                 abandon                  release
 *	  |                    |                        |
 *	  +------ dying <------+------------------------+
 *
 * Prepared and dying runs are *busy*: taken in the page bitmap, said so in the
 * directory, so that neither can nodes that its entries need vanish, nor anybody
 * find it, and on a list. A busy run belongs to the one who made it so, who may
 * sleep meanwhile. Runs pass through dying only if the keeper has a release
 * callback, which is called for each of them once.
 *
 * Locks. A *shelf* is a class and group of one owner; it is made of one or more
 * *shards*, each with its own lock, slabs and figures. A slab is born into a
 * shard and stays there. The *pages lock* protects runs: bitmap, directory, spans
 * and their figures, and owners. The order is shard, then pages, but only the
 * check and changes of owner hold both. A slab that is published and not yet
 * settled, or surplus and not yet released, is *apart*: all of its slots are free,
 * so nobody who finds it can do anything to it, and it belongs to the one who is
 * making or ending it.
 *
 * Look-ups take no lock. Under RCU they get from an offset to a slab, and take
 * the lock of its shard; if the slab has ended meanwhile, the offset is of no
 * live slot in it, as in any other slab. Descriptors, nodes and owners that
 * could be found are freed after a grace period.
 *
 * More shards. A request looks first into the shard that its hint selects. If
 * its lock was contended SHARD_PATIENCE times, the shelf gets one shard more,
 * up to heap->shards_max. Before a shard without room takes new pages, the
 * request looks through the others.
 */
#ifndef SHMZONE_CORE_HEAP_IMPL_H
#define SHMZONE_CORE_HEAP_IMPL_H

#include "core_env.h"
#include "class.h"
#include "dir.h"
#include "heap.h"
#include "pages.h"
#include "slots.h"

/* Of nodes and chunks each, kept for the next run rather than freed every time. */
#define HEAP_STOCK		4

/**
 * struct heap_shard - part of a class and group
 * @lock: protects all of it, and the slabs that belong to it
 * @slots: slabs with room
 * @stat: its figures; @stat.total is derived when asked for
 */
struct heap_shard {
	struct core_lock lock;
	struct slots_rack slots;
	struct heap_class_stat stat;
};

/**
 * struct heap_shelf - one class and group, once it is used
 * @class: immutable
 * @group: immutable
 * @shards: how many there are; grows under the pages lock, read without
 * @contended: requests that had to wait for their shard, about
 * @slabs: of an owner's: its slabs; under the pages lock
 * @link: once it has gone, in the trash
 * @shard: the shards, as many as the heap allows for
 */
struct heap_shelf {
	u8 class;
	u8 group;
	u32 shards;
	u32 contended;
	u32 slabs;
	struct list_head link;
	struct heap_shard *shard[];
};

struct heap_group {
	struct heap_shelf *shelf[CLASS_COUNT];	/* CLASS_SPAN has none */
};

/**
 * struct heap_owner - an owner, or, with tag 0, what belongs to nobody
 * @tag: its number, 0 to OWNER_TAG_MAX
 * @id: immutable: the caller's name for it
 * @payer: immutable: see heap_owner_create()
 * @group: groups and their shelves; set under the pages lock, once, read
 *         without. Shelves of one that has ended go under the pages lock: who
 *         looks at them without it is under RCU, or is using the owner.
 * @at: how far heap_owner_end() has come with the shelves
 * @page: the same with stray objects
 * @slabs: slabs of its shelves; this and all that follows under the pages lock
 * @strays: spans that it owns, and slots that it owns on others' slabs
 * @stray_low: these lie from this page
 * @stray_high: to this one
 * @parents: struct heap_kin of parents that it owns
 * @dead: the same of those that it has freed, while they have children
 * @pins: those who look at it, see heap_owner_next()
 * @ended: heap_owner_end() is done; each shelf goes with its last slab, and the
 *         owner with the last of all
 * @link: among all owners, or once it has gone, in the trash
 */
struct heap_owner {
	u32 tag;
	u64 id;
	void *payer;
	struct heap_group *group[CLASS_GROUPS];
	u32 at;
	u64 page;
	u64 slabs;
	u64 strays;
	u64 stray_low;
	u64 stray_high;
	struct list_head parents;
	struct list_head dead;
	u32 pins;
	bool ended;
	struct list_head link;
};

/*
 * Who owns an object, in 16 bits: the tag, and whether it is on offer. Tags fit
 * into what is left.
 */
#define OWNER_OFFERED		0x8000U
#define OWNER_TAG_MASK		0x7fffU
/* The tag of kin, whose owner stands elsewhere; no owner has it. */
#define OWNER_KIN		OWNER_TAG_MASK
#define OWNER_TAG_MAX		(OWNER_KIN - 1)

#define OWNER_LEAF_SHIFT	8
#define OWNER_LEAF_LEN		(1U << OWNER_LEAF_SHIFT)
#define OWNER_LEAVES		((OWNER_TAG_MASK + 1) >> OWNER_LEAF_SHIFT)

struct owner_leaf {
	struct heap_owner *owner[OWNER_LEAF_LEN];
};

/**
 * struct heap_owners - the owners of a heap
 * @leaf: by tag; set under the pages lock, read without
 * @all: the owners; this and all that follows under the pages lock
 * @last: the tag that was given last
 * @changes: how often an object changed its owner
 * @kin: root of the tree of struct heap_kin
 * @kins: how many there are in it
 * @dead: those of parents that were freed, while they have children
 */
struct heap_owners {
	struct owner_leaf *leaf[OWNER_LEAVES];
	struct list_head all;
	u32 last;
	u64 changes;
	struct heap_kin *kin;
	u64 kins;
	struct list_head dead;
};

/**
 * struct owned_slab - a slab in a heap with owners
 * @who: who owns which slot, as above; NULL while they are all the slab's own
 *       owner's, and none is on offer. Under the shard's lock.
 * @slab: the slab
 */
struct owned_slab {
	u16 *who;
	struct slab slab;
};

/* Bytes of @who for so many slots. */
static inline size_t owned_who_bytes(u32 slots)
{
	return DIV_ROUND_UP(slots * sizeof(u16), sizeof(u64)) * sizeof(u64);
}

static inline struct owned_slab *owned_slab(struct slab *slab)
{
	return container_of(slab, struct owned_slab, slab);
}

/**
 * struct heap_trash - what is to be freed once no lock is held
 * @surplus: slabs that are apart, to be released
 * @slabs: released ones
 * @shelves: shelves that have gone
 * @owners: owners that have gone
 * @pages: nodes and chunks of the page bitmap
 * @dir: nodes of the directory
 */
struct heap_trash {
	struct list_head surplus;
	struct list_head slabs;
	struct list_head shelves;
	struct list_head owners;
	struct pages_reserve pages;
	struct dir_reserve dir;
};

/**
 * struct heap - a heap
 * @ops: immutable
 * @keeper: immutable
 * @shards_max: immutable: shards a shelf may have
 * @kernel_bytes: memory of the heap, itself included
 * @turnover: slabs made and ended
 * @lost: failed requests for a class and group that could not be set up
 * @refused: frees refused, by reason
 * @ageing: something is held that heap_age() could give up; a hint
 * @nobody: the owner with tag 0: all there is, unless there are others
 * @owners: NULL, or the others; then nobody has no slabs
 * @lock: the pages lock; protects everything below
 * @limit_pages: pages that may be taken
 * @busy_pages: pages of busy runs
 * @busy: busy runs, as many as there are tasks at work on one
 * @pages: page bitmap; page 0 is taken for good
 * @dir: directory
 * @pages_stock: nodes and chunks for the page bitmap
 * @dir_stock: nodes for the directory
 * @spans: figures of the spans, by group
 */
struct heap {
	const struct heap_ops *ops;
	void *keeper;
	u32 shards_max;
	atomic64_t kernel_bytes;
	atomic64_t turnover;
	atomic64_t lost;
	atomic64_t refused[HEAP_REFUSALS];
	bool ageing;
	struct heap_owner nobody;
	struct heap_owners *owners;

	struct core_lock lock;
	u64 limit_pages;
	u64 busy_pages;
	struct list_head busy;
	struct pages pages;
	struct dir dir;
	struct pages_reserve pages_stock;
	struct dir_reserve dir_stock;
	struct heap_class_stat spans[CLASS_GROUPS];
};

/* The shelf of a class and group, or NULL. */
static inline struct heap_shelf *heap_shelf(const struct heap_owner *owner, u32 class, u32 group)
{
	/* Pairs with shelf_make(). */
	struct heap_group *shelves = smp_load_acquire(&owner->group[group]);

	/* The same. */
	return shelves ? smp_load_acquire(&shelves->shelf[class]) : NULL;
}

/* The shards of a shelf, as an array of this length. */
static inline u32 heap_shelf_shards(const struct heap_shelf *shelf)
{
	/* Pairs with shelf_add_shard(). */
	return smp_load_acquire(&shelf->shards);
}

/**
 * heap_owner_at() - the owner with a tag
 *
 * Under the pages lock or RCU. Returns NULL if there is none, which is no surprise
 * unless something of it is known to be there.
 */
struct heap_owner *heap_owner_at(const struct heap *heap, u32 tag);

/**
 * heap_owned_shard() - heap_shard() where there are owners
 */
struct heap_shard *heap_owned_shard(const struct heap *heap, const struct slab *slab);

/*
 * The shard of a slab. NULL if the slab has ended and its owner has gone; if its
 * tag has been given to another meanwhile, one of that one's, which is no worse:
 * no slot of the slab is live.
 */
static inline struct heap_shard *heap_shard(const struct heap *heap, const struct slab *slab)
{
	if (unlikely(slab_owner(slab)))
		return heap_owned_shard(heap, slab);
	return heap_shelf(&heap->nobody, slab_class(slab), slab_group(slab))
		->shard[slab_shard(slab)];
}

/* The slab at an offset, or NULL; under RCU. */
static inline struct slab *heap_slab_at(const struct heap *heap, u64 offset)
{
	u64 page = offset >> PAGE_SHIFT;

	return page < heap->pages.count ? dir_slab(dir_get(&heap->dir, page)) : NULL;
}

/* Says that heap_age() has something to do. */
static inline void heap_note_idle(struct heap *heap)
{
	if (!READ_ONCE(heap->ageing))
		WRITE_ONCE(heap->ageing, true);
}

/* The same, if nodes of the directory have become empty. */
static inline void heap_note_empty(struct heap *heap)
{
	/* A glance; whoever empties a leaf looks after that. */
	if (data_race(heap->dir.empty))
		heap_note_idle(heap);
}

/* heap.c */

/**
 * heap_shelf_destroy() - free a shelf, or all shelves of an owner and the owner's
 *			  groups
 * @late: somebody may still look at them, under RCU
 */
void heap_shelf_destroy(struct heap *heap, struct heap_shelf *shelf, bool late);
void heap_shelves_destroy(struct heap *heap, struct heap_owner *owner, bool late);

/* heap_free.c */

/**
 * heap_why_nothing() - why nothing starts at an offset whose page has no entry
 */
enum heap_refusal heap_why_nothing(struct heap *heap, u64 offset);

/* Why no slot starts at an offset of a slab: where one begins every smallest could. */
static inline enum heap_refusal heap_why_interior(u64 offset)
{
	return offset % CLASS_SLOT_MIN ? HEAP_BAD_MISALIGNED : HEAP_BAD_INTERIOR;
}

/* Whether objects of a class are what some request for @bytes would have got. */
static inline bool heap_class_fits(u32 class, u64 bytes)
{
	return !bytes || class_for(bytes, class_align(class)) == class;
}

static inline bool heap_span_fits(u64 span, u64 bytes)
{
	return !bytes || (heap_class_fits(CLASS_SPAN, bytes) &&
			  class_span_pages(bytes) == dir_span_pages(span));
}

/* heap_owner.c */

/**
 * heap_owner_next() - the owners of a heap one after the other
 * @owner: NULL to begin with, and nobody comes first
 *
 * The owner returned stays until it is given to this again, or to
 * heap_owner_unpin(). May sleep.
 */
struct heap_owner *heap_owner_next(struct heap *heap, struct heap_owner *owner);
void heap_owner_unpin(struct heap *heap, struct heap_owner *owner);

/**
 * heap_slab_joins() - count a slab that has an owner
 * heap_slab_leaves() - the opposite; if the owner has ended, what goes with the slab
 *			is moved to the trash
 */
void heap_slab_joins(struct heap *heap, const struct slab *slab) __must_hold(&heap->lock);
void heap_slab_leaves(struct heap *heap, const struct slab *slab, struct heap_trash *trash)
	__must_hold(&heap->lock);

/**
 * heap_shelf_free() - free a shelf out of the trash
 */
void heap_shelf_free(struct heap *heap, struct heap_shelf *shelf);

/**
 * heap_owner_destroy() - free an owner
 * @late: somebody may still look at it, under RCU
 */
void heap_owner_destroy(struct heap *heap, struct heap_owner *owner, bool late);

void heap_owners_destroy(struct heap *heap);

/* heap_owned.c */

/* Who owns a slot, as in @who of struct owned_slab; under the shard's lock. */
u16 heap_slot_who(struct slab *slab, u32 index);

/**
 * heap_stray_add() - count a stray object of an owner, or nobody
 * heap_stray_del() - the opposite, for several
 * @page: the page it begins on
 */
void heap_stray_add(struct heap *heap, u32 tag, u64 page) __must_hold(&heap->lock);
void heap_stray_del(struct heap *heap, u32 tag, u32 n) __must_hold(&heap->lock);

/**
 * heap_owned_settle() - put a slab where it belongs after slots were given back
 */
void heap_owned_settle(struct heap *heap, struct heap_shard *shard, struct slab *slab,
		       struct heap_trash *trash) __must_hold(&shard->lock);

/**
 * heap_owned_strip() - free all slots of a mixed slab that some owner has
 *
 * Returns how many. If there are any, heap_owned_settle() or the like is to follow.
 */
u32 heap_owned_strip(struct heap *heap, struct heap_shard *shard, struct slab *slab, u32 tag)
	__must_hold(&shard->lock);

/* Frees those of some offsets that are of one owner, and nobody's neither. */
void heap_free_of(struct heap *heap, u32 tag, const u64 *offsets, u32 n);

/* heap_mem.c */

void *heap_zalloc(struct heap *heap, size_t bytes);
void heap_kfree(struct heap *heap, void *object, size_t bytes);

/* The same, if @late only once nobody can see it any more who is under RCU. */
void heap_kfree_late(struct heap *heap, void *object, size_t bytes, bool late);
/* @home: as SLAB_HOME(), and the owner's tag. */
struct slab *heap_slab_alloc(struct heap *heap, u32 home);
void heap_slab_free(struct heap *heap, struct slab *slab);

void heap_trash_init(struct heap_trash *trash);

/* Not under a lock; may sleep. */
void heap_trash_empty(struct heap *heap, struct heap_trash *trash);

/**
 * heap_unlock() - drop the pages lock, then free what became superfluous
 *
 * Whoever may have changed bitmap, directory or stock drops the lock by this: no
 * row and no dead subtree is in the stock while the lock is free.
 */
void heap_unlock(struct heap *heap, struct heap_trash *trash) __releases(&heap->lock);

/**
 * heap_stock_trim() - move what the stocks hold beyond a number to the trash
 */
void heap_stock_trim(struct heap *heap, struct heap_trash *trash, u32 keep);

/**
 * heap_stock_fill() - put enough into the stocks for a run
 *
 * Drops and retakes the lock. Returns 0 or -ENOMEM.
 */
int heap_stock_fill(struct heap *heap, const struct pages_want *want, u32 dir_want,
		    struct heap_trash *trash) __must_hold(&heap->lock);

/* heap_run.c; all without locks, but where it says otherwise */

/* Pages of slabs, spans and busy runs. */
static inline u64 heap_taken(const struct heap *heap)
{
	return heap->pages.taken - 1;
}

/**
 * heap_page_locked() - heap_page() under the pages lock
 */
enum heap_page heap_page_locked(const struct heap *heap, u64 page) __must_hold(&heap->lock);

/**
 * heap_span_release() - end a span, under the pages lock
 * @entry: what the directory has for it
 *
 * If its memory is to be released, drops and retakes the lock.
 */
void heap_span_release(struct heap *heap, u64 first, u64 entry) __must_hold(&heap->lock);

/**
 * heap_take_first() - take page 0 for good, in a new heap
 *
 * Returns 0 or -ENOMEM.
 */
int heap_take_first(struct heap *heap);

/**
 * heap_slab_create() - make a slab for a shard
 * @home: as SLAB_HOME(), and the owner's tag
 *
 * Returns 0 and in @slab the slab, published but apart, or a negative errno.
 */
int heap_slab_create(struct heap *heap, u32 home, struct slab **slab);

/**
 * heap_release_surplus() - end the slabs that are surplus in the trash
 *
 * Empties the trash.
 */
void heap_release_surplus(struct heap *heap, struct heap_trash *trash);

/**
 * heap_span_create() - make a span
 *
 * Returns 0 and its first page in @first, or a negative errno.
 */
int heap_span_create(struct heap *heap, u64 n, u32 group, u32 tag, u64 *first);

/**
 * heap_drain() - free all but the shelves, in a heap that ends
 *
 * May leave nothing but what heap_create() can leave when it fails.
 */
void heap_drain(struct heap *heap);

/* heap_idle.c */

/**
 * heap_release_held() - end all empty slabs held back
 */
void heap_release_held(struct heap *heap);

#endif /* SHMZONE_CORE_HEAP_IMPL_H */
