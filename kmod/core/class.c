// SPDX-License-Identifier: GPL-2.0
/*
 * The size classes, see class.h.
 */
#include "core_env.h"
#include "class.h"

/* Up to this size, class n has slots of n * CLASS_SLOT_MIN bytes. */
#define CLASS_LINEAR_MAX	64
#define CLASS_LINEAR_SHIFT	6
#define CLASS_LINEAR_LAST	(CLASS_LINEAR_MAX / CLASS_SLOT_MIN)

#define SLOT_BYTES(m, k)	((u32)(m) << (k))

/* One doubling is enough for any page of 4 KiB or more. */
#define SLAB_BASE(m)		((m) == 1 ? 4 : (m))
#define SLAB_PAGES(m, k)	\
	(SLAB_BASE(m) * PAGE_SIZE < SLOT_BYTES(m, k) ? 2 * SLAB_BASE(m) : SLAB_BASE(m))

#define ROW(m, k) {							\
	.slot_bytes = SLOT_BYTES(m, k),					\
	.slots = SLAB_PAGES(m, k) * PAGE_SIZE / SLOT_BYTES(m, k),	\
	.slab_pages = SLAB_PAGES(m, k),					\
	.reciprocal = ~0ULL / SLOT_BYTES(m, k) + 1,			\
}

/* The rows of the four sizes from 2^k to below 2^(k + 1). */
#define DOUBLING(k)	ROW(1, k), ROW(5, (k) - 2), ROW(3, (k) - 1), ROW(7, (k) - 2)

const struct class_info class_table[CLASS_COUNT] = {
	[CLASS_SPAN] = { 0 },
	[1] = ROW(1, 3),
	[2] = ROW(1, 4), ROW(3, 3),
	[4] = DOUBLING(5),
	[8] = DOUBLING(6),
	[12] = DOUBLING(7),
	[16] = DOUBLING(8),
	[20] = DOUBLING(9),
	[24] = DOUBLING(10),
	[28] = DOUBLING(11),
	[32] = DOUBLING(12),
	[36] = DOUBLING(13),
	[40] = DOUBLING(14),
	[44] = ROW(1, 15),
};

static_assert(PAGE_SHIFT >= 12 && PAGE_SHIFT <= 16);
static_assert(2 * SLAB_BASE(1) * PAGE_SIZE >= CLASS_SLOT_MAX);
static_assert(SLAB_PAGES(1, 15) <= CLASS_SLAB_PAGES_MAX);
static_assert(SLOT_BYTES(1, 15) == CLASS_SLOT_MAX);

/* The class of the smallest slot that holds @bytes, up to CLASS_SLOT_MAX. */
static u32 class_by_size(u32 bytes)
{
	u32 last = bytes - 1, log, quarter;

	if (bytes <= CLASS_LINEAR_MAX)
		return last / CLASS_SLOT_MIN + 1;
	log = fls64(last) - 1;
	quarter = last >> (log - 2) & 3;
	return CLASS_LINEAR_LAST + 4 * (log - CLASS_LINEAR_SHIFT) + quarter + 1;
}

u32 class_for(u64 bytes, u64 align)
{
	u32 class;

	/* A multiple of the alignment is at least as large. */
	bytes = max(bytes, align);
	if (bytes > CLASS_SLOT_MAX)
		return CLASS_SPAN;

	/* At most three steps: every fourth size is a power of two. */
	class = class_by_size(bytes);
	while (align && class_table[class].slot_bytes & (align - 1))
		class++;
	return class;
}

u32 class_align(u32 class)
{
	u32 bytes = class_table[class].slot_bytes;

	if (class == CLASS_SPAN)
		return PAGE_SIZE;
	return min_t(u32, bytes & -bytes, PAGE_SIZE);
}
