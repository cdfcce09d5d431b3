// SPDX-License-Identifier: GPL-2.0
/*
 * The directory of a heap, see dir.h.
 *
 * A radix tree of nodes of 4 KiB. Leaves have an entry for each of 512 pages;
 * above them are nodes of 256 slots, in as many levels as the highest page
 * needs that ever had an entry: none for up to 512 pages, three for 2^32. The
 * slot that points to a node counts what in it is not empty.
 *
 * In a reserve, nodes are linked by their second word. A reader that has found
 * a node just before it was taken out may still look at it: in a leaf, the link
 * is tagged as a busy entry, which leads nowhere; in the nodes above, the word
 * is a count, which readers have no use for.
 */
#include "core_env.h"
#include "dir.h"

static_assert(sizeof(union dir_node) == 4096);
static_assert(DIR_HEIGHT_MASK == 3);	/* the height is at most 3 */
static_assert(offsetof(struct dir_slot, used) == sizeof(u64));

#define LEAF_ENTRIES	(1U << DIR_LEAF_SHIFT)
#define NODE_SLOTS	(1U << DIR_NODE_SHIFT)

#define LINK		entry[1]

size_t dir_node_bytes(void)
{
	return sizeof(union dir_node);
}

/* Pages below a slot that leads to a node at @height above the leaves. */
static u64 node_pages(u32 height)
{
	return 1ULL << (DIR_LEAF_SHIFT + DIR_NODE_SHIFT * height);
}

/* Which slot of a node at @height above the leaves leads to a page. */
static u32 slot_index(u64 page, u32 height)
{
	return page >> (DIR_LEAF_SHIFT + DIR_NODE_SHIFT * (height - 1)) & (NODE_SLOTS - 1);
}

static u32 leaf_index(u64 page)
{
	return page & (LEAF_ENTRIES - 1);
}

void dir_add_node(struct dir_reserve *reserve, void *memory)
{
	union dir_node *node = memory;

	WRITE_ONCE(node->LINK, (unsigned long)reserve->nodes | DIR_BUSY);
	reserve->nodes = node;
	reserve->count++;
}

void *dir_next_node(struct dir_reserve *reserve)
{
	union dir_node *node = reserve->nodes;

	if (!node)
		return NULL;
	reserve->nodes = (union dir_node *)(unsigned long)(node->LINK & ~DIR_TAG_MASK);
	reserve->count--;
	return node;
}

/* The height at which a tree has a place for a page. */
static u32 height_for(u64 page)
{
	u32 height = 0;

	while (page >= node_pages(height))
		height++;
	return height;
}

/* Lets readers see the root as it is. */
static void dir_publish(struct dir *dir)
{
	/* Whoever finds the node finds it complete. Pairs with dir_view(). */
	smp_store_release(&dir->top, (unsigned long)dir->root.child |
				     (dir->root.child ? dir->height : 0));
}

static void slot_destroy(struct dir_slot *slot, u32 height, struct dir_reserve *reserve)
{
	u32 i;

	if (!slot->child)
		return;
	for (i = 0; height && i < NODE_SLOTS; i++)
		slot_destroy(&slot->child->slot[i], height - 1, reserve);
	if (height)
		cond_resched();
	dir_add_node(reserve, slot->child);
	slot->child = NULL;
	slot->used = 0;
}

void dir_destroy(struct dir *dir, struct dir_reserve *reserve)
{
	slot_destroy(&dir->root, dir->height, reserve);
	memset(dir, 0, sizeof(*dir));
}

u64 dir_get(const struct dir *dir, u64 page)
{
	const u64 *where = dir_where(dir_view(dir), page);

	return where ? READ_ONCE(*where) : 0;
}

/* dir_next() below one slot, whose pages begin at @base. */
static u64 slot_next(const struct dir_slot *slot, u32 height, u64 base, u64 *page)
{
	u64 step, entry, i;

	if (!slot->child)
		return 0;
	if (!height) {
		for (i = max(base, *page) - base; i < LEAF_ENTRIES; i++) {
			if (!slot->child->entry[i])
				continue;
			*page = base + i;
			return slot->child->entry[i];
		}
		return 0;
	}

	step = 1ULL << (DIR_LEAF_SHIFT + DIR_NODE_SHIFT * (height - 1));
	for (i = (max(base, *page) - base) / step; i < NODE_SLOTS; i++) {
		entry = slot_next(&slot->child->slot[i], height - 1, base + i * step, page);
		if (entry)
			return entry;
	}
	return 0;
}

u64 dir_next(const struct dir *dir, u64 *page)
{
	return slot_next(&dir->root, dir->height, 0, page);
}

/* Nodes missing on the way to a page. */
static u32 dir_path_wants(const struct dir *dir, u64 page)
{
	const union dir_node *node = dir->root.child;
	u32 height = height_for(page);

	if (!node)
		return height + 1;
	if (height > dir->height)
		return height - dir->height + height;
	for (height = dir->height; node && height; height--)
		node = node->slot[slot_index(page, height)].child;
	return node ? 0 : height + 1;
}

u32 dir_wants(const struct dir *dir, u64 first, u64 n)
{
	u64 last = first + n - 1;
	u32 wants = dir_path_wants(dir, first);

	if (last >> DIR_LEAF_SHIFT != first >> DIR_LEAF_SHIFT)
		wants += dir_path_wants(dir, last);
	return wants;
}

