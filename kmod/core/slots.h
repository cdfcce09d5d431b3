/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Slots: the small objects of a heap.
 *
 * A slab is a run of pages cut into slots of one class, for one group. Its
 * descriptor, struct slab, is kernel memory and ends in a bitmap of its slots,
 * set = free. A rack holds slabs of one class and group (in a heap: those of
 * one shard) that have room:
 *
 *	full		no free slot	on no list, or one of its own if the
 *					rack is to know all its slabs
 *	partial		some free	in one of four buckets, by fullness
 *	empty		all free	held back, one a rack; any other is
 *					handed to the caller to be released
 *
 * Slots come from the fullest partial slab, so that the others have a chance
 * to become empty, and in it first from pages that hold memory already, then
 * from the lowest address. The slab held back keeps a program that frees and
 * allocates at the edge of a slab from creating and releasing it every time;
 * slots_age() lets go of it when it was not needed for a while.
 *
 * A page of a slab is dirty, that is, it may hold memory, once a slot on it was
 * taken, or if it was dirty before the slab was made, until somebody gives its
 * memory back to the system. It is idle while no slot on it, not even in part,
 * is taken. What is dirty and idle can be given back.
 *
 * No locking inside; the caller serialises whatever concerns one rack and
 * its slabs. Nothing is allocated or freed inside.
 */
#ifndef SHMZONE_CORE_SLOTS_H
#define SHMZONE_CORE_SLOTS_H

#include "core_env.h"
#include "class.h"

/* Where a slab is: in bucket 0 (fullest) to 3 of its rack, or elsewhere. */
enum slab_place {
	SLAB_BUCKETS = 4,
	SLAB_FULL = SLAB_BUCKETS,
	SLAB_HELD,
	SLAB_APART,		/* not on the rack: new, or to be released */
	SLAB_LEFT,		/* not on the rack: nothing is taken from it any more */
};

/**
 * struct slab_count - free slots of a slab, and where its place ends
 * @edge: with more free slots than this, its place is another one
 * @more: how many more that is than it has; below 0 it is to be settled
 */
struct slab_count {
	u16 edge;
	s16 more;
};

/**
 * struct slab - one slab
 * @node: in the bucket, or in @full
 * @link: for the caller's use while %SLAB_APART
 * @rcu: for the caller's use, once nobody else can find the slab
 * @home: whose it is, as SLAB_HOME(); never changes
 * @count: its free slots, see slab_free()
 * @home_count: both, to be compared and written at once
 * @start_low: the offset it begins at, the lower half; never changes
 * @start_high: the upper half
 * @dirty: a bit a page, set = may hold memory
 * @place: enum slab_place, never %SLAB_FULL: full slabs have 0, see slab_where()
 * @bits: a bit a slot, set = free; bits beyond the last slot are clear
 */
struct slab {
	union {
		struct hlist_node node;
		struct list_head link;
		struct rcu_head rcu;
	};
	union {
		struct {
			u32 home;
			struct slab_count count;
		};
		u64 home_count;
	};
	u32 start_low;
	u16 start_high;
	u8 dirty;
	u8 place;
	u64 bits[];
};

/* Class, group, shard and owner of a slab in one number. */
#define SLAB_HOME(class, group, shard)	((class) | (group) << 8 | (u32)(shard) << 12)
#define SLAB_OWNER_SHIFT		16
#define SLAB_OWNER(tag)			((u32)(tag) << SLAB_OWNER_SHIFT)
#define SLAB_HOME_CLASS(home)		((home) & 0xff)

static inline u32 slab_class(const struct slab *slab)
{
	return SLAB_HOME_CLASS(slab->home);
}

static inline u32 slab_group(const struct slab *slab)
{
	return slab->home >> 8 & 0xf;
}

static inline u32 slab_shard(const struct slab *slab)
{
	return slab->home >> 12 & 0xf;
}

static inline u32 slab_owner(const struct slab *slab)
{
	return slab->home >> SLAB_OWNER_SHIFT;
}

/* What a slab with that home and count has as @home_count. */
static inline u64 slab_home_count(u32 home, struct slab_count count)
{
	const union {
		struct {
			u32 home;
			struct slab_count count;
		};
		u64 both;
	} slab = { { home, count } };

	return slab.both;
}

