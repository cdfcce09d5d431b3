// SPDX-License-Identifier: GPL-2.0
/*
 * The page bitmap of a heap.
 *
 * Bitmaps are kept in chunks of 512 pages. Above them stands a tree of
 * summaries (bits.h) with a fan-out of 64, and above that a flat top row:
 *
 *	level 0		a chunk		       512 pages
 *	level 1		64 chunks	      32 K
 *	level 2		entry of the row       2 M
 *
 * An entry at level n stands for the stretch of pages given here; its child
 * is a node with 64 entries of level n - 1, or, at level 0, a chunk. A node has
 * a summary for every eight of its entries, too, or one change would have to
 * look at all of them. So the tree is searched and kept by eights, but has few
 * levels: a page in a large zone is three dependent look-ups away, of which
 * those that the processor's cache does not have take most of the time. The
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
 * Memory for one run. Nodes and chunks are needed only below entries that the
 * run covers in part, which are those its two ends cut: at most one of each level
 * for either end, PAGES_NODES_MAX and PAGES_CHUNKS_MAX in all. A subtree that a
 * run makes superfluous is detached as a whole, at no cost, and taken apart by
 * pages_next_dead().
 *
 * Limits. A summary describes at most 2^21 pages, so the row is searched
 * linearly: 2048 entries for 2^32 pages, about a microsecond, and only those
 * from the hint to the run found.
 */
#include "core_env.h"
#include "pages.h"
#include "pages_impl.h"

#define LINK_LEVEL_MASK	7ULL

static_assert(TOP_SHIFT == SUM_FIELD_BITS);
static_assert(PAGES_NODES_MAX == 2 * TOP_LEVEL && PAGES_CHUNKS_MAX == 2);
static_assert(GROUP == 8 && GROUPS == 8);
static_assert(TOP_LEVEL <= LINK_LEVEL_MASK);

size_t pages_bytes(enum pages_kind kind)
{
	return kind == PAGES_CHUNK ? sizeof(struct pages_chunk) : sizeof(struct pages_node);
}

/* What hangs from an entry. */
static enum pages_kind kind_below(u32 level)
{
	return level ? PAGES_NODE : PAGES_CHUNK;
}

static void entry_set_absent(struct pages_entry *entry, u32 level, unsigned long state)
{
	entry->child = state;
	entry->sum = state == ABSENT_TAKEN ? SUM_NONE : sum_free(LEVEL_PAGES(level));
}

/* Reserve lists. */

static void link_push(void **list, void *object, u32 level)
{
	*(u64 *)object = (u64)(unsigned long)*list | level;
	*list = object;
}

static void *link_pop(void **list, u32 *level)
{
	u64 *object = *list;

	if (!object)
		return NULL;
	*level = *object & LINK_LEVEL_MASK;
	*list = (void *)(unsigned long)(*object & ~LINK_LEVEL_MASK);
	return object;
}

void pages_add_spare(struct pages_reserve *reserve, enum pages_kind kind, void *object)
{
	link_push(&reserve->spare[kind], object, 0);
	reserve->spares[kind]++;
}

void *pages_next_spare(struct pages_reserve *reserve, enum pages_kind kind)
{
	u32 level;

	if (reserve->spare[kind])
		reserve->spares[kind]--;
	return link_pop(&reserve->spare[kind], &level);
}

void *pages_next_dead(struct pages_reserve *reserve, enum pages_kind *kind)
{
	struct pages_node *node;
	u32 level = 0, i;
	void *child;

	node = link_pop(&reserve->dead, &level);
	*kind = kind_below(level);
	for (i = 0; level && i < FANOUT; i++) {
		child = entry_child(&node->entry[i]);
		if (child)
			link_push(&reserve->dead, child, level - 1);
	}
	return node;
}

/* Change. */

/**
 * struct run_change - a run that changes its state
 * @first: first page
 * @end: the page after the last
 * @state: what becomes of it
 * @reserve: where nodes and chunks come from and go to
 */
struct run_change {
	u64 first;
	u64 end;
	enum absent state;
	struct pages_reserve *reserve;
};

/* On the way down only one line is looked at; on the way back, more. */
static inline void node_prefetch(const struct pages_node *node, u32 i)
{
	const struct pages_entry *entry = &node->entry[i & ~(GROUP - 1)];

	prefetch(entry);
	prefetch(entry + GROUP / 2);
	prefetch(node->group);
}

static inline void chunk_prefetch(const struct pages_chunk *chunk)
{
	prefetch(chunk->taken);
	prefetch(chunk->dirty);
}

