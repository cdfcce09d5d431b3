// SPDX-License-Identifier: GPL-2.0
/*
 * The words of a cache; see magazine.h.
 *
 * Bins of group 0 have the numbers of their classes and their room from the
 * start: 128 KiB of slots, but 252 at most and 4 at least. Half of that room is what a
 * random live set wants, the bin's steady capacity; all of it, while there is enough for
 * others, saves programs whose heaps grow and shrink half of their calls. Bins of other
 * groups get a smaller room, one after the other, while there is any, and all of it is
 * steady. In checked zones the first of them is the one in which frees are collected, a
 * heap's batch of them.
 */
#include "core_env.h"
#include "class.h"
#include "magazine.h"

#define ROOM_BYTES		131072
#define ROOM_SLOTS_MIN		4
#define OTHER_ROOM_SLOTS_MAX	32

/* The bottom of bins without capacity. */
#define NO_WORD		MAGAZINE_FIRST_WORD

static_assert(sizeof(struct cache_head) <= MAGAZINE_FIRST_WORD * sizeof(u64));
static_assert(MAGAZINE_HEAD_BYTES % sizeof(u64) == 0);
static_assert(MAGAZINE_HEAD_BYTES + (NO_WORD + 1) * sizeof(u64) <= PAGE_SIZE);
static_assert(MAGAZINE_WORDS <= U16_MAX);
static_assert(CLASS_COUNT <= 64 && CLASS_COUNT < MAGAZINE_BINS);
static_assert(MAGAZINE_WORDS <= 1ULL << (64 - MAGAZINE_CUR_SHIFT));

static u32 room_for(u32 class, u32 group)
{
	u32 most = group ? OTHER_ROOM_SLOTS_MAX : MAGAZINE_SLOTS_MAX;
	u32 slots = ROOM_BYTES / class_table[class].slot_bytes & ~1U;

	if (group == MAGAZINE_PENDING_GROUP)
		return MAGAZINE_PENDING_MAX;
	return clamp(slots, (u32)ROOM_SLOTS_MIN, most);
}

/* Where a word is, in bytes from the start of the first page. */
static u32 byte_of(u32 word)
{
	return MAGAZINE_HEAD_BYTES + word * sizeof(u64);
}

static u32 page_of(u32 word)
{
	return byte_of(word) / PAGE_SIZE;
}

static u64 *word(const struct magazines *m, u32 i)
{
	return m->page[page_of(i)] + byte_of(i) % PAGE_SIZE;
}

/* How many of @n words from @i on are on the same page as the first. */
static u32 on_page(u32 i, u32 n)
{
	return min_t(u64, n, (PAGE_SIZE - byte_of(i) % PAGE_SIZE) / sizeof(u64));
}

static struct cache_bin *bin_of(const struct magazines *m, u32 bin)
{
	return &magazines_head(m)->bin[bin];
}

/* Below the first word. A bin without capacity may have no page for its own yet. */
static u32 bottom_of(const struct magazine *magazine)
{
	return magazine->capacity ? magazine->base - 1 : NO_WORD;
}

/* Tells the thread what a bin is like, with @used slots in it. */
static void show(const struct magazines *m, u32 bin, u32 used)
{
	const struct magazine *magazine = &m->magazine[bin];
	u32 bottom = bottom_of(magazine);
	struct cache_bin *shown = bin_of(m, bin);

	WRITE_ONCE(*word(m, bottom), MAGAZINE_BOTTOM);
	WRITE_ONCE(shown->cur, bottom + used);
	WRITE_ONCE(shown->end, bottom + magazine->capacity);
}

static bool make_bin(struct magazines *m, u32 bin, u32 class, u32 group)
{
	u32 room = room_for(class, group);

	if (bin >= MAGAZINE_BINS || room + 1 > MAGAZINE_WORDS - m->words)
		return false;
	m->magazine[bin] = (struct magazine) {
		.base = m->words + 1,
		.room = room,
		.class = class,
		.group = group,
	};
	m->words += room + 1;
	m->bins = bin + 1;
	show(m, bin, 0);
	return true;
}