/* Sets the entries of a run in one leaf; returns how many there are more. */
static int leaf_set(union dir_node *leaf, u64 first, u64 end, u64 entry)
{
	int more = 0;

	for (; first < end; first++) {
		u64 *where = &leaf->entry[leaf_index(first)];

		more += !!entry - !!*where;
		/* What the entry points to is complete for whoever finds it. */
		smp_store_release(where, entry);
	}
	return more;
}

/* A node for a slot that has none. */
static bool slot_grow(struct dir_slot *slot, struct dir_reserve *reserve)
{
	union dir_node *node = dir_next_node(reserve);

	if (WARN_ON_ONCE(!node))
		return false;
	node->LINK = 0;
	/* Whoever finds the node finds it empty. Pairs with dir_view(). */
	smp_store_release(&slot->child, node);
	return true;
}

/* Puts levels on top until there is a place for a page. */
static bool dir_heighten(struct dir *dir, u64 page, struct dir_reserve *reserve)
{
	u32 height = height_for(page);
	struct dir_slot slot = {};

	if (!dir->root.child)
		dir->height = height;
	while (dir->height < height) {
		if (!slot_grow(&slot, reserve))
			return false;
		slot.child->slot[0] = dir->root;
		slot.used = 1;
		dir->root = slot;
		dir->height++;
	}
	return true;
}

/* dir_set() for a run within one leaf. */
static void path_set(struct dir *dir, u64 first, u64 end, u64 entry,
		     struct dir_reserve *reserve)
{
	struct dir_slot *above = NULL, *slot = &dir->root;
	u32 height;
	int more;

	if (!dir_heighten(dir, first, reserve))
		return;
	for (height = dir->height;; height--) {
		if (!slot->child) {
			if (!slot_grow(slot, reserve))
				return;
			if (above)
				above->used++;
			dir->empty += !height;
		}
		if (!height)
			break;
		above = slot;
		slot = &slot->child->slot[slot_index(first, height)];
	}
	if (((dir->top ^ (unsigned long)dir->root.child) & ~DIR_HEIGHT_MASK))
		dir_publish(dir);
	more = leaf_set(slot->child, first, end, entry);
	dir->empty -= !slot->used;
	slot->used += more;
	dir->empty += !slot->used;
}

void dir_set(struct dir *dir, u64 first, u64 n, u64 entry, struct dir_reserve *reserve)
{
	u64 end = first + n, stop;

	WARN_ON_ONCE(n > DIR_SET_MAX);
	for (; first < end; first = stop) {
		stop = min(end, (first | (LEAF_ENTRIES - 1)) + 1);
		path_set(dir, first, stop, entry, reserve);
	}
}

/* Takes the node of a slot out. */
static void slot_shed(struct dir_slot *slot, struct dir_slot *above, struct dir_reserve *reserve)
{
	union dir_node *node = slot->child;

	WRITE_ONCE(slot->child, NULL);
	if (above)
		above->used--;
	dir_add_node(reserve, node);
}

/*
 * Goes down to the lowest node above the leaves, reaps its leaves, and reaps
 * what has become empty on the way back. Moves @page past what was done.
 */
static void slot_reap(struct dir *dir, struct dir_slot *slot, struct dir_slot *above, u32 height,
		      u64 *page, struct dir_reserve *reserve)
{
	u64 end = (*page | (node_pages(height) - 1)) + 1;
	union dir_node *node = slot->child;
	u32 i;

	if (!node) {
		*page = end;
		return;
	}
	if (height > 1) {
		i = slot_index(*page, height);
		slot_reap(dir, &node->slot[i], slot, height - 1, page, reserve);
	} else {
		for (i = 0; height && i < NODE_SLOTS; i++)
			if (node->slot[i].child)
				slot_reap(dir, &node->slot[i], slot, 0, page, reserve);
		*page = end;
	}
	if (slot->used)
		return;
	slot_shed(slot, above, reserve);
	dir->empty -= !height;
}

bool dir_reap(struct dir *dir, u64 *page, struct dir_reserve *reserve)
{
	if (!dir->empty || *page >= node_pages(dir->height))
		return false;
	slot_reap(dir, &dir->root, NULL, dir->height, page, reserve);
	if (!dir->root.child)
		dir_publish(dir);
	return true;
}

static const char *slot_check(const struct dir_slot *slot, u32 height, u32 *empty)
{
	const char *error = NULL;
	u64 used = 0;
	u32 i;

	for (i = 0; slot->child && !height && i < LEAF_ENTRIES; i++)
		used += !!slot->child->entry[i];
	for (i = 0; slot->child && height && i < NODE_SLOTS && !error; i++) {
		used += !!slot->child->slot[i].child;
		error = slot_check(&slot->child->slot[i], height - 1, empty);
	}
	if (!error && used != slot->used)
		error = "dir: a count of entries is wrong";
	*empty += slot->child && !height && !used;
	return error;
}

const char *dir_check(const struct dir *dir)
{
	u32 empty = 0;
	const char *error = slot_check(&dir->root, dir->height, &empty);

	if (!error && dir->top != ((unsigned long)dir->root.child |
				   (dir->root.child ? dir->height : 0)))
		error = "dir: readers see another root";
	if (!error && empty != dir->empty)
		error = "dir: the count of empty leaves is wrong";
	return error;
}
