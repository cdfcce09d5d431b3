// SPDX-License-Identifier: GPL-2.0
/*
 * Bitmaps of one chunk of pages, and summaries of free runs, see bits.h.
 *
 * Runs inside a word are measured by the usual folding: if bit i of x says
 * that a run of m set bits begins at i, then bit i of x & x >> k says so for
 * m + k bits, for any k up to m. A run of n is found in log2(n) steps.
 */
#include "core_env.h"
#include "bits.h"

/* Bits [first, last] of a word. */
static u64 word_mask(u32 first, u32 last)
{
	return ~0ULL << first & ~0ULL >> (63 - last);
}

/* Where in @x runs of at least @n set bits begin, @n from 1 to 64. */
static u64 word_runs(u64 x, u32 n)
{
	u32 have = 1, step;

	while (x && have < n) {
		step = min(have, n - have);
		x &= x >> step;
		have += step;
	}
	return x;
}

/* The longest run of set bits in @x if it is longer than @floor, else @floor. */
static u32 word_longest(u64 x, u32 floor)
{
	if (floor >= 64)
		return floor;
	for (x = word_runs(x, floor + 1); x; x &= x >> 1)
		floor++;
	return floor;
}

void bits_set(u64 *map, u32 first, u32 n)
{
	u32 end = first + n, stop;

	for (; first < end; first = stop) {
		stop = min(end, (first | 63) + 1);
		map[first / 64] |= word_mask(first % 64, (stop - 1) % 64);
	}
}

void bits_clear(u64 *map, u32 first, u32 n)
{
	u32 end = first + n, stop;

	for (; first < end; first = stop) {
		stop = min(end, (first | 63) + 1);
		map[first / 64] &= ~word_mask(first % 64, (stop - 1) % 64);
	}
}

u32 bits_count(const u64 *map, u32 first, u32 n)
{
	u32 end = first + n, stop, count = 0;

	for (; first < end; first = stop) {
		stop = min(end, (first | 63) + 1);
		count += hweight64(map[first / 64] & word_mask(first % 64, (stop - 1) % 64));
	}
	return count;
}

bool bits_uniform(const u64 *map)
{
	u64 want = map[0] & 1 ? ~0ULL : 0;
	u32 i;

	for (i = 0; i < BITS_CHUNK_WORDS; i++)
		if (map[i] != want)
			return false;
	return true;
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
static void sum_add_runs(struct sum_merge *merge, u32 start, u32 longest, u32 end)
{
	merge->run += start;
	if (!merge->closed)
		merge->start = merge->run;
	merge->closed = true;
	merge->longest = max3(merge->longest, merge->run, longest);
	merge->run = end;
}

/* Adds a stretch without a free page. */
static void sum_add_taken(struct sum_merge *merge)
{
	if (merge->run || !merge->closed)
		sum_add_runs(merge, 0, 0, 0);
}

/* The summary of all that was added. */
static u64 sum_done(const struct sum_merge *merge)
{
	if (!merge->closed)
		return sum_free(merge->run);
	return sum_pack(merge->start, max(merge->longest, merge->run), merge->run);
}

u64 bits_sum(const u64 *map)
{
	struct sum_merge merge = {};
	u32 i, start, end, longest;

	/* Chunks are filled from their start, and soon full. */
	for (i = 0; i < BITS_CHUNK_WORDS && !~map[i]; i++)
		merge.closed = true;
	for (; i < BITS_CHUNK_WORDS; i++) {
		if (!map[i]) {
			merge.run += 64;
			continue;
		}
		if (!~map[i]) {
			sum_add_taken(&merge);
			continue;
		}
		start = __ffs64(map[i]);
		end = 64 - fls64(map[i]);
		/* Runs inside matter only if they beat those that touch the ends. */
		longest = max3(merge.longest, merge.run + start, end);
		longest = word_longest(~map[i], longest);
		sum_add_runs(&merge, start, longest, end);
	}
	return sum_done(&merge);
}

/* How many bits directly below one are clear. */
static u32 clear_below(const u64 *map, u32 bit)
{
	u32 word = bit / 64, n = bit % 64;
	u64 bits = n ? map[word] << (64 - n) : 0;

	if (bits)
		return 64 - fls64(bits);
	for (; word--; n += 64)
		if (map[word])
			return n + 64 - fls64(map[word]);
	return n;
}

/* How many bits from one on are clear. */
static u32 clear_from(const u64 *map, u32 bit)
{
	u32 word = bit / 64, n;

	if (bit == BITS_CHUNK)
		return 0;
	if (map[word] >> bit % 64)
		return __ffs64(map[word] >> bit % 64);
	for (n = 64 - bit % 64; ++word < BITS_CHUNK_WORDS; n += 64)
		if (map[word])
			return n + __ffs64(map[word]);
	return n;
}

u64 bits_sum_given(const u64 *map, u64 sum, u32 first, u32 n)
{
	u32 left = clear_below(map, first), right = clear_from(map, first + n);
	u32 run = left + n + right;

	return sum_pack(left == first ? run : sum_below(sum, 0),
			max(run, sum_below(sum, 1)),
			first + n + right == BITS_CHUNK ? run : sum_below(sum, 2));
}

u32 bits_find(const u64 *map, u32 n)
{
	u32 i, run = 0;
	u64 runs;

	/* Chunks are filled from their start. */
	for (i = 0; i < BITS_CHUNK_WORDS - 1 && !~map[i]; i++)
		;
	for (; i < BITS_CHUNK_WORDS; i++) {
		u32 start = map[i] ? __ffs64(map[i]) : 64;

		if (run + start >= n)
			return i * 64 - run;
		if (!map[i]) {
			run += 64;
			continue;
		}
		runs = n < 64 ? word_runs(~map[i], n) : 0;
		if (runs)
			return i * 64 + __ffs64(runs);
		run = 64 - fls64(map[i]);
	}
	return BITS_CHUNK;
}