/* The offset it begins at, and its first page. */
static inline u64 slab_start(const struct slab *slab)
{
	return (u64)slab->start_high << 32 | slab->start_low;
}

static inline u64 slab_page(const struct slab *slab)
{
	return slab_start(slab) >> PAGE_SHIFT;
}

/* Free slots. */
static inline u16 slab_free(const struct slab *slab)
{
	return slab->count.edge - slab->count.more;
}

/*
 * Where it is. One that is full differs from the fullest that is not by its count alone:
 * so that is all that changes when it gets a free slot.
 */
static inline enum slab_place slab_where(const struct slab *slab)
{
	return slab->place || slab->count.edge ? slab->place : SLAB_FULL;
}

/**
 * struct slots_rack - slabs with room, all of one class and group
 * @bucket: partial slabs by fullness, fullest first
 * @held: the empty slab held back, or NULL
 * @held_long: it was held already when slots_age() was called last
 * @knows_full: full slabs are in @full; set before the rack has any slab
 * @room: there are slabs in the buckets or held; who looks without the lock never
 *        misses what was there all the time
 * @full: slabs without room, if @knows_full
 */
struct slots_rack {
	struct hlist_head bucket[SLAB_BUCKETS];
	struct slab *held;
	bool held_long;
	bool knows_full;
	bool room;
	struct hlist_head full;
};

/* Bytes in the descriptor of a slab of a class. */
size_t slab_bytes(u32 class);

/**
 * slab_init() - make a slab, all free and apart
 * @slab: slab_bytes() bytes, zeroed
 * @home: whose it is, SLAB_HOME()
 * @page: its first page
 * @dirty: its pages that may hold memory
 */
void slab_init(struct slab *slab, u32 home, u64 page, u8 dirty);

void slots_rack_init(struct slots_rack *rack);

/**
 * slab_take() - take slots of one slab
 * @slab: any slab; slots_settle() is to follow
 * @offsets: gets their offsets
 * @n: slots wanted
 *
 * Returns how many were taken: @n, or all it had.
 */
u32 slab_take(struct slab *slab, u64 *offsets, u32 n);

/**
 * slab_slot() - which slot begins at an offset
 * @slab: the slab
 * @offset: an offset on one of its pages
 * @index: gets the index of the slot
 *
 * Returns whether one begins there.
 */
static inline bool slab_slot(const struct slab *slab, u64 offset, u64 *index)
{
	return class_slot_index(class_table[slab_class(slab)].reciprocal,
				(u32)offset - slab->start_low, index);
}

/**
 * slab_slot_taken() - whether a slot is taken
 */
static inline bool slab_slot_taken(const struct slab *slab, u32 index)
{
	return !(slab->bits[index / 64] >> (index % 64) & 1);
}

/**
 * slab_mark() - mark a slot as free
 * @slab: the slab, whose count is to follow
 * @reciprocal: that of its class
 * @offset: an offset on one of its pages
 *
 * Returns whether a slot begins there that was taken.
 */
static __always_inline bool slab_mark(struct slab *slab, u64 reciprocal, u64 offset)
{
	u64 index;

	if (unlikely(!class_slot_index(reciprocal, (u32)offset - slab->start_low, &index)))
		return false;
	return likely(!__test_and_set_bit(index, (unsigned long *)slab->bits));
}

/**
 * slab_give() - give a slot back
 *
 * As slab_mark(), and counts it; slots_settle() is to follow if the count is below 0.
 */
static __always_inline bool slab_give(struct slab *slab, u64 reciprocal, u64 offset)
{
	if (unlikely(!slab_mark(slab, reciprocal, offset)))
		return false;
	slab->count.more--;
	return true;
}

/**
 * slab_give_many() - give slots back, up to an offset where none is to be given
 * @offsets: offsets on pages of the slab
 * @n: how many
 *
 * Returns how many were given. For neighbours: their words are written once.
 */
u32 slab_give_many(struct slab *slab, const u64 *offsets, u32 n);

/**
 * slab_idle() - the pages without a live slot
 *
 * Returns a bit a page.
 */
u8 slab_idle(const struct slab *slab);

/* The bits of all pages of a slab of a class. */
static inline u8 slab_pages_mask(u32 class)
{
	return (1U << class_table[class].slab_pages) - 1;
}

