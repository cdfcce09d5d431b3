// SPDX-License-Identifier: GPL-2.0
/*
 * The directory of a heap, see dir.h.
 *
 * A radix tree of nodes of 4 KiB. Leaves have an entry for each of 512 pages;
 * above them are nodes of 512 slots, in as many levels as the highest page
 * needs that ever had an entry: none for up to 512 pages, three for 2^32. The
 * slot that points to a node counts what in it is not empty.
 *
 * In a reserve, nodes are linked by their first words, as they have no other
 * place for that. A reader that has found a node just before it was taken out
 * may still look at it. So the link is spread over LINK_WORDS words, LINK_BITS
 * in each, below the busy tag: in a leaf these are busy entries, which lead
 * nowhere, and in the nodes above they are counts, without an address.
 */
#include "core_env.h"
#include "dir.h"

#define LINK_BITS	9
#define LINK_SHIFT	3
#define LINK_MASK	((1U << LINK_BITS) - 1)
#define LINK_WORDS	6

#define HEIGHT_MAX	3

static_assert(sizeof(struct dir_node) == 4096);
static_assert(DIR_NODE_SHIFT * (HEIGHT_MAX + 1) >= 32);
static_assert(DIR_BUSY < 1 << LINK_SHIFT && LINK_BITS + LINK_SHIFT <= 12);
static_assert(12 + LINK_BITS * LINK_WORDS >= 64);

const struct dir_node dir_nothing;

size_t dir_node_bytes(void)
{
	return sizeof(struct dir_node);
}

/* Pages below a slot that leads to a node at @height above the leaves. */
static u64 node_pages(u32 height)
{
	return 1ULL << (DIR_NODE_SHIFT * (height + 1));
}

static u64 slot_used(u64 slot)
{
	return slot & DIR_COUNT_MASK;
}

void dir_add_node(struct dir_reserve *reserve, void *memory)
{
	u64 link = (unsigned long)reserve->nodes / sizeof(struct dir_node);
	struct dir_node *node = memory;
	u32 i;

	for (i = 0; i < LINK_WORDS; i++, link >>= LINK_BITS)
		WRITE_ONCE(node->word[i], (link & LINK_MASK) << LINK_SHIFT | DIR_BUSY);
	reserve->nodes = node;
	reserve->count++;
}

void *dir_next_node(struct dir_reserve *reserve)
{
	struct dir_node *node = reserve->nodes;
	u64 link = 0;
	u32 i;

	if (!node)
		return NULL;
	for (i = LINK_WORDS; i--;)
		link = link << LINK_BITS | node->word[i] >> LINK_SHIFT;
	reserve->nodes = (struct dir_node *)(unsigned long)(link * sizeof(*node));
	reserve->count--;
	return node;
}

/* The height at which a tree has a place for a page. */
static u32 height_for(u64 page)
{
	return page ? (fls64(page) - 1) / DIR_NODE_SHIFT : 0;
}

static u64 dir_top(const struct dir *dir)
{
	struct dir_node *node = dir_slot_node(dir->root);

	return node ? (unsigned long)node | dir->height : 0;
}

/* Lets readers see the root as it is. */
static void dir_publish(struct dir *dir)
{
	/* Whoever finds the node finds it complete. Pairs with dir_view(). */
	smp_store_release(&dir->top, dir_top(dir));
}

static void slot_destroy(u64 slot, u32 height, struct dir_reserve *reserve)
{
	struct dir_node *node = dir_slot_node(slot);
	u32 i;

	if (!node)
		return;
	for (i = 0; height && i < DIR_NODE_WORDS; i++)
		slot_destroy(node->word[i], height - 1, reserve);
	if (height)
		cond_resched();
	dir_add_node(reserve, node);
}

void dir_destroy(struct dir *dir, struct dir_reserve *reserve)
{
	slot_destroy(dir->root, dir->height, reserve);
	memset(dir, 0, sizeof(*dir));
}