static void chunk_init(struct pages_chunk *chunk, unsigned long state)
{
	memset(chunk->taken, 0, sizeof(chunk->taken));
	memset(chunk->dirty, state == ABSENT_DIRTY ? 0xff : 0, sizeof(chunk->dirty));
}

static void node_init(struct pages_node *node, u32 level, unsigned long state)
{
	struct pages_entry absent;
	u32 i;

	entry_set_absent(&absent, level - 1, state);
	for (i = 0; i < FANOUT; i++)
		node->entry[i] = absent;
	for (i = 0; i < GROUPS; i++)
		node->group[i] = sum_free(GROUP * LEVEL_PAGES(level - 1));
}

/* Gives an absent entry a child that says the same. */
static void *entry_open(struct pages_entry *entry, u32 level, struct pages_reserve *reserve)
{
	void *child = pages_next_spare(reserve, kind_below(level));

	if (WARN_ON_ONCE(!child))
		return NULL;
	if (level)
		node_init(child, level, entry->child);
	else
		chunk_init(child, entry->child);
	entry->child = (unsigned long)child;
	return child;
}

/* Detaches what is below an entry and puts a state in its place. */
static void entry_close(struct pages_entry *entry, u32 level, enum absent state,
			struct pages_reserve *reserve)
{
	void *child = entry_child(entry);

	if (child)
		link_push(&reserve->dead, child, level);
	entry_set_absent(entry, level, state);
}

static void change_chunk(const struct run_change *change, struct pages_entry *entry,
			 struct pages_chunk *chunk, u64 base)
{
	u32 first = max(change->first, base) - base;
	u32 n = min(change->end, base + BITS_CHUNK) - base - first;
	bool take = change->state == ABSENT_TAKEN;

	WARN_ON_ONCE(bits_count(chunk->taken, first, n) != (take ? 0 : n));
	if (take) {
		bits_set(chunk->taken, first, n);
		bits_set(chunk->dirty, first, n);
		entry->sum = bits_sum(chunk->taken);
	} else {
		bits_clear(chunk->taken, first, n);
		entry->sum = bits_sum_given(chunk->taken, entry->sum, first, n);
		if (change->state == ABSENT_CLEAN)
			bits_clear(chunk->dirty, first, n);
	}

	if (sum_longest(entry->sum) == BITS_CHUNK && bits_uniform(chunk->dirty))
		entry_close(entry, 0, bits_test(chunk->dirty, 0) ? ABSENT_DIRTY : ABSENT_CLEAN,
			    change->reserve);
}

/* Whether all below an entry that is free throughout is clean, or all dirty. */
static bool node_is_uniform(const struct pages_node *node)
{
	unsigned long state = node->entry[0].child;
	u32 i;

	for (i = 1; i < FANOUT && node->entry[i].child == state; i++)
		;
	return i == FANOUT;
}

static u64 sum_of_group(const struct pages_node *node, u32 level, u32 group)
{
	const struct pages_entry *entry = &node->entry[group * GROUP];

	return sum_of_eight(&entry->sum, ENTRY_WORDS, LEVEL_PAGES(level - 1));
}

static u64 sum_of_node(const struct pages_node *node, u32 level)
{
	return sum_of_eight(node->group, 1, GROUP * LEVEL_PAGES(level - 1));
}

/* Closes an entry whose node says no more than the entry does. */
static inline void entry_settle(struct pages_entry *entry, u32 level,
				struct pages_reserve *reserve)
{
	const struct pages_node *node = entry_child(entry);

	if (unlikely(sum_longest(entry->sum) == LEVEL_PAGES(level)) && node_is_uniform(node))
		entry_close(entry, level, node->entry[0].child, reserve);
}

/* Derives an entry from its node, after some of [@first, @last] there changed. */
static void entry_update(struct pages_entry *entry, u32 level, u32 first, u32 last,
			 struct pages_reserve *reserve)
{
	struct pages_node *node = entry_child(entry);
	u32 i;

	for (i = first >> GROUP_SHIFT; i <= last >> GROUP_SHIFT; i++)
		node->group[i] = sum_of_group(node, level, i);
	entry->sum = sum_of_node(node, level);
	entry_settle(entry, level, reserve);
}

/* The same after the summary of one was @old: mostly it is enough to compare. */
static void entry_follow(struct pages_entry *entry, u32 level, u32 one, u64 old,
			 struct pages_reserve *reserve)
{
	struct pages_node *node = entry_child(entry);
	u64 *group = &node->group[one >> GROUP_SHIFT], old_group = *group;