void magazines_init(struct magazines *m, u32 page_entry, bool checked)
{
	u32 class;

	m->words = NO_WORD + 1;
	show(m, CLASS_SPAN, 0);
	for (class = CLASS_SPAN + 1; class < CLASS_COUNT; class++)
		make_bin(m, class, class, 0);
	m->key = -page_entry;
	if (checked) {
		make_bin(m, MAGAZINE_PENDING, class_for(MAGAZINE_PENDING_BYTES, 0),
			 MAGAZINE_PENDING_GROUP);
		m->key -= MAGAZINE_CHECKED_KEY;
	}
	magazines_show_key(m);
}

void magazines_show_key(struct magazines *m)
{
	if (!READ_ONCE(magazines_head(m)->key))
		WRITE_ONCE(magazines_head(m)->key, m->key);
}

u32 magazine_make(struct magazines *m, u32 class, u32 group)
{
	u32 bin;

	if (!group)
		return class;
	if (group == MAGAZINE_PENDING_GROUP)
		return MAGAZINE_PENDING;
	for (bin = CLASS_COUNT; bin < m->bins; bin++)
		if (m->magazine[bin].class == class && m->magazine[bin].group == group)
			return bin;
	if (!make_bin(m, bin, class, group))
		return 0;
	WRITE_ONCE(magazines_head(m)->bin_of[group - 1][class], bin);
	return bin;
}

/* How many slots a bin may have whatever others have. */
static u32 steady_capacity(const struct magazine *magazine)
{
	if (magazine->group)
		return magazine->room;
	return max_t(u32, magazine->room / 2, ROOM_SLOTS_MIN);
}

static u32 next_capacity(const struct magazine *magazine)
{
	u32 steady = steady_capacity(magazine);

	if (magazine->capacity >= steady)
		return magazine->room;
	return min_t(u32, max(1, 2 * magazine->capacity), steady);
}

u32 magazine_lacks(const struct magazines *m, u32 bin)
{
	const struct magazine *magazine = &m->magazine[bin];
	u32 capacity = magazine_growth(m, bin) ? next_capacity(magazine) :
						magazine->capacity;
	u32 page, last = page_of(magazine->base + capacity - 1);

	if (!capacity)
		return 0;
	for (page = page_of(magazine->base - 1); page <= last; page++)
		if (!m->page[page])
			return page;
	return 0;
}

u64 magazine_growth(const struct magazines *m, u32 bin)
{
	const struct magazine *magazine = &m->magazine[bin];
	u32 next = next_capacity(magazine);
	u64 bytes = (u64)(next - magazine->capacity) * class_table[magazine->class].slot_bytes;
	u64 most = MAGAZINE_STOCK_MAX;

	if (next > steady_capacity(magazine))
		most /= 2;
	return m->bytes + bytes <= most ? bytes : 0;
}

bool magazine_is_steady(const struct magazines *m, u32 bin)
{
	const struct magazine *magazine = &m->magazine[bin];

	return magazine->capacity >= steady_capacity(magazine);
}

void magazine_grow(struct magazines *m, u32 bin)
{
	struct magazine *magazine = &m->magazine[bin];
	u32 used = magazine_used(m, bin);

	m->bytes += magazine_growth(m, bin);
	magazine->capacity = next_capacity(magazine);
	show(m, bin, used);
}

u32 magazine_portion(struct magazines *m, u32 bin, enum magazine_way way)
{
	struct magazine *magazine = &m->magazine[bin];
	bool again = magazine->way == way;
	u32 capacity = magazine->capacity;

	magazine->way = way;
	if (!again)
		return DIV_ROUND_UP(capacity, 2);
	return capacity - capacity / (way == MAGAZINE_IN ? 4 : 8);
}

u64 magazine_shut(struct magazines *m, u32 bin)
{
	struct magazine *magazine = &m->magazine[bin];
	u64 bytes = (u64)magazine->capacity * class_table[magazine->class].slot_bytes;

	m->bytes -= bytes;
	magazine->capacity = 0;
	magazine->way = MAGAZINE_STILL;
	show(m, bin, 0);
	return bytes;
}

