// SPDX-License-Identifier: GPL-2.0
/*
 * Looking at a page bitmap: where a run is free, what single pages are, and which
 * free ones may hold memory. See pages.c for the search.
 */
#include "core_env.h"
#include "pages.h"
#include "pages_impl.h"

/* Chunks and absent stretches that pages_next_dirty() looks at in one call. */
#define LOOKS_MAX	64

/* The first free run. */

/**
 * struct search - a search on its way down
 * @n: length wanted
 * @hint: no page before it is free
 * @base: where what is looked at begins; then, where the run does
 */
struct search {
	u32 n;
	u64 hint;
	u64 base;
};

/*
 * Looks through eight neighbours that have a run, from their summaries, @stride
 * words apart. Returns the index of the one inside of which it is; or 8, if it
 * touches the start of one: then @base is where it begins.
 */
static __always_inline u32 search_eight(struct search *search, const u64 *sums, u32 stride,
					u32 shift)
{
	u64 sum, base = search->base;
	u32 i = 0, start, run = 0;

	if (search->hint > base)
		i = min_t(u64, (search->hint - base) >> shift, 7);
	for (; i < 8; i++) {
		sum = sums[i * stride];
		if (sum == SUM_NONE) {
			run = 0;
			continue;
		}
		search->base = base + ((u64)i << shift);
		start = sum_below(sum, 0);
		if (run + start >= search->n) {
			search->base -= run;
			return 8;
		}
		if (sum_below(sum, 1) >= search->n)
			return i;
		run = sum_below(sum, 2) + (start == 1ULL << shift ? run : 0);
	}
	WARN_ON_ONCE(1);
	search->base = PAGES_NONE;
	return 8;
}

/* The first run of @n pages below an entry that is known to have one. */
static u64 find_below(const struct pages_entry *entry, u64 base, u32 n, u64 hint)
{
	struct search search = { .n = n, .hint = hint, .base = base };
	const struct pages_chunk *chunk;
	const struct pages_node *node;
	u32 level, shift, group, i;

	for (level = TOP_LEVEL; level; level--) {
		node = entry_child(entry);
		shift = LEVEL_SHIFT(level - 1);
		group = search_eight(&search, node->group, 1, shift + GROUP_SHIFT);
		if (group == GROUPS)
			return search.base;
		entry = &node->entry[group * GROUP];
		i = search_eight(&search, &entry->sum, ENTRY_WORDS, shift);
		if (i == GROUP)
			return search.base;
		entry += i;
	}
	chunk = entry_child(entry);
	return search.base + bits_find(chunk->taken, n);
}

u64 pages_find(const struct pages *pages, u64 n)
{
	u64 i, first, run = 0;

	if (!n || n > pages->count)
		return PAGES_NONE;

	for (i = pages->hint >> TOP_SHIFT; i < pages->row_len; i++) {
		const struct pages_entry *entry = &pages->row[i];

		if (run + sum_start(entry->sum) >= n)
			break;
		if (sum_longest(entry->sum) >= n)
			break;
		if (sum_start(entry->sum) != SUM_PAGES_MAX)
			run = 0;
		run += sum_end(entry->sum);
	}

	first = (i << TOP_SHIFT) - run;
	if (i < pages->row_len && run + sum_start(pages->row[i].sum) < n)
		first = find_below(&pages->row[i], i << TOP_SHIFT, n, pages->hint);
	return first <= pages->count - n ? first : PAGES_NONE;
}

/* Pages. */

/* The chunk of a page, or NULL and in @state what its stretch is throughout. */
static const struct pages_chunk *chunk_of(const struct pages *pages, u64 page,
					  unsigned long *state)
{
	const struct pages_entry *entry;
	const struct pages_node *node;
	u32 level = TOP_LEVEL;

	*state = ABSENT_CLEAN;
	if (page >> TOP_SHIFT >= pages->row_len)
		return NULL;
	entry = &pages->row[page >> TOP_SHIFT];
	for (; level && (node = entry_child(entry)); level--)
		entry = &node->entry[node_index(page, level)];
	*state = entry->child;
	return level ? NULL : entry_child(entry);
}

