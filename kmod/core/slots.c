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
static_assert(CLASS_SLAB_PAGES_MAX <= 8);	/* bits in @dirty */
/*
 * A slab has most slots at 8 bytes each; the difference of two 16-bit numbers must
 * count them. It fits into @more, too, while some slot is taken and the place right.
 */
static_assert(4 * PAGE_SIZE / CLASS_SLOT_MIN <= S16_MAX + 1);

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

void slab_init(struct slab *slab, u32 home, u64 page, u8 dirty)
{
	u32 i, class;

	INIT_HLIST_NODE(&slab->node);
	slab->home = home;
	class = slab_class(slab);
	slab->start_low = page << PAGE_SHIFT;
	slab->start_high = page << PAGE_SHIFT >> 32;
	slab->dirty = dirty;
	slab->place = SLAB_APART;
	slab->count.edge = class_table[class].slots;
	slab->count.more = 0;
	for (i = 0; i < slab_words(class); i++)
		slab->bits[i] = slab_word_mask(class, i);
}

void slots_rack_init(struct slots_rack *rack)
{
	u32 i;

	for (i = 0; i < SLAB_BUCKETS; i++)
		INIT_HLIST_HEAD(&rack->bucket[i]);
	rack->held = NULL;
	rack->held_long = false;
	rack->knows_full = false;
	rack->room = false;
	INIT_HLIST_HEAD(&rack->full);
}

/* Bits [first, last] of a word, as far as they lie in it; they may lie outside. */
static u64 word_range(u32 word, u32 first, u32 last)
{
	u32 base = word * 64;

	if (last < base || first >= base + 64)
		return 0;
	first = first > base ? first - base : 0;
	last = min(last - base, 63U);
	return (~0ULL << first) & (~0ULL >> (63 - last));
}

/* The first and the last slot that lie, if only in part, on a page. */
static u32 page_first_slot(const struct class_info *info, u32 page)
{
	return page * PAGE_SIZE / info->slot_bytes;
}

static u32 page_last_slot(const struct class_info *info, u32 page)
{
	return ((page + 1) * PAGE_SIZE - 1) / info->slot_bytes;
}

/* The bits of a word whose slots lie on dirty pages alone. */
static noinline u64 word_dirty(const struct slab *slab, u32 word)
{
	const struct class_info *info = &class_table[slab_class(slab)];
	u64 dirty = ~0ULL;
	u32 page;

	for (page = 0; page < info->slab_pages; page++)
		if (!(slab->dirty >> page & 1))
			dirty &= ~word_range(word, page_first_slot(info, page),
					     page_last_slot(info, page));
	return dirty;
}

/*
 * The pages from the first to the last slot that were taken hold memory from now
 * on; these are where the slots begin in the slab. As slots were taken from the
 * lowest free one up, nothing is left free between them.
 */
static void note_dirty(struct slab *slab, u32 bytes, u32 first, u32 last)
{
	slab->dirty |= (2U << ((last + bytes - 1) >> PAGE_SHIFT)) - (1U << (first >> PAGE_SHIFT));
}

/* The offsets of @n neighbours, the first of which is at @base. */
static inline void list_run(u64 *offsets, u64 base, u64 bytes, u32 n)
{
	u64 twice = 2 * bytes, odd = base + bytes;

	/* Eight at a time: this is most of what a batch from a fresh slab costs. */
	for (; n >= 8; n -= 8, offsets += 8) {
		offsets[0] = base;
		base += twice;
		offsets[1] = odd;
		odd += twice;
		offsets[2] = base;
		base += twice;
		offsets[3] = odd;
		odd += twice;
		offsets[4] = base;
		base += twice;
		offsets[5] = odd;
		odd += twice;
		offsets[6] = base;
		base += twice;
		offsets[7] = odd;
		odd += twice;
	}
	for (; n; n--, base += bytes)
		*offsets++ = base;
}

/*
 * Takes the lowest of some slots of a word that are free, @n at most; @base is
 * the offset of the word's first. Returns how many, and in @free what is left.
 */
