/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Slots: the small objects of a heap.
 *
 * A slab is a run of pages cut into slots of one class, for one group. Its
 * descriptor, struct slab, is kernel memory and ends in a bitmap of its slots,
 * set = free. A shelf holds the slabs of one class and group that have room:
 *
 *	full		no free slot	on no list
 *	partial		some free	in one of four buckets, by fullness
 *	empty		all free	held back, one a shelf; any other is
 *					handed to the caller to be released
 *
 * Slots come from the fullest partial slab, so that the others have a chance
 * to become empty, and in it from the lowest address. The slab held back
 * keeps a program that frees and allocates at the edge of a slab from
 * creating and releasing it every time.
 *
 * No locking inside; the caller serialises whatever concerns one shelf and
 * its slabs. Nothing is allocated or freed inside.
 */
#ifndef SHMZONE_CORE_SLOTS_H
#define SHMZONE_CORE_SLOTS_H

#include "core_env.h"
#include "class.h"

/* Where a slab is: in bucket 0 (fullest) to 3 of its shelf, or elsewhere. */
enum slab_place {
	SLAB_BUCKETS = 4,
	SLAB_FULL = SLAB_BUCKETS,
	SLAB_HELD,
	SLAB_APART,		/* not on the shelf: new, or to be released */
};

/**
 * struct slab - one slab
 * @link: in the bucket, or for the owner's use while %SLAB_APART
 * @page: its first page
 * @free: free slots
 * @hint: no slot is free in a word of @bits below this one
 * @class: its class
 * @group: its group
 * @place: enum slab_place
 * @bits: a bit a slot, set = free; bits beyond the last slot are clear
 */
struct slab {
	struct list_head link;
	u32 page;
	u16 free;
	u16 hint;
	u8 class;
	u8 group;
	u8 place;
	u64 bits[];
};

/**
 * struct slots_shelf - the slabs with room of one class and group
 * @bucket: partial slabs by fullness, fullest first
 * @held: the empty slab held back, or NULL
 */
struct slots_shelf {
	struct list_head bucket[SLAB_BUCKETS];
	struct slab *held;
};

/* What slab_give() says. */
enum slab_given {
	SLAB_GIVEN,
	SLAB_NO_SLOT,		/* no slot begins there */
	SLAB_NOT_TAKEN,		/* the slot is free */
};

/* Bytes in the descriptor of a slab of a class. */
size_t slab_bytes(u32 class);

/**
 * slab_init() - make a slab, all free and apart
 * @slab: slab_bytes() bytes, zeroed
 */
void slab_init(struct slab *slab, u32 class, u32 group, u64 page);

void slots_shelf_init(struct slots_shelf *shelf);

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
bool slab_slot(const struct slab *slab, u64 offset, u32 *index);

/**
 * slab_slot_taken() - whether a slot is taken
 */
bool slab_slot_taken(const struct slab *slab, u32 index);

/**
 * slab_give() - give a slot back
 * @slab: the slab; slots_settle() is to follow
 * @offset: an offset on one of its pages
 *
 * Changes nothing unless it returns %SLAB_GIVEN.
 */
enum slab_given slab_give(struct slab *slab, u64 offset);

/**
 * slots_take() - take slots of whatever slabs have room
 * @shelf: the shelf
 * @offsets: gets their offsets
 * @n: slots wanted
 *
 * Returns how many were taken: @n, or all there were.
 */
u32 slots_take(struct slots_shelf *shelf, u64 *offsets, u32 n);

/**
 * slots_settle() - put a slab where its fullness says, after it changed
 * @shelf: the shelf of its class and group
 * @slab: the slab
 *
 * Returns a slab for the caller to release, now apart, or NULL. This may be
 * another one than @slab.
 */
struct slab *slots_settle(struct slots_shelf *shelf, struct slab *slab);

/**
 * slots_release_held() - let go of the slab held back
 *
 * Returns it, now apart, or NULL.
 */
struct slab *slots_release_held(struct slots_shelf *shelf);

/**
 * slab_check(), slots_check() - recompute everything naively and compare
 * @slabs: gets the number of slabs on the shelf
 *
 * Return NULL or a sentence that says what is wrong.
 */
const char *slab_check(const struct slab *slab);
const char *slots_check(const struct slots_shelf *shelf, u32 class, u32 group, u64 *slabs);

#endif /* SHMZONE_CORE_SLOTS_H */
