/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bitmaps of one chunk of pages, and summaries of free runs.
 *
 * Pure functions, the lower half of pages.h. A chunk is BITS_CHUNK pages, one
 * bit each, set = taken. A summary describes the free pages of any stretch of
 * pages by three lengths: of the free run at its head, of the longest free
 * run anywhere in it, and of the free run at its tail. Summaries of adjacent
 * stretches can be merged into that of the whole without looking at a bit.
 *
 * A summary is one word of three 21-bit fields, as in Go's page allocator.
 * Stretches have up to 2^21 pages. A run of that many does not fit into a
 * field, but it then fills all three, which bit 63 says instead.
 */
#ifndef SHMZONE_CORE_BITS_H
#define SHMZONE_CORE_BITS_H

#include "core_env.h"

#define BITS_CHUNK_SHIFT	9
#define BITS_CHUNK		(1U << BITS_CHUNK_SHIFT)
#define BITS_CHUNK_WORDS	(BITS_CHUNK / 64)

#define SUM_FIELD_BITS	21
#define SUM_PAGES_MAX	(1U << SUM_FIELD_BITS)
#define SUM_ALL_MAX	(1ULL << 63)
#define SUM_NONE	0ULL	/* no page free */

static inline u64 sum_pack(u32 start, u32 longest, u32 end)
{
	if (longest == SUM_PAGES_MAX)
		return SUM_ALL_MAX;
	return start | (u64)longest << SUM_FIELD_BITS | (u64)end << (2 * SUM_FIELD_BITS);
}

static inline u64 sum_free(u32 pages)
{
	return sum_pack(pages, pages, pages);
}

static inline u32 sum_field(u64 sum, u32 field)
{
	if (sum == SUM_ALL_MAX)
		return SUM_PAGES_MAX;
	return sum >> (field * SUM_FIELD_BITS) & (SUM_PAGES_MAX - 1);
}

/* The same for a stretch of less than %SUM_PAGES_MAX pages. */
static inline u32 sum_below(u64 sum, u32 field)
{
	return sum >> (field * SUM_FIELD_BITS) & (SUM_PAGES_MAX - 1);
}

static inline u32 sum_start(u64 sum)
{
	return sum_field(sum, 0);
}

static inline u32 sum_longest(u64 sum)
{
	return sum_field(sum, 1);
}

static inline u32 sum_end(u64 sum)
{
	return sum_field(sum, 2);
}

/**
 * struct sum_merge - a summary in the making, from left to right
 * @start: free run at the head, once @closed
 * @longest: longest run ended so far
 * @run: free run at the end of what was added so far
 * @closed: a taken page was seen
 *
 * Begins as all zero.
 */
struct sum_merge {
	u32 start;
	u32 longest;
	u32 run;
	bool closed;
};

/* Adds a stretch with a taken page. */
static inline void sum_add_runs(struct sum_merge *merge, u32 start, u32 longest, u32 end)
{
	merge->run += start;
	if (!merge->closed)
		merge->start = merge->run;
	merge->closed = true;
	merge->longest = max3(merge->longest, merge->run, longest);
	merge->run = end;
}

/* Adds a stretch without a free page. */
static inline void sum_add_taken(struct sum_merge *merge)
{
	if (merge->run || !merge->closed)
		sum_add_runs(merge, 0, 0, 0);
}

/**
 * sum_add() - add the next stretch
 * @merge: summary in the making
 * @sum: summary of the stretch
 * @pages: length of the stretch, less than %SUM_PAGES_MAX
 */
static inline void sum_add(struct sum_merge *merge, u64 sum, u32 pages)
{
	const u32 mask = SUM_PAGES_MAX - 1;

	if (sum == SUM_NONE)
		sum_add_taken(merge);
	else if ((sum & mask) == pages)
		merge->run += pages;
	else
		sum_add_runs(merge, sum & mask, sum >> SUM_FIELD_BITS & mask,
			     sum >> (2 * SUM_FIELD_BITS));
}

/**
 * sum_done() - the summary of all that was added
 */
static inline u64 sum_done(const struct sum_merge *merge)
{
	if (!merge->closed)
		return sum_free(merge->run);
	return sum_pack(merge->start, max(merge->longest, merge->run), merge->run);
}

/**
 * bits_set(), bits_clear() - set or clear bits [first, first + n) of a chunk
 */
void bits_set(u64 *map, u32 first, u32 n);
void bits_clear(u64 *map, u32 first, u32 n);

/**
 * bits_count() - how many of bits [first, first + n) of a chunk are set
 */
u32 bits_count(const u64 *map, u32 first, u32 n);

static inline bool bits_test(const u64 *map, u32 bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

/**
 * bits_uniform() - whether all bits of a chunk equal the first
 */
bool bits_uniform(const u64 *map);

/**
 * bits_sum() - the summary of a chunk
 */
u64 bits_sum(const u64 *map);

/**
 * bits_find() - the first free run in a chunk
 * @map: the chunk
 * @n: length wanted, 1 to BITS_CHUNK
 *
 * Returns the index of its first page, or BITS_CHUNK if there is none.
 */
u32 bits_find(const u64 *map, u32 n);

#endif /* SHMZONE_CORE_BITS_H */
