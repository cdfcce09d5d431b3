// SPDX-License-Identifier: GPL-2.0
/*
 * The page bitmap of a heap.
 *
 * Bitmaps are kept in chunks of 512 pages. Above them stands a tree of
 * summaries (bits.h) with a fan-out of eight, and above that a flat top row:
 *
 *	level 0		a chunk		       512 pages
 *	level 1		8 chunks	      4096
 *	level 2				      32 K
 *	level 3				     256 K
 *	level 4		entry of the row       2 M
 *
 * An entry at level n stands for the stretch of pages given here; its child
 * is a node with eight entries of level n - 1, or, at level 0, a chunk. The
 * algorithm is that of Go's page allocator (runtime/mpagealloc.go): first fit
 * in address order, by descending only where a run is known to be. There the
 * levels are flat arrays in reserved address space, which the kernel has no
 * equal of; here they are a tree that exists only where it is needed.
 *
 * Sparseness. An entry needs no child if its stretch is in one of three
 * states throughout: free and clean, free and dirty, or taken by one run. The
 * first two are restored whenever they come about. The third is only made
 * when a single run covers the whole stretch, never by several runs that meet
 * in it. So when a run is given back, it covers each stretch in that state
 * entirely, as it did when it was taken, and no bitmap has to be made for the
 * rest: giving back needs no memory. The top row grows with use and does not
 * shrink. Pages beyond it are free and clean.
 *
 * The end of the heap is not in the bitmap. The search sees free pages
 * without end; as it finds the lowest run there is, a run that ends beyond
 * the heap means that there is none inside.
 *
 * Memory for one run. Nodes are needed only below entries that the run covers
 * in part, which are those its two ends cut: at most one of each level for
 * either end, PAGES_NODES_MAX in all. A subtree that a run makes superfluous
 * is detached as a whole, at no cost, and taken apart by pages_next_dead().
 *
 * Limits. A summary describes at most 2^21 pages, so the row is searched
 * linearly: 2048 entries for 2^32 pages, about a microsecond, and only those
 * from the hint to the run found.
 */
#include "core_env.h"
#include "pages.h"
#include "pages_impl.h"

/* Entries of a top row, unless the heap is smaller. */
#define ROW_MIN		8ULL

#define LINK_LEVEL_MASK	7ULL

static_assert(TOP_SHIFT == SUM_FIELD_BITS);
static_assert(PAGES_NODES_MAX == 2 * (TOP_LEVEL + 1));
static_assert(TOP_LEVEL <= LINK_LEVEL_MASK);

size_t pages_node_bytes(void)
{
	return sizeof(union pages_node);
}

static void entry_set_absent(struct pages_entry *entry, u32 level, unsigned long state)
{
	entry->child = state;
	entry->sum = state == ABSENT_TAKEN ? SUM_NONE : sum_free(LEVEL_PAGES(level));
}

/* Reserve lists. */

static void node_push(union pages_node **list, union pages_node *node, u32 level)
{
	node->taken[0] = (u64)(unsigned long)*list | level;
	*list = node;
}

static union pages_node *node_pop(union pages_node **list, u32 *level)
{
	union pages_node *node = *list;

	if (!node)
		return NULL;
	*level = node->taken[0] & LINK_LEVEL_MASK;
	*list = (union pages_node *)(unsigned long)(node->taken[0] & ~LINK_LEVEL_MASK);
	return node;
}

void pages_add_spare(struct pages_reserve *reserve, void *node)
{
	node_push(&reserve->spare, node, 0);
	reserve->spares++;
}

void *pages_next_spare(struct pages_reserve *reserve)
{
	u32 level;

	if (reserve->spare)
		reserve->spares--;
	return node_pop(&reserve->spare, &level);
}

void *pages_next_dead(struct pages_reserve *reserve)
{
	union pages_node *node, *child;
	u32 level, i;

	node = node_pop(&reserve->dead, &level);
	if (!node || !level)
		return node;
	for (i = 0; i < FANOUT; i++) {
		child = entry_child(&node->entry[i]);
		if (child)
			node_push(&reserve->dead, child, level - 1);
	}
	return node;
}

/* Search. */

/*
 * The first run of @n pages below an entry that is known to have one. What lies
 * before the hint is taken, so each level is looked at from there on.
 */