/**
 * slots_take() - take slots of whatever slabs have room
 * @rack: the rack
 * @offsets: gets their offsets
 * @n: slots wanted
 *
 * Returns how many were taken: @n, or all there were.
 */
u32 slots_take(struct slots_rack *rack, u64 *offsets, u32 n);

/**
 * slots_settle() - put a slab where its fullness says, after it changed
 * @rack: the rack of its class and group
 * @slab: the slab
 *
 * Returns a slab for the caller to release, now apart, or NULL. This may be
 * another one than @slab.
 */
struct slab *slots_settle(struct slots_rack *rack, struct slab *slab);

/**
 * struct slots_opened - slabs of a rack that were full, on their way to its first bucket
 * @full: what a slab of the rack has as @home_count while it is full
 * @open: the same once it has a free slot, and is in the first bucket
 * @last: where the last of them, or the head of the list, says which is the next
 *
 * For racks that do not know their full slabs. All of this fits into registers, the
 * head of the list is apart.
 */
struct slots_opened {
	u64 full;
	u64 open;
	struct hlist_node **last;
};

/*
 * Where slabs of a class have too few slots for the first bucket, none is @full. The
 * list needs not be initialised, and is none before slots_open().
 */
static __always_inline struct slots_opened
slots_open_begin(struct hlist_head *list, u32 home, const struct class_info *info)
{
	const struct slab_count full = { 0 };
	const u16 quarter = info->slots / 4;
	const struct slab_count count = { .edge = quarter, .more = quarter - 1 };
	u64 open = slab_home_count(home, count);

	/* Not to be computed long before, and to wait on the stack. */
	OPTIMIZER_HIDE_VAR(open);
	return (struct slots_opened){
		.full = quarter ? slab_home_count(home, full) : U64_MAX,
		.open = open,
		.last = &list->first,
	};
}

/*
 * Notes that a slab that was @full got a slot. Until slots_open_end(), which is under
 * the same lock, it is on no list but is as if it were.
 */
static __always_inline void slots_open_slab(struct slots_opened *opened, struct slab *slab)
{
	*opened->last = &slab->node;
	slab->node.pprev = opened->last;
	opened->last = &slab->node.next;
	/* Its home, at which others look without the lock, stays what it is. */
	data_race(slab->home_count = opened->open);
}

/**
 * slots_open() - put slabs that were full into their rack's first bucket
 * @rack: the rack
 * @list: what slots_open_begin() was given; there is at least one
 * @last: where the last of them says which is the next
 */
void slots_open(struct slots_rack *rack, struct hlist_head *list, struct hlist_node **last);

/*
 * Before anything else is done with the rack; and slots_open_begin() before more are
 * opened.
 */
static inline void slots_open_end(struct slots_rack *rack, struct hlist_head *list,
				  const struct slots_opened *opened)
{
	if (opened->last != &list->first)
		slots_open(rack, list, opened->last);
}

/**
 * slots_release_held() - let go of the slab held back
 *
 * Returns it, now apart, or NULL.
 */
struct slab *slots_release_held(struct slots_rack *rack);

/**
 * slots_next() - any slab of a rack that knows them all
 *
 * Returns it, or NULL if there is none.
 */
struct slab *slots_next(const struct slots_rack *rack);

/**
 * slots_leave() - take a slab off its rack
 * @slab: a slab of the rack, whether it has free slots or not
 *
 * It becomes SLAB_LEFT, or SLAB_APART if all its slots are free.
 */
void slots_leave(struct slots_rack *rack, struct slab *slab);

/**
 * slab_give_all() - give all slots of a slab back
 *
 * Returns how many were taken. slots_leave() is to follow.
 */
u32 slab_give_all(struct slab *slab);

/**
 * slots_age() - let go of the slab held back if it was held at the last call
 *
 * Returns it, now apart, or NULL.
 */
struct slab *slots_age(struct slots_rack *rack);

/**
 * slab_check(), slots_check() - recompute everything naively and compare
 * @slabs: gets the number of slabs on the rack that have room
 *
 * Return NULL or a sentence that says what is wrong.
 */
const char *slab_check(const struct slab *slab);
u64 slots_count_full(const struct slots_rack *rack);
const char *slots_check(const struct slots_rack *rack, u32 home, u64 *slabs);

#endif /* SHMZONE_CORE_SLOTS_H */
