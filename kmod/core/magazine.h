/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Magazines: the kernel's side of one cache.
 *
 * A cache is memory that a thread and the kernel share: a head with bins, and
 * words that are offsets of free slots; uapi/linux/shmzone_cache.h has the
 * protocol, and the layout below is that one. A *magazine* is what the kernel
 * knows of a bin: its class and group, which words are its room, and how many
 * of them it may use at present, its capacity.
 *
 * Whatever the thread can write is hostile. Of a bin only @cur is ever read,
 * once for each call, and set to that of an empty bin if it lies outside of the
 * magazine, which loses what was in it; end and all else comes from the
 * magazine. Words are read once each, and are the heap's to judge: what
 * comes out of a magazine goes to heap_free(), and to nobody else.
 *
 * Capacities double, from one slot on, until the room is used up or the caller
 * allows for no more bytes. The last doubling, beyond the steady capacity, is refused once
 * the cache would have more than half of %MAGAZINE_STOCK_MAX, so that some large bins leave
 * enough for all others. A cache whose stock was taken back begins anew.
 *
 * A call moves half of the capacity, so that what follows may go either way. But a bin
 * that is filled again without having been emptied is one of a heap that grows, and
 * one that is emptied again that of a heap that shrinks: then it is three quarters,
 * or seven eighths, rounded up. What counts is what was asked for, be it done or not.
 *
 * No locking inside; the caller serialises the calls for one cache. The
 * thread may be at work meanwhile: then it, and nobody else, gets what it
 * deserves. Nothing is allocated or freed inside: the caller provides the pages
 * that magazine_lacks() asks for, which stay until the cache ends.
 */
#ifndef SHMZONE_CORE_MAGAZINE_H
#define SHMZONE_CORE_MAGAZINE_H

#include "core_env.h"
#include "class.h"

#define MAGAZINE_CACHE_BYTES	131072
#define MAGAZINE_BINS		128
#define MAGAZINE_STOCK_MAX	(1U << 20)

/* Words of a cache are counted from its head, which takes those before the first. */
#define MAGAZINE_HEAD_BYTES	936
#define MAGAZINE_FIRST_WORD	256
#define MAGAZINE_WORDS		((MAGAZINE_CACHE_BYTES - MAGAZINE_HEAD_BYTES) / sizeof(u64))

/* What is below the first word of a bin: the thread takes no such offset. */
#define MAGAZINE_BOTTOM		U64_MAX

#define MAGAZINE_PAGES		DIV_ROUND_UP(MAGAZINE_CACHE_BYTES, PAGE_SIZE)

/* Slots in one bin at most, those that go into it in one call, and out of it at a time. */
#define MAGAZINE_SLOTS_MAX	252
#define MAGAZINE_IN_MAX		(MAGAZINE_SLOTS_MAX * 3 / 4)
#define MAGAZINE_OUT_MAX	(MAGAZINE_SLOTS_MAX / 2)

/*
 * In checked zones: the bin in which frees of objects of so many bytes are
 * collected, what magazine_make() knows it by, and how many it has room for. Its
 * words have a second part.
 */
#define MAGAZINE_PENDING	CLASS_COUNT
#define MAGAZINE_PENDING_BYTES	1024
#define MAGAZINE_PENDING_GROUP	CLASS_GROUPS
#define MAGAZINE_PENDING_MAX	64
#define MAGAZINE_CUR_SHIFT	48
#define MAGAZINE_OFFSET_MASK	((1ULL << MAGAZINE_CUR_SHIFT) - 1)
#define MAGAZINE_CHECKED_KEY	(1U << 30)

/**
 * struct cache_bin - a bin, as the thread sees it
 * @cur: last word in use
 * @end: last word that may be
 */
struct cache_bin {
	u32 cur;
	u32 end;
};

/**
 * struct cache_head - the head of a cache, as the thread sees it
 * @key: negative, or 0, or the thread is at work
 * @reserved: zero
 * @bin_of: bin of a class in group n + 1; the kernel never reads it
 * @bin: the bins
 */
struct cache_head {
	u32 key;
	u32 reserved[15];
	u8 bin_of[CLASS_GROUPS - 1][64];
	struct cache_bin bin[MAGAZINE_BINS];
};

/**
 * enum magazine_way - which way slots are moved
 * @MAGAZINE_STILL: they were not yet
 * @MAGAZINE_IN: into a bin
 * @MAGAZINE_OUT: out of it
 */
enum magazine_way {
	MAGAZINE_STILL,
	MAGAZINE_IN,
	MAGAZINE_OUT,
};

/**
 * struct magazine - what the kernel knows of a bin
 * @base: first word; the one below is %MAGAZINE_BOTTOM once there is capacity
 * @room: words it has
 * @capacity: how many of them it may use
 * @class: its class; %CLASS_SPAN if there is no such bin
 * @group: its group
 * @way: which way slots were to be moved last, an enum magazine_way
 */