static u64 find_below(const struct pages_entry *entry, u64 base, u32 n, u64 hint)
{
	const union pages_node *node = entry_child(entry);
	u32 level, i, run, start;
	u64 sum;

	for (level = TOP_LEVEL; level; level--) {
		i = 0;
		if (hint > base)
			i = min_t(u64, (hint - base) >> LEVEL_SHIFT(level - 1), FANOUT - 1);
		base += i * LEVEL_PAGES(level - 1);
		for (run = 0; i < FANOUT; i++) {
			sum = node->entry[i].sum;
			if (sum == SUM_NONE) {
				run = 0;
				base += LEVEL_PAGES(level - 1);
				continue;
			}
			start = sum_below(sum, 0);
			if (run + start >= n)
				return base - run;
			if (sum_below(sum, 1) >= n)
				break;
			run = sum_below(sum, 2) + (start == LEVEL_PAGES(level - 1) ? run : 0);
			base += LEVEL_PAGES(level - 1);
		}
		if (WARN_ON_ONCE(i == FANOUT))
			return PAGES_NONE;
		node = entry_child(&node->entry[i]);
	}
	return base + bits_find(node->taken, n);
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

/* Change. */

/**
 * struct run_change - a run that changes its state
 * @first: first page
 * @end: the page after the last
 * @state: what becomes of it
 * @reserve: where nodes come from and go to
 */
struct run_change {
	u64 first;
	u64 end;
	enum absent state;
	struct pages_reserve *reserve;
};

/* On the way down only one half is looked at; on the way back, both. */
static inline void node_prefetch(const union pages_node *node)
{
	prefetch(node->taken);
	prefetch(node->dirty);
}

/* Gives an absent entry a child that says the same. */
static union pages_node *entry_open(struct pages_entry *entry, u32 level,
				    struct pages_reserve *reserve)
{
	unsigned long state = entry->child;
	union pages_node *node;
	u32 i;

	node = pages_next_spare(reserve);
	if (WARN_ON_ONCE(!node))
		return NULL;
	if (!level) {
		memset(node->taken, 0, sizeof(node->taken));
		memset(node->dirty, state == ABSENT_DIRTY ? 0xff : 0, sizeof(node->dirty));
	} else {
		for (i = 0; i < FANOUT; i++)
			entry_set_absent(&node->entry[i], level - 1, state);
	}
	entry->child = (unsigned long)node;
	return node;
}

/* Detaches what is below an entry and puts a state in its place. */
static void entry_close(struct pages_entry *entry, u32 level, enum absent state,
			struct pages_reserve *reserve)
{
	union pages_node *node = entry_child(entry);

	if (node)
		node_push(&reserve->dead, node, level);
	entry_set_absent(entry, level, state);
}

static void change_chunk(const struct run_change *change, struct pages_entry *entry,
			 union pages_node *node, u64 base)
{
	u32 first = max(change->first, base) - base;
	u32 n = min(change->end, base + BITS_CHUNK) - base - first;
	bool take = change->state == ABSENT_TAKEN;

	WARN_ON_ONCE(bits_count(node->taken, first, n) != (take ? 0 : n));
	if (take) {
		bits_set(node->taken, first, n);
		bits_set(node->dirty, first, n);
	} else {
		bits_clear(node->taken, first, n);
		if (change->state == ABSENT_CLEAN)
			bits_clear(node->dirty, first, n);
	}

	entry->sum = bits_sum(node->taken);
	if (sum_longest(entry->sum) == BITS_CHUNK && bits_uniform(node->dirty))
		entry_close(entry, 0, bits_test(node->dirty, 0) ? ABSENT_DIRTY : ABSENT_CLEAN,
			    change->reserve);
}

/* Derives an entry from its eight children, after some of them changed. */
static void entry_update(struct pages_entry *entry, u32 level, union pages_node *node,
			 struct pages_reserve *reserve)
{
	unsigned long state = node->entry[0].child;
	struct sum_merge merge = {};
	u32 i;

	for (i = 0; i < FANOUT; i++)
		sum_add(&merge, node->entry[i].sum, LEVEL_PAGES(level - 1));
	entry->sum = sum_done(&merge);
	if (merge.closed || state >= ABSENT_TAKEN)
		return;
	for (i = 1; i < FANOUT; i++)
		if (node->entry[i].child != state)
			return;
	entry_close(entry, level, state, reserve);
}

/*
 * The same after the one child changed that @page is in. Where all others are
 * taken, as they mostly are in a heap that is filled from its start, the entry
 * has the runs of this one.
 */
static void entry_update_one(struct pages_entry *entry, u32 level, union pages_node *node,
			     u64 page, struct pages_reserve *reserve)
{
	u32 i, one = page >> LEVEL_SHIFT(level - 1) & (FANOUT - 1);
	u64 sum = node->entry[one].sum;

	for (i = 0; i < FANOUT; i++)
		if (i != one && node->entry[i].sum != SUM_NONE)
			break;
	if (i < FANOUT)
		entry_update(entry, level, node, reserve);
	else
		entry->sum = sum_pack(one ? 0 : sum_below(sum, 0), sum_below(sum, 1),
				      one < FANOUT - 1 ? 0 : sum_below(sum, 2));
}

/*
 * Applies a change to the part of the run that lies in an entry's stretch.
 * Returns whether the entry itself changed. Recursion ends after TOP_LEVEL
 * calls.
 */
static bool change_entry(const struct run_change *change, struct pages_entry *entry,
			 u32 level, u64 base)
{
	struct pages_entry old = *entry;
	union pages_node *node;
	bool changed = false;
	u64 page;

	if (change->first <= base && change->end >= base + LEVEL_PAGES(level)) {
		WARN_ON_ONCE(change->state == ABSENT_TAKEN ?
			     sum_longest(entry->sum) != LEVEL_PAGES(level) :
			     entry->child != ABSENT_TAKEN);
		entry_close(entry, level, change->state, change->reserve);
		return true;
	}

	/* Part of what was one run: the caller gives back what it never took. */
	if (WARN_ON_ONCE(entry->child == ABSENT_TAKEN))
		return false;
	node = entry_child(entry) ?: entry_open(entry, level, change->reserve);
	if (!node)
		return false;

	if (!level) {
		change_chunk(change, entry, node, base);
	} else {
		page = max(change->first, base) >> LEVEL_SHIFT(level - 1) << LEVEL_SHIFT(level - 1);
		for (; page < min(change->end, base + LEVEL_PAGES(level));
		     page += LEVEL_PAGES(level - 1)) {
			u32 i = (page - base) >> LEVEL_SHIFT(level - 1);

			changed |= change_entry(change, &node->entry[i], level - 1, page);
		}
		if (changed)
			entry_update(entry, level, node, change->reserve);
	}
	return entry->sum != old.sum || entry->child != old.child;
}

/* The same for a run that lies in one chunk and does not fill it. */
static void change_small(struct pages *pages, const struct run_change *change)
{
	struct pages_entry *path[TOP_LEVEL + 1], *entry, old;
	u64 page = change->first;
	union pages_node *node;
	u32 level = TOP_LEVEL;

	entry = &pages->row[page >> TOP_SHIFT];
	for (;; level--) {
		path[level] = entry;
		if (WARN_ON_ONCE(entry->child == ABSENT_TAKEN))
			return;
		node = entry_child(entry) ?: entry_open(entry, level, change->reserve);
		if (!node)
			return;
		node_prefetch(node);
		if (!level)
			break;
		entry = &node->entry[page >> LEVEL_SHIFT(level - 1) & (FANOUT - 1)];
	}

	old = *entry;
	change_chunk(change, entry, node, page & ~(u64)(BITS_CHUNK - 1));
	while ((entry->sum != old.sum || entry->child != old.child) && level < TOP_LEVEL) {
		entry = path[++level];
		old = *entry;
		entry_update_one(entry, level, entry_child(entry), page, change->reserve);
	}
}

static void change_run(struct pages *pages, const struct run_change *change)
{
	u64 i;

	if (change->first >> BITS_CHUNK_SHIFT == (change->end - 1) >> BITS_CHUNK_SHIFT &&
	    change->end - change->first < BITS_CHUNK) {
		change_small(pages, change);
		return;
	}
	for (i = change->first >> TOP_SHIFT; i <= (change->end - 1) >> TOP_SHIFT; i++)
		change_entry(change, &pages->row[i], TOP_LEVEL, i << TOP_SHIFT);
}

/* Puts the row of the reserve in the place of a shorter one. */
static void row_replace(struct pages *pages, struct pages_reserve *reserve)
{
	u32 i;

	for (i = 0; i < reserve->row_len; i++) {
		if (i < pages->row_len)
			reserve->row[i] = pages->row[i];
		else
			entry_set_absent(&reserve->row[i], TOP_LEVEL, ABSENT_CLEAN);
	}
	reserve->old_row = pages->row;
	reserve->old_row_len = pages->row_len;
	pages->row = reserve->row;
	pages->row_len = reserve->row_len;
	reserve->row = NULL;
	reserve->row_len = 0;
}

/* Nodes missing on the path to where an end of a run cuts a stretch. */
static u32 path_wants(const struct pages *pages, u64 cut)
{
	const struct pages_entry *entry;
	union pages_node *node;
	u32 level = TOP_LEVEL, wants = 0;

	if (cut >> TOP_SHIFT < pages->row_len) {
		entry = &pages->row[cut >> TOP_SHIFT];
		while (cut & (LEVEL_PAGES(level) - 1) && (node = entry_child(entry))) {
			node_prefetch(node);
			if (!level)
				return 0;
			level--;
			entry = &node->entry[cut >> LEVEL_SHIFT(level) & (FANOUT - 1)];
		}
	}
	for (; cut & (LEVEL_PAGES(level) - 1); level--) {
		wants++;
		if (!level)
			break;
	}
	return wants;
}

struct pages_want pages_wants(const struct pages *pages, u64 first, u64 n)
{
	struct pages_want want = { .nodes = path_wants(pages, first) };
	u64 len = ((first + n - 1) >> TOP_SHIFT) + 1;

	/* Two cuts inside of one chunk have one path. */
	if (!(first & (BITS_CHUNK - 1)) ||
	    first >> BITS_CHUNK_SHIFT != (first + n) >> BITS_CHUNK_SHIFT)
		want.nodes += path_wants(pages, first + n);

	if (len > pages->row_len)
		want.row_len = min_t(u64, max3(len, 2ULL * pages->row_len, ROW_MIN),
				     ((pages->count - 1) >> TOP_SHIFT) + 1);
	return want;
}

void pages_take(struct pages *pages, u64 first, u64 n, struct pages_reserve *reserve)
{
	struct run_change change = { first, first + n, ABSENT_TAKEN, reserve };

	if (WARN_ON_ONCE(!n || n > pages->count || first > pages->count - n))
		return;
	if ((change.end - 1) >> TOP_SHIFT >= pages->row_len) {
		row_replace(pages, reserve);
		if (WARN_ON_ONCE((change.end - 1) >> TOP_SHIFT >= pages->row_len))
			return;
	}
	change_run(pages, &change);
	pages->taken += n;
	if (first <= pages->hint)
		pages->hint = max(pages->hint, change.end);
}

static void give(struct pages *pages, u64 first, u64 n, enum absent state,
		 struct pages_reserve *reserve)
{
	struct run_change change = { first, first + n, state, reserve };

	if (WARN_ON_ONCE(!n || n > pages->taken ||
			 (change.end - 1) >> TOP_SHIFT >= pages->row_len))
		return;
	change_run(pages, &change);
	pages->taken -= n;
	pages->hint = min(pages->hint, first);
}

void pages_give(struct pages *pages, u64 first, u64 n, struct pages_reserve *reserve)
{
	give(pages, first, n, ABSENT_DIRTY, reserve);
}

void pages_give_clean(struct pages *pages, u64 first, u64 n, struct pages_reserve *reserve)
{
	give(pages, first, n, ABSENT_CLEAN, reserve);
}

/* Life. */

void pages_init(struct pages *pages, u64 count)
{
	memset(pages, 0, sizeof(*pages));
	pages->count = count;
}

void pages_destroy(struct pages *pages, struct pages_reserve *reserve)
{
	u32 i;

	for (i = 0; i < pages->row_len; i++)
		entry_close(&pages->row[i], TOP_LEVEL, ABSENT_CLEAN, reserve);
	reserve->old_row = pages->row;
	reserve->old_row_len = pages->row_len;
	pages_init(pages, pages->count);
}
