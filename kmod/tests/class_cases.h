/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the size classes: small enough to look at all there is.
 */
#include "cases.h"
#include "../core/class.h"

static const char *class_sizes(void)
{
	u32 class, odd;

	REQUIRE(!class_table[CLASS_SPAN].slot_bytes);
	REQUIRE(class_table[1].slot_bytes == CLASS_SLOT_MIN);
	REQUIRE(class_table[CLASS_COUNT - 1].slot_bytes == CLASS_SLOT_MAX);
	for (class = 1; class < CLASS_COUNT; class++) {
		REQUIRE(class_table[class].slot_bytes > class_table[class - 1].slot_bytes);
		for (odd = class_table[class].slot_bytes; !(odd & 1); odd >>= 1)
			;
		REQUIRE(odd <= 7);
	}
	return NULL;
}

static const char *class_slabs(void)
{
	u32 class;

	for (class = 1; class < CLASS_COUNT; class++) {
		const struct class_info *info = &class_table[class];

		REQUIRE(info->slots >= 1);
		REQUIRE(info->slots * info->slot_bytes == info->slab_pages * PAGE_SIZE);
		REQUIRE(info->slab_pages <= CLASS_SLAB_PAGES_MAX);
	}
	return NULL;
}

static u32 class_for_naive(u64 bytes, u64 align)
{
	u32 class;

	for (class = 1; class < CLASS_COUNT; class++)
		if (class_table[class].slot_bytes >= bytes &&
		    (!align || class_table[class].slot_bytes % align == 0))
			return class;
	return CLASS_SPAN;
}

static const char *class_smallest(void)
{
	u64 bytes, align;

	for (bytes = 1; bytes <= CLASS_SLOT_MAX + 100; bytes++) {
		REQUIRE(class_for(bytes, 0) == class_for_naive(bytes, 0));
		REQUIRE(class_for(bytes, 0) == class_for(bytes, 8));
		for (align = 1; align <= 65536; align *= 2)
			REQUIRE(class_for(bytes, align) == class_for_naive(bytes, align));
	}
	return NULL;
}

static const char *class_sixteen(void)
{
	u64 bytes;

	for (bytes = 16; bytes <= CLASS_SLOT_MAX; bytes += 16)
		REQUIRE(class_align(class_for(bytes, 0)) >= 16);
	return NULL;
}

static const char *class_huge(void)
{
	u32 bit;

	REQUIRE(class_for(CLASS_SLOT_MAX, 0) == CLASS_COUNT - 1);
	REQUIRE(class_for(CLASS_SLOT_MAX + 1, 0) == CLASS_SPAN);
	REQUIRE(class_for(1, CLASS_SLOT_MAX) == CLASS_COUNT - 1);
	REQUIRE(class_for(1, 2 * CLASS_SLOT_MAX) == CLASS_SPAN);
	for (bit = 16; bit < 64; bit++)
		REQUIRE(class_for(1ULL << bit, 0) == CLASS_SPAN);
	REQUIRE(class_for(~0ULL, 0) == CLASS_SPAN);
	REQUIRE(class_for(~0ULL, PAGE_SIZE) == CLASS_SPAN);
	return NULL;
}

static const char *class_interior(void)
{
	u32 class, delta, slot = 0;
	u64 index;

	for (class = 1; class < CLASS_COUNT; class++) {
		const struct class_info *info = &class_table[class];
		u32 end = info->slab_pages * PAGE_SIZE, next = 0;

		for (delta = 0, slot = 0; delta < end; delta++) {
			bool found = class_slot_index(info->reciprocal, delta, &index);

			REQUIRE(found == (delta == next));
			if (!found)
				continue;
			REQUIRE(index == slot++);
			next += info->slot_bytes;
		}
		REQUIRE(slot == info->slots);
	}
	return NULL;
}

static const char *class_stated_again(void)
{
	u64 bytes, align;

	for (bytes = 1; bytes <= CLASS_SLOT_MAX + 100; bytes++)
		for (align = 1; align <= PAGE_SIZE; align *= 2) {
			u32 class = class_for(bytes, align);

			REQUIRE(class_align(class) >= align);
			REQUIRE(class_for(bytes, class_align(class)) == class);
		}
	return NULL;
}

static const struct core_case class_cases[] = {
	{ "slot sizes rise and are m * 2^k", class_sizes },
	{ "slots fill their slab without a remainder", class_slabs },
	{ "each request gets the smallest slot that will do", class_smallest },
	{ "a multiple of 16 bytes is aligned to 16 unasked", class_sixteen },
	{ "too large or too aligned for any slot", class_huge },
	{ "only slot starts are slot starts, all of them", class_interior },
	{ "stating the size again gives the class again", class_stated_again },
};