static inline u32 take_word(u64 *free, u64 base, u32 bytes, u64 *offsets, u32 n)
{
	u32 first, run, got = 0;
	u64 slots = *free, low;

	while (slots && got < n) {
		low = slots & -slots;
		first = __ffs64(slots);
		offsets[got++] = base + (u64)first * bytes;
		slots ^= low;
		if (!(slots & low << 1) || got == n)
			continue;
		/* Neighbours follow, as they mostly do in a fresh slab. */
		run = __ffs64(~(slots >> first >> 1));
		run = min(run, n - got);
		slots &= ~(((1ULL << run) - 1) << first << 1);
		list_run(offsets + got, base + (u64)(first + 1) * bytes, bytes, run);
		got += run;
	}
	*free = slots;
	return got;
}

/* Takes the lowest free slots, from clean pages too or not. */
static u32 take_words(struct slab *slab, u64 *offsets, u32 n, bool clean)
{
	u32 class = slab_class(slab), words = slab_words(class), word;
	u32 bytes = class_table[class].slot_bytes;
	u64 start = slab_start(slab);
	u32 got = 0;

	for (word = 0; got < n && word < words; word++) {
		u64 usable = slab->bits[word], left;

		if (usable && !clean)
			usable &= word_dirty(slab, word);
		if (!usable)
			continue;
		if (!~usable && n - got >= 64) {
			list_run(offsets + got, start + (u64)word * 64 * bytes, bytes, 64);
			slab->bits[word] = 0;
			got += 64;
			continue;
		}
		left = usable;
		got += take_word(&left, start + (u64)word * 64 * bytes, bytes, offsets + got,
				 n - got);
		slab->bits[word] &= ~(usable ^ left);
	}
	if (clean && got)
		note_dirty(slab, bytes, offsets[0] - start, offsets[got - 1] - start);
	slab->count.more += got;
	return got;
}

/* Takes the lowest free slot of a slab that has one: what take_words() does, for one. */
static void take_lowest(struct slab *slab, u64 *offset)
{
	u32 bytes = class_table[slab_class(slab)].slot_bytes, word = 0, at;

	while (!slab->bits[word])
		word++;
	at = (word * 64 + __ffs64(slab->bits[word])) * bytes;
	*offset = slab_start(slab) + at;
	slab->bits[word] &= slab->bits[word] - 1;
	slab->count.more++;
	note_dirty(slab, bytes, at, at);
}

u32 slab_take(struct slab *slab, u64 *offsets, u32 n)
{
	u32 got = 0;

	n = min_t(u32, n, slab_free(slab));
	/* Where the first pages are the dirty ones, as mostly, the lowest slots are theirs. */
	if (slab->dirty & (slab->dirty + 1)) {
		got = take_words(slab, offsets, n, false);
	} else if (n == 1) {
		take_lowest(slab, offsets);
		return 1;
	}
	if (got < n)
		got += take_words(slab, offsets + got, n - got, true);
	return got;
}

u32 slab_give_many(struct slab *slab, const u64 *offsets, u32 n)
{
	const u64 reciprocal = class_table[slab_class(slab)].reciprocal;
	u64 bits = 0, nowhere, *word = &nowhere, *at, slot;
	u64 index;
	u32 i, delta;

	for (i = 0; i < n; i++) {
		delta = (u32)offsets[i] - slab->start_low;
		if (unlikely(!class_slot_index(reciprocal, delta, &index)))
			break;
		at = &slab->bits[index / 64];
		if (at != word) {
			*word = bits;
			word = at;
			bits = *at;
		}
		slot = 1ULL << index % 64;
		if (unlikely(bits & slot))
			break;
		bits |= slot;
	}
	*word = bits;
	slab->count.more -= i;
	return i;
}

u8 slab_idle(const struct slab *slab)
{
	const struct class_info *info = &class_table[slab_class(slab)];
	u32 page, word, last;
	u8 idle = 0;

	for (page = 0; page < info->slab_pages; page++) {
		u32 first = page_first_slot(info, page);
		u64 live = 0;

		last = page_last_slot(info, page);
		for (word = first / 64; word <= last / 64; word++)
			live |= word_range(word, first, last) & ~slab->bits[word];
		idle |= !live << page;
	}
	return idle;
}

/* Where a slab belongs; an empty one is not held as a matter of course. */
static enum slab_place slab_belongs(const struct slab *slab)
{
	u32 slots = class_table[slab_class(slab)].slots;
	u32 quarters = 4 * slab_free(slab);

	if (!slab_free(slab))
		return SLAB_FULL;
	if (slab_free(slab) == slots)
		return SLAB_HELD;
	if (quarters <= slots)
		return 0;
	return 1 + (quarters > 2 * slots) + (quarters > 3 * slots);
}