bool pages_is_taken(const struct pages *pages, u64 page)
{
	unsigned long state;
	const struct pages_chunk *chunk = chunk_of(pages, page, &state);

	if (!chunk)
		return state == ABSENT_TAKEN;
	return bits_test(chunk->taken, page & (BITS_CHUNK - 1));
}

bool pages_is_dirty(const struct pages *pages, u64 page)
{
	unsigned long state;
	const struct pages_chunk *chunk = chunk_of(pages, page, &state);

	if (!chunk)
		return state != ABSENT_CLEAN;
	return bits_test(chunk->dirty, page & (BITS_CHUNK - 1));
}

u8 pages_dirty_mask(const struct pages *pages, u64 first, u32 n)
{
	u8 mask = 0;
	u32 i;

	for (i = 0; i < n; i++)
		mask |= pages_is_dirty(pages, first + i) << i;
	return mask;
}

/**
 * struct dirty_scan - the search for a run that is free and dirty
 * @from: nothing below counts
 * @first: first page of the run, once @n is not 0
 * @n: pages in it so far
 * @seen: the page after the last that was looked at
 * @looks: chunks and stretches looked at
 */
struct dirty_scan {
	u64 from;
	u64 first;
	u64 n;
	u64 seen;
	u32 looks;
};

/* Looks at the next pages in address order. Returns whether the run has ended. */
static bool scan_run(struct dirty_scan *scan, u64 first, u64 n, bool dirty)
{
	u64 end = first + n;

	first = max(first, scan->from);
	if (first >= end)
		return false;
	if (!dirty)
		return scan->n;
	if (!scan->n)
		scan->first = first;
	scan->n += end - first;
	return false;
}

static bool scan_chunk(struct dirty_scan *scan, const struct pages_chunk *chunk, u64 base)
{
	u32 word, i, len;

	for (word = 0; word < BITS_CHUNK_WORDS; word++) {
		u64 bits = chunk->dirty[word] & ~chunk->taken[word];

		for (i = 0; i < 64; i += len) {
			bool dirty = bits >> i & 1;
			u64 rest = (dirty ? ~bits : bits) >> i;

			len = rest ? min_t(u32, __ffs64(rest), 64 - i) : 64 - i;
			if (scan_run(scan, base + word * 64 + i, len, dirty))
				return true;
		}
	}
	return false;
}

/* Returns whether the scan is over: the run has ended, or enough was looked at. */
static bool scan_entry_dirty(struct dirty_scan *scan, const struct pages_entry *entry, u32 level,
			     u64 base)
{
	const struct pages_node *node;
	u32 i;

	if (base + LEVEL_PAGES(level) <= scan->from)
		return false;
	if (level && entry_child(entry)) {
		node = entry_child(entry);
		for (i = 0; i < FANOUT; i++)
			if (scan_entry_dirty(scan, &node->entry[i], level - 1,
					     base + i * LEVEL_PAGES(level - 1)))
				return true;
		return false;
	}
	scan->seen = base + LEVEL_PAGES(level);
	scan->looks++;
	if (entry_child(entry) ? scan_chunk(scan, entry_child(entry), base) :
				 scan_run(scan, base, LEVEL_PAGES(level),
					  entry->child == ABSENT_DIRTY))
		return true;
	return scan->looks == LOOKS_MAX;
}

bool pages_next_dirty(const struct pages *pages, u64 *page, u64 *n)
{
	struct dirty_scan scan = { .from = *page };
	u64 i;

	for (i = *page >> TOP_SHIFT; i < pages->row_len; i++)
		if (scan_entry_dirty(&scan, &pages->row[i], TOP_LEVEL, i << TOP_SHIFT))
			break;
	*page = scan.n ? scan.first : scan.seen;
	*n = scan.n;
	return scan.n || i < pages->row_len;
}
