// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: the small objects of a heap, see slots.h.
 *
 * The cost of a batch is that of the words it touches: taking 64 slots of a
 * fresh slab reads and writes one word, and unlinks or moves one slab.
 *
 * Kernel memory a slab is 32 bytes and a bit a slot, which is 1.8 % of a slab
 * of 8-byte slots, the worst case, and 0.6 % of one of 32-byte slots.
 */
#include "core_env.h"
#include "slots.h"

static_assert(offsetof(struct slab, bits) == 32);
/* A slab has most slots at 8 bytes each; free and hint must count them. */
static_assert(4 * PAGE_SIZE / CLASS_SLOT_MIN <= U16_MAX);

static u32 slab_words(u32 class)
{
	return DIV_ROUND_UP(class_table[class].slots, 64);
}

/* The bits of a word that stand for slots, all but in the last word all. */
static u64 slab_word_mask(u32 class, u32 word)
{
	u32 slots = class_table[class].slots - word * 64;

	return slots < 64 ? (1ULL << slots) - 1 : ~0ULL;
}

size_t slab_bytes(u32 class)
{
	return sizeof(struct slab) + slab_words(class) * sizeof(u64);
}

void slab_init(struct slab *slab, u32 class, u32 group, u64 page)
{
	u32 i;

	INIT_LIST_HEAD(&slab->link);
	slab->page = page;
	slab->free = class_table[class].slots;
	slab->hint = 0;
	slab->class = class;
	slab->group = group;
	slab->place = SLAB_APART;
	for (i = 0; i < slab_words(class); i++)
		slab->bits[i] = slab_word_mask(class, i);
}

void slots_shelf_init(struct slots_shelf *shelf)
{
	u32 i;

	for (i = 0; i < SLAB_BUCKETS; i++)
		INIT_LIST_HEAD(&shelf->bucket[i]);
	shelf->held = NULL;
}

u32 slab_take(struct slab *slab, u64 *offsets, u32 n)
{
	u32 bytes = class_table[slab->class].slot_bytes;
	u64 start = (u64)slab->page << PAGE_SHIFT;
	u32 got = 0, word = slab->hint;

	n = min_t(u32, n, slab->free);
	while (got < n) {
		u64 bits = slab->bits[word];
		u64 base = start + (u64)word * 64 * bytes;

		for (; bits && got < n; bits &= bits - 1)
			offsets[got++] = base + __ffs64(bits) * bytes;
		slab->bits[word] = bits;
		if (!bits)
			word++;
	}
	slab->hint = word;
	slab->free -= got;
	return got;
}

bool slab_slot(const struct slab *slab, u64 offset, u32 *index)
{
	return class_slot_index(slab->class, offset - ((u64)slab->page << PAGE_SHIFT), index);
}

bool slab_slot_taken(const struct slab *slab, u32 index)
{
	return !(slab->bits[index / 64] >> (index % 64) & 1);
}

enum slab_given slab_give(struct slab *slab, u64 offset)
{
	u32 index;

	if (!slab_slot(slab, offset, &index))
		return SLAB_NO_SLOT;
	if (!slab_slot_taken(slab, index))
		return SLAB_NOT_TAKEN;
	slab->bits[index / 64] |= 1ULL << (index % 64);
	slab->hint = min_t(u32, slab->hint, index / 64);
	slab->free++;
	return SLAB_GIVEN;
}

/* Where a slab belongs; an empty one is not held as a matter of course. */
static enum slab_place slab_place(const struct slab *slab)
{
	u32 slots = class_table[slab->class].slots;
	u32 quarters = 4 * slab->free;

	if (!slab->free)
		return SLAB_FULL;
	if (slab->free == slots)
		return SLAB_HELD;
	return (quarters > slots) + (quarters > 2 * slots) + (quarters > 3 * slots);
}

static void slab_remove(struct slots_shelf *shelf, struct slab *slab)
{
	if (slab->place < SLAB_BUCKETS)
		list_del_init(&slab->link);
	else if (slab->place == SLAB_HELD)
		shelf->held = NULL;
	slab->place = SLAB_APART;
}

struct slab *slots_release_held(struct slots_shelf *shelf)
{
	struct slab *slab = shelf->held;

	if (slab)
		slab_remove(shelf, slab);
	return slab;
}

struct slab *slots_settle(struct slots_shelf *shelf, struct slab *slab)
{
	enum slab_place place = slab_place(slab);
	struct slab *surplus = NULL;

	if (place == slab->place)
		return NULL;
	slab_remove(shelf, slab);
	if (place == SLAB_HELD) {
		/* Of two, hold the lower, so that the heap's upper end empties. */
		if (shelf->held && shelf->held->page < slab->page)
			return slab;
		surplus = slots_release_held(shelf);
		shelf->held = slab;
	} else if (place < SLAB_BUCKETS) {
		list_add(&slab->link, &shelf->bucket[place]);
	}
	slab->place = place;
	return surplus;
}

/* The slab to take from next. */
static struct slab *slots_best(const struct slots_shelf *shelf)
{
	u32 i;

	for (i = 0; i < SLAB_BUCKETS; i++)
		if (!list_empty(&shelf->bucket[i]))
			return list_first_entry(&shelf->bucket[i], struct slab, link);
	return shelf->held;
}

u32 slots_take(struct slots_shelf *shelf, u64 *offsets, u32 n)
{
	struct slab *slab;
	u32 got = 0;

	while (got < n && (slab = slots_best(shelf))) {
		got += slab_take(slab, offsets + got, n - got);
		slots_settle(shelf, slab);	/* not empty: nothing to release */
	}
	return got;
}

const char *slab_check(const struct slab *slab)
{
	u32 words = slab_words(slab->class);
	u32 i, free = 0;

	for (i = 0; i < words; i++) {
		if (slab->bits[i] & ~slab_word_mask(slab->class, i))
			return "slots: a bit is set beyond the last slot";
		if (slab->bits[i] && i < slab->hint)
			return "slots: a slot below the hint is free";
		free += hweight64(slab->bits[i]);
	}
	if (free != slab->free)
		return "slots: the count of free slots is wrong";
	if (slab->place != slab_place(slab))
		return "slots: a slab is not where its fullness says";
	return NULL;
}

static const char *check_bucket(const struct slots_shelf *shelf, u32 place, u32 class,
				u32 group, u64 *slabs)
{
	const struct slab *slab;
	const char *error = NULL;

	list_for_each_entry(slab, &shelf->bucket[place], link) {
		if (slab->class != class || slab->group != group)
			return "slots: a slab is on a shelf not its own";
		if (slab->place != place)
			return "slots: a slab is in another bucket than it says";
		error = slab_check(slab);
		if (error)
			break;
		++*slabs;
	}
	return error;
}

const char *slots_check(const struct slots_shelf *shelf, u32 class, u32 group, u64 *slabs)
{
	const char *error = NULL;
	u32 i;

	*slabs = 0;
	for (i = 0; i < SLAB_BUCKETS && !error; i++)
		error = check_bucket(shelf, i, class, group, slabs);
	if (error || !shelf->held)
		return error;

	++*slabs;
	if (shelf->held->place != SLAB_HELD || shelf->held->class != class ||
	    shelf->held->group != group)
		return "slots: the slab held back does not belong there";
	return slab_check(shelf->held);
}