u64 dir_get(const struct dir *dir, u64 page)
{
	struct dir_view view = dir_view(dir);

	return READ_ONCE(*dir_where(view.node, view.height, page));
}

/* dir_next() below one slot, whose pages begin at @base. */
static u64 slot_next(u64 slot, u32 height, u64 base, u64 *page)
{
	const struct dir_node *node = dir_slot_node(slot);
	u64 step, entry, i;

	if (!node)
		return 0;
	if (!height) {
		for (i = max(base, *page) - base; i < DIR_NODE_WORDS; i++) {
			if (!node->word[i])
				continue;
			*page = base + i;
			return node->word[i];
		}
		return 0;
	}

	step = node_pages(height - 1);
	for (i = (max(base, *page) - base) / step; i < DIR_NODE_WORDS; i++) {
		entry = slot_next(node->word[i], height - 1, base + i * step, page);
		if (entry)
			return entry;
	}
	return 0;
}

u64 dir_next(const struct dir *dir, u64 *page)
{
	return slot_next(dir->root, dir->height, 0, page);
}

/* Nodes missing on the way to a page. */
static u32 dir_path_wants(const struct dir *dir, u64 page)
{
	const struct dir_node *node = dir_slot_node(dir->root);
	u32 height = height_for(page);

	if (!node)
		return height + 1;
	if (height > dir->height)
		return height - dir->height + height;
	for (height = dir->height; node && height; height--)
		node = dir_follow(node, dir_index(page, height));
	return node ? 0 : height + 1;
}

u32 dir_wants(const struct dir *dir, u64 first, u64 n)
{
	u64 last = first + n - 1;
	u32 wants = dir_path_wants(dir, first);

	if (last >> DIR_NODE_SHIFT != first >> DIR_NODE_SHIFT)
		wants += dir_path_wants(dir, last);
	return wants;
}

/* Changes how many words in the node of a slot are not empty. */
static void slot_count(u64 *slot, int more)
{
	WRITE_ONCE(*slot, *slot + more);
}

/* A node for a slot that has none. */
static bool slot_grow(u64 *slot, struct dir_reserve *reserve)
{
	struct dir_node *node = dir_next_node(reserve);

	if (WARN_ON_ONCE(!node))
		return false;
	memset(node, 0, LINK_WORDS * sizeof(*node->word));
	/* Whoever finds the node finds it empty. Pairs with dir_view(). */
	smp_store_release(slot, (unsigned long)node);
	return true;
}

/* Puts levels on top until there is a place for a page. */
static bool dir_heighten(struct dir *dir, u64 page, struct dir_reserve *reserve)
{
	u32 height = height_for(page);
	u64 slot = 0;

	if (!dir->root)
		dir->height = height;
	while (dir->height < height) {
		if (!slot_grow(&slot, reserve))
			return false;
		dir_slot_node(slot)->word[0] = dir->root;
		dir->root = slot + 1;
		dir->height++;
	}
	return true;
}

/* The slot of a page's leaf, or NULL if that is missing. */
static u64 *leaf_slot(struct dir *dir, u64 page)
{
	u32 height = dir->height;
	u64 *slot = &dir->root;

	if (unlikely(page >= node_pages(height)))
		return NULL;
	for (; *slot; height--) {
		if (!height)
			return slot;
		slot = &dir_slot_node(*slot)->word[dir_index(page, height)];
	}
	return NULL;
}

/* The same, after what is missing on the way to it is put there. */
static noinline u64 *leaf_grow(struct dir *dir, u64 page, struct dir_reserve *reserve)
{
	u64 *above = NULL, *slot = &dir->root;
	u32 height;

	if (!dir_heighten(dir, page, reserve))
		return NULL;
	for (height = dir->height;; height--) {
		if (!*slot) {
			if (!slot_grow(slot, reserve))
				return NULL;
			if (above)
				slot_count(above, 1);
			dir->empty += !height;
		}
		if (!height)
			break;
		above = slot;
		slot = &dir_slot_node(*slot)->word[dir_index(page, height)];
	}
	if (dir->top != dir_top(dir))
		dir_publish(dir);
	return slot;
}

