// SPDX-License-Identifier: GPL-2.0
/*
 * Counting and checking a page bitmap, bit by bit.
 *
 * Every summary and count is recomputed from the single pages below it.
 */
#include "core_env.h"
#include "pages.h"
#include "pages_impl.h"

/**
 * struct scan - what is known of a stretch after looking at part of it
 * @pages: pages seen
 * @taken: taken ones among them
 * @first_free: index of the first free page, if any was seen
 * @start: free run at the head
 * @longest: longest free run
 * @run: free run at the end
 */
struct scan {
	u64 pages;
	u64 taken;
	u64 first_free;
	u64 start;
	u64 longest;
	u64 run;
};

static void scan_pages(struct scan *scan, bool taken, u64 n)
{
	if (taken) {
		scan->taken += n;
		scan->run = 0;
	} else {
		if (scan->taken == scan->pages)
			scan->first_free = scan->pages;
		scan->run += n;
		scan->longest = max(scan->longest, scan->run);
		if (!scan->taken)
			scan->start = scan->run;
	}
	scan->pages += n;
}

static void scan_entry(struct scan *scan, const struct pages_entry *entry, u32 level)
{
	const struct pages_chunk *chunk;
	const struct pages_node *node;
	u32 i;

	if (!entry_child(entry)) {
		scan_pages(scan, entry->child == ABSENT_TAKEN, LEVEL_PAGES(level));
	} else if (level) {
		node = entry_child(entry);
		for (i = 0; i < FANOUT; i++)
			scan_entry(scan, &node->entry[i], level - 1);
	} else {
		chunk = entry_child(entry);
		for (i = 0; i < BITS_CHUNK; i++)
			scan_pages(scan, bits_test(chunk->taken, i), 1);
	}
}

static bool scan_agrees(const struct scan *scan, u64 sum)
{
	return sum_start(sum) == scan->start && sum_longest(sum) == scan->longest &&
	       sum_end(sum) == scan->run;
}

static const char *check_chunk(const struct pages_chunk *chunk)
{
	u32 i;

	for (i = 0; i < BITS_CHUNK_WORDS; i++)
		if (chunk->taken[i] & ~chunk->dirty[i])
			return "pages: a taken page is not dirty";
	if (!bits_count(chunk->taken, 0, BITS_CHUNK) && bits_uniform(chunk->dirty))
		return "pages: a chunk exists that nothing needs";
	return NULL;
}

static const char *check_group(const struct pages_node *node, u32 level, u32 group)
{
	struct scan scan = {};
	u32 i;

	for (i = 0; i < GROUP; i++)
		scan_entry(&scan, &node->entry[group * GROUP + i], level - 1);
	if (!scan_agrees(&scan, node->group[group]))
		return "pages: a summary is not that of its eight entries";
	return NULL;
}

static const char *check_entry(const struct pages_entry *entry, u32 level)
{
	const struct pages_node *node;
	struct scan scan = {};
	const char *error = NULL;
	bool uniform = true;
	u32 i;

	scan_entry(&scan, entry, level);
	if (!scan_agrees(&scan, entry->sum))
		return "pages: a summary is not that of the pages below it";
	if (!entry_child(entry))
		return NULL;
	if (!level)
		return check_chunk(entry_child(entry));

	node = entry_child(entry);
	for (i = 0; i < GROUPS && !error; i++)
		error = check_group(node, level, i);
	for (i = 0; i < FANOUT && !error; i++) {
		uniform &= node->entry[i].child == node->entry[0].child;
		error = check_entry(&node->entry[i], level - 1);
	}
	if (!error && uniform && node->entry[0].child < ABSENT_TAKEN)
		error = "pages: a node exists that nothing needs";
	return error;
}

const char *pages_check(const struct pages *pages)
{
	struct scan scan = {};
	const char *error;
	u32 i;

	for (i = 0; i < pages->row_len; i++) {
		error = check_entry(&pages->row[i], TOP_LEVEL);
		if (error)
			return error;
		scan_entry(&scan, &pages->row[i], TOP_LEVEL);
	}
	if (scan.taken != pages->taken)
		return "pages: the count of taken pages is wrong";
	if (scan.taken == scan.pages)
		scan.first_free = scan.pages;
	if (scan.first_free < pages->hint)
		return "pages: a page below the hint is free";
	if (pages_count(pages, 0, pages->count) != pages->taken)
		return "pages: a page beyond the end is taken";
	return NULL;
}

static u64 count_entry(const struct pages_entry *entry, u32 level, u64 base, u64 first, u64 end)
{
	const struct pages_chunk *chunk;
	const struct pages_node *node;
	u64 count = 0;
	u32 i;

	first = max(first, base);
	end = min(end, base + LEVEL_PAGES(level));
	if (first >= end)
		return 0;
	if (!entry_child(entry))
		return entry->child == ABSENT_TAKEN ? end - first : 0;
	if (!level) {
		chunk = entry_child(entry);
		return bits_count(chunk->taken, first - base, end - first);
	}
	node = entry_child(entry);
	for (i = 0; i < FANOUT; i++, base += LEVEL_PAGES(level - 1))
		count += count_entry(&node->entry[i], level - 1, base, first, end);
	return count;
}

u64 pages_count(const struct pages *pages, u64 first, u64 n)
{
	u64 i, count = 0;

	for (i = first >> TOP_SHIFT; i < pages->row_len && i << TOP_SHIFT < first + n; i++)
		count += count_entry(&pages->row[i], TOP_LEVEL, i << TOP_SHIFT, first, first + n);
	return count;
}