	if (!sum_follow(group, old, node->entry[one].sum))
		*group = sum_of_group(node, level, one >> GROUP_SHIFT);
	if (*group == old_group)
		return;
	if (!sum_follow(&entry->sum, old_group, *group))
		entry->sum = sum_of_node(node, level);
	entry_settle(entry, level, reserve);
}

/*
 * Applies a change to the part of the run that lies in an entry's stretch.
 * Returns whether its summary changed: if not, its child is as it was, or opened.
 * Recursion ends after TOP_LEVEL calls.
 */
static bool change_entry(const struct run_change *change, struct pages_entry *entry,
			 u32 level, u64 base)
{
	u64 old = entry->sum;
	struct pages_node *node;
	bool changed = false;
	u32 i, first, last;
	void *child;

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
	child = entry_child(entry) ?: entry_open(entry, level, change->reserve);
	if (!child)
		return false;

	if (!level) {
		change_chunk(change, entry, child, base);
		return entry->sum != old;
	}
	node = child;
	first = node_index(max(change->first, base), level);
	last = node_index(min(change->end, base + LEVEL_PAGES(level)) - 1, level);
	for (i = first; i <= last; i++)
		changed |= change_entry(change, &node->entry[i], level - 1,
					base + i * LEVEL_PAGES(level - 1));
	if (changed)
		entry_update(entry, level, first, last, change->reserve);
	return entry->sum != old;
}

/* The same for a run that lies in one chunk and does not fill it. */
static void change_small(struct pages *pages, const struct run_change *change)
{
	struct pages_entry *path[TOP_LEVEL + 1], *entry;
	u64 page = change->first, old, older;
	u32 level = TOP_LEVEL, i;
	struct pages_node *node;
	void *child;

	entry = &pages->row[page >> TOP_SHIFT];
	for (;; level--) {
		path[level] = entry;
		if (WARN_ON_ONCE(entry->child == ABSENT_TAKEN))
			return;
		child = entry_child(entry) ?: entry_open(entry, level, change->reserve);
		if (!child)
			return;
		if (!level)
			break;
		node = child;
		i = node_index(page, level);
		node_prefetch(node, i);
		entry = &node->entry[i];
	}
	chunk_prefetch(child);

	old = entry->sum;
	change_chunk(change, entry, child, page & ~(u64)(BITS_CHUNK - 1));
	while (path[level]->sum != old && level < TOP_LEVEL) {
		older = path[++level]->sum;
		entry_follow(path[level], level, node_index(page, level), old, change->reserve);
		old = older;
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

/* Whether the stretch of a level that @cut cuts is cut by @other as well. */
static bool cut_shared(u64 cut, u64 other, u32 level)
{
	return cut >> LEVEL_SHIFT(level) == other >> LEVEL_SHIFT(level) &&
	       other & (LEVEL_PAGES(level) - 1);
}

/*
 * Adds what is missing on the path to where an end of a run cuts a stretch, but for
 * what it shares with that to @other.
 */
static void path_wants(const struct pages *pages, u64 cut, u64 other, struct pages_want *want)
{
	const struct pages_entry *entry = NULL;
	const struct pages_node *node;
	u32 level, i;

	if (cut >> TOP_SHIFT < pages->row_len)
		entry = &pages->row[cut >> TOP_SHIFT];
	for (level = TOP_LEVEL; level && cut & (LEVEL_PAGES(level) - 1); level--) {
		node = entry ? entry_child(entry) : NULL;
		if (!node) {
			want->objects[PAGES_NODE] += !cut_shared(cut, other, level);
			entry = NULL;
			continue;
		}
		i = node_index(cut, level);
		node_prefetch(node, i);
		entry = &node->entry[i];
	}
	if (!(cut & (BITS_CHUNK - 1)))
		return;
	if (entry && entry_child(entry))
		chunk_prefetch(entry_child(entry));
	else
		want->objects[PAGES_CHUNK] += !cut_shared(cut, other, 0);
}

void pages_prefetch(const struct pages *pages, u64 page)
{
	struct pages_want nothing = {};

	/* A run that begins inside of the page's chunk cuts that at every level. */
	path_wants(pages, page | 1, 0, &nothing);
}

struct pages_want pages_wants(const struct pages *pages, u64 first, u64 n)
{
	u64 len = ((first + n - 1) >> TOP_SHIFT) + 1;
	struct pages_want want = {};

	path_wants(pages, first, 0, &want);
	/* Two cuts inside of one chunk have one path. */
	if (!cut_shared(first + n, first, 0))
		path_wants(pages, first + n, first, &want);

	if (len > pages->row_len)
		want.row_len = min_t(u64, max(len, 2ULL * pages->row_len),
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
