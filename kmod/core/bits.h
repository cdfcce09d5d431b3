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
 * sum_of_eight() - the summary of eight neighbours, from theirs
 * @sums: the first of these
 * @stride: the distance to the next, in words
 * @pages: length of each stretch, less than %SUM_PAGES_MAX
 *
 * Whether a stretch is free throughout is as good as random where live pages are
 * scattered, so that is no branch. Whether it is taken throughout mostly is not random.
 */
static __always_inline u64 sum_of_eight(const u64 *sums, u32 stride, u32 pages)
{
	u32 i, field, start = 0, longest = 0, run = 0, open = ~0U;
	u64 sum;

	for (i = 0; i < 8; i++, sums += stride) {
		sum = *sums;
		if (sum == SUM_NONE) {
			open = 0;
			run = 0;
			continue;
		}
		field = sum_below(sum, 0);
		run += field;
		start += field & open;
		longest = max3(longest, run, sum_below(sum, 1));
		open = field == pages ? open : 0;
		run = field == pages ? run : sum >> (2 * SUM_FIELD_BITS);
	}
	return sum_pack(start, longest, run);
}

/**
 * sum_follow() - what a change of one of several neighbours means for all of them
 * @sum: their summary
 * @before: that of the one, as it was
 * @after: and now
 *
 * Most changes only concern a run inside of the one. Returns whether @sum is right
 * now; if not, it is to be made anew from all of them.
 */
static inline bool sum_follow(u64 *sum, u64 before, u64 after)
{
	const u64 longest = (u64)(SUM_PAGES_MAX - 1) << SUM_FIELD_BITS;

	if ((before ^ after) & ~longest)
		return false;
	if ((after & longest) > (*sum & longest))
		*sum = (*sum & ~longest) | (after & longest);
	else if ((before & longest) == (*sum & longest))
		return false;
	return true;
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
 * bits_sum_given() - the same once a run was given back
 * @map: the chunk, as it is now
 * @sum: its summary before
 * @first: the first page given back
 * @n: how many; all of them were taken before
 */
u64 bits_sum_given(const u64 *map, u64 sum, u32 first, u32 n);

/**
 * bits_find() - the first free run in a chunk
 * @map: the chunk
 * @n: length wanted, 1 to BITS_CHUNK
 *
 * Returns the index of its first page, or BITS_CHUNK if there is none.
 */
u32 bits_find(const u64 *map, u32 n);

#endif /* SHMZONE_CORE_BITS_H */