/* The most free slots that a slab can have in a place. */
static u32 slab_edge(const struct slab *slab, enum slab_place place)
{
	u32 slots = class_table[slab_class(slab)].slots;

	if (place >= SLAB_BUCKETS)
		return place == SLAB_FULL ? 0 : slots;
	return min((place + 1) * slots / 4, slots - 1);
}

/* Notes the place of a slab, whose free slots stay the same. */
static void slab_set_place(struct slab *slab, enum slab_place place)
{
	u16 free = slab_free(slab);

	slab->place = place == SLAB_FULL ? 0 : place;
	slab->count.edge = slab_edge(slab, place);
	slab->count.more = slab->count.edge - free;
}

/* The slab to take from next. */
static struct slab *slots_best(const struct slots_rack *rack)
{
	u32 i;

	for (i = 0; i < SLAB_BUCKETS; i++)
		if (!hlist_empty(&rack->bucket[i]))
			return hlist_entry(rack->bucket[i].first, struct slab, node);
	return rack->held;
}

/* In one step, as there are those who look without the lock. */
static void set_room(struct slots_rack *rack, bool room)
{
	if (room != rack->room)
		WRITE_ONCE(rack->room, room);
}

/* After a slab has left the buckets, or is not held any more. */
static void note_room(struct slots_rack *rack)
{
	unsigned long any = (unsigned long)rack->held;
	u32 i;

	for (i = 0; i < SLAB_BUCKETS; i++)
		any |= (unsigned long)rack->bucket[i].first;
	set_room(rack, any);
}

/* The caller sees to the room. */
static void slab_remove(struct slots_rack *rack, struct slab *slab)
{
	/* A full slab may be on a list, or linked to itself. */
	if (slab->place < SLAB_BUCKETS) {
		hlist_del_init(&slab->node);
	} else if (slab->place == SLAB_HELD) {
		rack->held = NULL;
		rack->held_long = false;
	}
	slab->place = SLAB_APART;
}

struct slab *slots_release_held(struct slots_rack *rack)
{
	struct slab *slab = rack->held;

	if (slab) {
		slab_remove(rack, slab);
		note_room(rack);
	}
	return slab;
}

struct slab *slots_age(struct slots_rack *rack)
{
	if (rack->held_long)
		return slots_release_held(rack);
	rack->held_long = !!rack->held;
	return NULL;
}

/*
 * Holds an empty slab back, or another one, which is held already. Of two, that
 * is the lower, so that the heap's upper end empties. Returns the upper, which is
 * where its count says.
 */
static struct slab *slab_hold(struct slots_rack *rack, struct slab *slab)
{
	struct slab *other = rack->held;

	if (other && slab_start(other) < slab_start(slab)) {
		slab_set_place(slab, SLAB_APART);
		return slab;
	}
	if (other)
		slab_remove(rack, other);
	rack->held = slab;
	rack->held_long = false;
	slab_set_place(slab, SLAB_HELD);
	return other;
}

struct slab *slots_settle(struct slots_rack *rack, struct slab *slab)
{
	enum slab_place place = slab_belongs(slab);
	struct slab *surplus = NULL;

	if (place == slab_where(slab))
		return NULL;
	slab_remove(rack, slab);
	if (place == SLAB_HELD) {
		surplus = slab_hold(rack, slab);
	} else {
		slab_set_place(slab, place);
		if (place < SLAB_BUCKETS)
			hlist_add_head(&slab->node, &rack->bucket[place]);
		else if (rack->knows_full)
			hlist_add_head(&slab->node, &rack->full);
	}
	if (place == SLAB_FULL)
		note_room(rack);
	else
		set_room(rack, true);
	return surplus;
}

void slots_open(struct slots_rack *rack, struct hlist_head *list, struct hlist_node **last)
{
	struct hlist_head *bucket = &rack->bucket[0];

	*last = bucket->first;
	if (bucket->first)
		bucket->first->pprev = last;
	bucket->first = list->first;
	list->first->pprev = &bucket->first;
	set_room(rack, true);
}

u32 slab_give_all(struct slab *slab)
{
	u32 i, class = slab_class(slab), taken = class_table[class].slots - slab_free(slab);

	for (i = 0; i < slab_words(class); i++)
		slab->bits[i] = slab_word_mask(class, i);
	slab->count.more -= taken;
	return taken;
}

