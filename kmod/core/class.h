/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The size classes: pure arithmetic over a constant table.
 *
 * Slot sizes are m * 2^k bytes with m in {1, 3, 5, 7}: every multiple of 8 up
 * to 64, then four sizes to each doubling, up to 32 KiB. Rounding up wastes at
 * most a fifth above 64 bytes.
 *
 * A slab has 4, 3, 5 or 7 pages for m = 1, 3, 5, 7, doubled until one slot
 * fits. Slab and slot then have the same odd factor, so that slots fill their
 * slab without a remainder, whatever the page size.
 *
 * A slab begins on a page, so a slot is aligned to the largest power of two
 * that divides its size, up to the page size. Any multiple of 16 up to 64 is
 * itself a slot size, and all sizes from 64 up are multiples of 16: a request
 * for a multiple of 16 bytes is thereby aligned to 16 without asking.
 */
#ifndef SHMZONE_CORE_CLASS_H
#define SHMZONE_CORE_CLASS_H

#include "core_env.h"

#define CLASS_SPAN	0	/* not a slot: whole pages */
#define CLASS_COUNT	45	/* with CLASS_SPAN */
#define CLASS_GROUPS	16

#define CLASS_SLOT_MIN	8
#define CLASS_SLOT_MAX	32768

#define CLASS_SLAB_PAGES_MAX	8	/* in a slab of any class */

/**
 * struct class_info - one row of the table, all zero for %CLASS_SPAN
 * @reciprocal: 2^64 / @slot_bytes, rounded up
 * @slot_bytes: bytes in a slot
 * @slots: slots in a slab
 * @slab_pages: pages in a slab
 */
struct class_info {
	u64 reciprocal;
	u32 slot_bytes;
	u32 slots;
	u32 slab_pages;
};

extern const struct class_info class_table[CLASS_COUNT];

/**
 * class_for() - the smallest class that serves a request
 * @bytes: bytes wanted, at least 1
 * @align: alignment wanted, a power of two or 0
 *
 * Returns the class, or %CLASS_SPAN if no slot is large or aligned enough.
 */
u32 class_for(u64 bytes, u64 align);

/* Pages of a span for a request, for any value of @bytes. */
static inline u64 class_span_pages(u64 bytes)
{
	return (bytes >> PAGE_SHIFT) + !!(bytes & (PAGE_SIZE - 1));
}

/* Pages of a run of a class: of a slab, or of a span for so many bytes. */
static inline u64 class_run_pages(u32 class, u64 bytes)
{
	return class == CLASS_SPAN ? class_span_pages(bytes) :
				     class_table[class].slab_pages;
}

/**
 * class_align() - the alignment all objects of a class have
 */
u32 class_align(u32 class);

/**
 * class_slot_index() - which slot begins at a place in a slab
 * @reciprocal: that of the slab's class, which is not %CLASS_SPAN
 * @delta: bytes from the slab's start, less than its length
 * @index: gets the slot's index
 *
 * Returns whether a slot begins there.
 *
 * With quotient and remainder of the division, the product with the reciprocal is
 * quotient * 2^64 + remainder * reciprocal, and too much by less than @delta, which
 * is far less than any reciprocal, 2^49 at least. So the upper half is the quotient,
 * and the lower one less than the reciprocal just where there is no remainder.
 */
static inline bool class_slot_index(u64 reciprocal, u32 delta, u64 *index)
{
	unsigned __int128 product = (unsigned __int128)reciprocal * delta;

	*index = product >> 64;
	return (u64)product < reciprocal;
}

#endif /* SHMZONE_CORE_CLASS_H */