u32 magazine_used(struct magazines *m, u32 bin)
{
	const struct magazine *magazine = &m->magazine[bin];
	/* Wraps around where it lies before the bottom. */
	u32 used = READ_ONCE(bin_of(m, bin)->cur) - bottom_of(magazine);

	if (likely(used <= magazine->capacity))
		return used;
	m->wrong++;
	/* What was in it is lost, once. */
	show(m, bin, 0);
	return 0;
}

/* Words from @i on, in the order of the offsets, and the other way round. */

static void words_read(const struct magazines *m, u32 i, u64 *offsets, u32 n)
{
	const u64 *from;
	u32 k, len;

	for (; n; i += len, offsets += len, n -= len) {
		len = on_page(i, n);
		from = word(m, i);
		for (k = 0; k < len; k++)
			offsets[k] = READ_ONCE(from[k]);
	}
}

static void words_read_back(const struct magazines *m, u32 i, u64 *offsets, u32 n)
{
	const u64 *from;
	u32 k, len;

	for (; n; i += len, n -= len) {
		len = on_page(i, n);
		from = word(m, i);
		for (k = 0; k < len; k++)
			offsets[n - 1 - k] = READ_ONCE(from[k]);
	}
}

static void words_write_back(const struct magazines *m, u32 i, const u64 *offsets, u32 n)
{
	u32 k, len;
	u64 *to;

	for (; n; i += len, n -= len) {
		len = on_page(i, n);
		to = word(m, i);
		for (k = 0; k < len; k++)
			WRITE_ONCE(to[k], offsets[n - 1 - k]);
	}
}

/* Moves @n words down from @from to @to. */
static void words_move(const struct magazines *m, u32 to, u32 from, u32 n)
{
	const u64 *source;
	u32 k, len;
	u64 *target;

	for (; n; to += len, from += len, n -= len) {
		len = on_page(to, on_page(from, n));
		source = word(m, from);
		target = word(m, to);
		for (k = 0; k < len; k++)
			WRITE_ONCE(target[k], READ_ONCE(source[k]));
	}
}

u32 magazine_put(struct magazines *m, u32 bin, const u64 *offsets, u32 n)
{
	const struct magazine *magazine = &m->magazine[bin];
	u32 used = magazine_used(m, bin);

	n = min(n, magazine->capacity - used);
	/* The last word is taken first. */
	words_write_back(m, magazine->base + used, offsets, n);
	show(m, bin, used + n);
	return n;
}

u32 magazine_take_old(struct magazines *m, u32 bin, u64 *offsets, u32 n)
{
	const struct magazine *magazine = &m->magazine[bin];
	u32 used = magazine_used(m, bin);

	n = min(n, used);
	words_read(m, magazine->base, offsets, n);
	words_move(m, magazine->base, magazine->base + n, used - n);
	show(m, bin, used - n);
	return n;
}

u32 magazine_take(struct magazines *m, u32 bin, u64 *offsets, u32 n)
{
	const struct magazine *magazine = &m->magazine[bin];
	u32 used = magazine_used(m, bin);

	n = min(n, used);
	words_read_back(m, magazine->base + used - n, offsets, n);
	show(m, bin, used - n);
	return n;
}

u64 magazine_word(struct magazines *m, u32 bin, u32 i)
{
	u64 offset = READ_ONCE(*word(m, m->magazine[bin].base + i));

	return magazine_is_pending(m, bin) ? offset & MAGAZINE_OFFSET_MASK : offset;
}

u64 magazines_stock(struct magazines *m, u64 *slots)
{
	u64 bytes = 0;
	u32 bin;

	*slots = 0;
	for (bin = 1; bin < m->bins; bin++) {
		u32 used = magazine_used(m, bin);

		*slots += used;
		if (!magazine_is_pending(m, bin))
			bytes += (u64)used * class_table[m->magazine[bin].class].slot_bytes;
	}
	return bytes;
}