void slots_leave(struct slots_rack *rack, struct slab *slab)
{
	slab_remove(rack, slab);
	note_room(rack);
	if (slab_free(slab) < class_table[slab_class(slab)].slots)
		slab->place = SLAB_LEFT;
}

struct slab *slots_next(const struct slots_rack *rack)
{
	if (!hlist_empty(&rack->full))
		return hlist_entry(rack->full.first, struct slab, node);
	return slots_best(rack);
}

/* What slots_settle() does with a slab of a bucket that has become full, but for the room. */
static void slab_filled(struct slots_rack *rack, struct slab *slab)
{
	hlist_del_init(&slab->node);
	slab->place = 0;	/* see slab_where() */
	slab->count = (struct slab_count){ 0 };
	if (rack->knows_full)
		hlist_add_head(&slab->node, &rack->full);
}

/* Whether a slab that slots were taken from is still where its fullness says. */
static bool slab_stays(const struct slab *slab)
{
	return slab->place < SLAB_BUCKETS &&
	       4 * slab_free(slab) > slab->place * class_table[slab_class(slab)].slots;
}

u32 slots_take(struct slots_rack *rack, u64 *offsets, u32 n)
{
	struct slab *slab;
	u32 got = 0;

	while (got < n && (slab = slots_best(rack))) {
		if (slab->node.next)	/* what is taken from next, maybe */
			prefetch(slab->node.next);
		got += slab_take(slab, offsets + got, n - got);
		if (slab_stays(slab))	/* with room left: that is all */
			return got;
		if (!slab_free(slab) && slab->place < SLAB_BUCKETS)
			slab_filled(rack, slab);
		else
			slots_settle(rack, slab);	/* not empty: nothing to release */
	}
	note_room(rack);
	return got;
}

const char *slab_check(const struct slab *slab)
{
	u32 class = slab_class(slab);
	u32 words = slab_words(class);
	u32 i, free = 0;

	for (i = 0; i < words; i++) {
		if (slab->bits[i] & ~slab_word_mask(class, i))
			return "slots: a bit is set beyond the last slot";
		free += hweight64(slab->bits[i]);
	}
	if (free != slab_free(slab))
		return "slots: the count of free slots is wrong";
	if (slab->place == SLAB_LEFT ? free == class_table[class].slots :
				       slab_where(slab) != slab_belongs(slab))
		return "slots: a slab is not where its fullness says";
	if (slab->place != SLAB_LEFT && slab->count.edge != slab_edge(slab, slab_where(slab)))
		return "slots: a slab would change its place at another edge";
	if (slab->dirty & ~slab_pages_mask(class))
		return "slots: a page beyond the slab is dirty";
	if ((slab->dirty | slab_idle(slab)) != slab_pages_mask(class))
		return "slots: a live slot lies on a clean page";
	return NULL;
}

static const char *check_bucket(const struct slots_rack *rack, u32 place, u32 home,
				u64 *slabs)
{
	const struct slab *slab;
	const char *error = NULL;

	hlist_for_each_entry(slab, &rack->bucket[place], node) {
		if (slab->home != home)
			return "slots: a slab is on a rack not its own";
		if (slab_where(slab) != place)
			return "slots: a slab is in another bucket than it says";
		if (*slab->node.pprev != &slab->node)
			return "slots: a slab's link back is wrong";
		error = slab_check(slab);
		if (error)
			break;
		++*slabs;
	}
	return error;
}

u64 slots_count_full(const struct slots_rack *rack)
{
	const struct slab *slab;
	u64 count = 0;

	hlist_for_each_entry(slab, &rack->full, node)
		count += slab_where(slab) == SLAB_FULL;
	return count;
}

const char *slots_check(const struct slots_rack *rack, u32 home, u64 *slabs)
{
	const char *error = NULL;
	u32 i;

	*slabs = 0;
	for (i = 0; i < SLAB_BUCKETS && !error; i++)
		error = check_bucket(rack, i, home, slabs);
	*slabs += !!rack->held;
	if (!error && rack->room != !!*slabs)
		error = "slots: whether there are slabs with room is wrong";
	if (error || !rack->held)
		return error;

	if (rack->held->place != SLAB_HELD || rack->held->home != home)
		return "slots: the slab held back does not belong there";
	return slab_check(rack->held);
}