struct magazine {
	u16 base;
	u16 room;
	u16 capacity;
	u8 class;
	u8 group;
	u8 way;
};

/**
 * struct magazines - the kernel's side of a cache
 * @page: the pages of the cache, as far as they were needed; the first one always
 * @bins: bins made so far, bin 0 included
 * @words: words given out to bins
 * @bytes: capacity of all magazines, in bytes of slots
 * @wrong: bins that were found to be wrong
 * @key: what the head has for a key while the thread is not at work
 * @magazine: the magazines
 */
struct magazines {
	void *page[MAGAZINE_PAGES];
	u32 bins;
	u32 words;
	u64 bytes;
	u64 wrong;
	u32 key;
	struct magazine magazine[MAGAZINE_BINS];
};

/**
 * magazines_init() - set a cache up
 * @m: its kernel side, all zero but for the first page, which is all zero too
 * @page_entry: what the page map has for class 0 of the slabs whose slots go
 *		into the bins of group 0; not 0
 * @checked: it is of a checked zone
 */
void magazines_init(struct magazines *m, u32 page_entry, bool checked);

/**
 * magazines_show_key() - let the thread use a cache that it says is not set up
 */
void magazines_show_key(struct magazines *m);

/**
 * magazine_make() - find the bin of a class and group, or make it
 * @class: not %CLASS_SPAN
 * @group: or %MAGAZINE_PENDING_GROUP, in a checked zone
 *
 * Returns the bin, or 0 if there is no room for another.
 */
u32 magazine_make(struct magazines *m, u32 class, u32 group);

/**
 * magazine_lacks() - which page a bin needs, to grow if it may, and else for what it has
 *
 * Returns the index of a page that is not there, or 0: the first page always is.
 */
u32 magazine_lacks(const struct magazines *m, u32 bin);

/**
 * magazine_growth() - by how many bytes magazine_grow() would raise the capacity
 *
 * Returns 0 if there is no room, or it would exceed what a cache may have.
 */
u64 magazine_growth(const struct magazines *m, u32 bin);

/**
 * magazine_is_steady() - whether a bin could only grow beyond its steady capacity
 */
bool magazine_is_steady(const struct magazines *m, u32 bin);

/**
 * magazine_grow() - raise the capacity of a bin
 *
 * There must be something to raise, and magazine_lacks() nothing.
 */
void magazine_grow(struct magazines *m, u32 bin);

/**
 * magazine_portion() - how many slots a call is to move
 * @way: into the bin or out of it
 *
 * Depends on what was asked for last, and takes note of that. Into a bin it is
 * %MAGAZINE_IN_MAX at most. Returns 0 for a bin without capacity only.
 */
u32 magazine_portion(struct magazines *m, u32 bin, enum magazine_way way);

/**
 * magazine_shut() - take all capacity from a bin, and forget what is in it
 *
 * Returns by how many bytes the capacity fell.
 */
u64 magazine_shut(struct magazines *m, u32 bin);

/**
 * magazine_used() - slots in a bin, as the thread has it
 */
u32 magazine_used(struct magazines *m, u32 bin);

/**
 * magazine_put() - add slots to a bin
 * @offsets: their offsets; the first one is going to be taken first
 *
 * Returns how many there was capacity for; those are the first ones.
 */
u32 magazine_put(struct magazines *m, u32 bin, const u64 *offsets, u32 n);

/**
 * magazine_take_old() - take those slots out of a bin that are in it for longest
 * @offsets: gets what the cache has for their offsets
 * @n: how many at most
 *
 * Returns how many.
 */
u32 magazine_take_old(struct magazines *m, u32 bin, u64 *offsets, u32 n);

/**
 * magazine_take() - the same with those that were put in last
 */
u32 magazine_take(struct magazines *m, u32 bin, u64 *offsets, u32 n);

/* Whether it is the bin in which frees are collected. */
static inline bool magazine_is_pending(const struct magazines *m, u32 bin)
{
	return m->magazine[bin].group == MAGAZINE_PENDING_GROUP;
}

/**
 * magazine_word() - what a bin has for the offset of one of its slots
 * @i: less than what magazine_used() returned just before
 */
u64 magazine_word(struct magazines *m, u32 bin, u32 i);

/**
 * magazines_stock() - what is in a cache, as the thread has it
 * @slots: gets how many, those too that wait to be freed
 *
 * Returns bytes, without these.
 */
u64 magazines_stock(struct magazines *m, u64 *slots);

static inline struct cache_head *magazines_head(const struct magazines *m)
{
	return m->page[0] + MAGAZINE_HEAD_BYTES;
}

/* Whether the thread says that it is at work. */
static inline bool magazines_busy(const struct magazines *m)
{
	return (int)READ_ONCE(magazines_head(m)->key) > 0;
}

/* The thread is no more, and left it at that. */
static inline void magazines_end_busy(const struct magazines *m)
{
	WRITE_ONCE(magazines_head(m)->key, m->key);
}

#endif /* SHMZONE_CORE_MAGAZINE_H */