/* dir_set() for a run within one leaf. */
static void leaf_set(struct dir *dir, u64 first, u64 end, u64 entry,
		     struct dir_reserve *reserve)
{
	u64 *slot = leaf_slot(dir, first) ?: leaf_grow(dir, first, reserve), *where;
	int more = 0;

	if (!slot)
		return;
	for (; first < end; first++) {
		where = &dir_slot_node(*slot)->word[dir_index(first, 0)];
		more += !!entry - !!*where;
		/* What the entry points to is complete for whoever finds it. */
		smp_store_release(where, entry);
	}
	if (!more)
		return;
	dir->empty -= !slot_used(*slot);
	slot_count(slot, more);
	dir->empty += !slot_used(*slot);
}

void dir_set(struct dir *dir, u64 first, u64 n, u64 entry, struct dir_reserve *reserve)
{
	u64 end = first + n, stop;

	WARN_ON_ONCE(n > DIR_SET_MAX);
	for (; first < end; first = stop) {
		stop = min(end, (first | (DIR_NODE_WORDS - 1)) + 1);
		leaf_set(dir, first, stop, entry, reserve);
	}
}

/* Takes the node of a slot out. */
static void slot_shed(u64 *slot, u64 *above, struct dir_reserve *reserve)
{
	struct dir_node *node = dir_slot_node(*slot);

	WRITE_ONCE(*slot, 0);
	if (above)
		slot_count(above, -1);
	dir_add_node(reserve, node);
}

/*
 * Goes down to the lowest node above the leaves, reaps its leaves, and reaps
 * what has become empty on the way back. Moves @page past what was done.
 */
static void slot_reap(struct dir *dir, u64 *slot, u64 *above, u32 height, u64 *page,
		      struct dir_reserve *reserve)
{
	u64 end = (*page | (node_pages(height) - 1)) + 1;
	struct dir_node *node = dir_slot_node(*slot);
	u32 i;

	if (!node) {
		*page = end;
		return;
	}
	if (height > 1) {
		i = dir_index(*page, height);
		slot_reap(dir, &node->word[i], slot, height - 1, page, reserve);
	} else {
		for (i = 0; height && i < DIR_NODE_WORDS; i++)
			if (node->word[i])
				slot_reap(dir, &node->word[i], slot, 0, page, reserve);
		*page = end;
	}
	if (slot_used(*slot))
		return;
	slot_shed(slot, above, reserve);
	dir->empty -= !height;
}

bool dir_reap(struct dir *dir, u64 *page, struct dir_reserve *reserve)
{
	if (!dir->empty || *page >= node_pages(dir->height))
		return false;
	slot_reap(dir, &dir->root, NULL, dir->height, page, reserve);
	if (!dir->root)
		dir_publish(dir);
	return true;
}

static const char *slot_check(u64 slot, u32 height, u32 *empty)
{
	const struct dir_node *node = dir_slot_node(slot);
	const char *error = NULL;
	u64 used = 0;
	u32 i;

	if (!node)
		return slot ? "dir: a slot without a node counts" : NULL;
	for (i = 0; i < DIR_NODE_WORDS && !error; i++) {
		used += !!node->word[i];
		error = height ? slot_check(node->word[i], height - 1, empty) : NULL;
	}
	if (!error && used != slot_used(slot))
		error = "dir: a count of entries is wrong";
	*empty += !height && !used;
	return error;
}

const char *dir_check(const struct dir *dir)
{
	u32 empty = 0;
	const char *error = slot_check(dir->root, dir->height, &empty);

	if (!error && dir->top != dir_top(dir))
		error = "dir: readers see another root";
	if (!error && empty != dir->empty)
		error = "dir: the count of empty leaves is wrong";
	return error;
}
