// SPDX-License-Identifier: GPL-2.0
/*
 * The directory of a heap, see dir.h.
 *
 * A radix tree of nodes of 4 KiB. Leaves have an entry for each of 512 pages;
 * above them are nodes of 256 slots, in as many levels as the heap's size
 * needs: none for up to 512 pages, three for 2^32. A node exists while
 * anything in it is not empty, which the slot that points to it counts.
 */
#include "core_env.h"
#include "dir.h"

#define LEAF_SHIFT	9
#define LEAF_ENTRIES	(1U << LEAF_SHIFT)
#define NODE_SHIFT	8
#define NODE_SLOTS	(1U << NODE_SHIFT)
#define HEIGHT_MAX	3

union dir_node {
	u64 entry[LEAF_ENTRIES];
	struct dir_slot slot[NODE_SLOTS];
	union dir_node *next;		/* in a reserve */
};

static_assert(sizeof(union dir_node) == 4096);

size_t dir_node_bytes(void)
{
	return sizeof(union dir_node);
}

/* Which slot of a node at @height above the leaves leads to a page. */
static u32 slot_index(u64 page, u32 height)
{
	return page >> (LEAF_SHIFT + NODE_SHIFT * (height - 1)) & (NODE_SLOTS - 1);
}

static u32 leaf_index(u64 page)
{
	return page & (LEAF_ENTRIES - 1);
}

void dir_add_node(struct dir_reserve *reserve, void *memory)
{
	union dir_node *node = memory;

	node->next = reserve->nodes;
	reserve->nodes = node;
	reserve->count++;
}

void *dir_next_node(struct dir_reserve *reserve)
{
	union dir_node *node = reserve->nodes;

	if (!node)
		return NULL;
	reserve->nodes = node->next;
	reserve->count--;
	node->next = NULL;
	return node;
}

void dir_init(struct dir *dir, u64 pages)
{
	memset(dir, 0, sizeof(*dir));
	while ((pages - 1) >> (LEAF_SHIFT + NODE_SHIFT * dir->height))
		dir->height++;
	WARN_ON_ONCE(dir->height > HEIGHT_MAX);
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
}

u64 dir_get(const struct dir *dir, u64 page)
{
	const union dir_node *node = dir->root.child;
	u32 height;

	for (height = dir->height; node && height; height--)
		node = node->slot[slot_index(page, height)].child;
	return node ? node->entry[leaf_index(page)] : 0;
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

	step = 1ULL << (LEAF_SHIFT + NODE_SHIFT * (height - 1));
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
	u32 height;

	for (height = dir->height; node && height; height--)
		node = node->slot[slot_index(page, height)].child;
	return node ? 0 : height + 1;
}

u32 dir_wants(const struct dir *dir, u64 first, u64 n)
{
	u64 last = first + n - 1;
	u32 wants = dir_path_wants(dir, first);

	if (last >> LEAF_SHIFT != first >> LEAF_SHIFT)
		wants += dir_path_wants(dir, last);
	return wants;
}

/* Sets the entries of a run in one leaf; returns how many there are more. */
static int leaf_set(union dir_node *leaf, u64 first, u64 end, u64 entry)
{
	int more = 0;

	for (; first < end; first++) {
		more += !!entry - !!leaf->entry[leaf_index(first)];
		leaf->entry[leaf_index(first)] = entry;
	}
	return more;
}

/* dir_set() for a run within one leaf. */
static void path_set(struct dir *dir, u64 first, u64 end, u64 entry,
		     struct dir_reserve *reserve)
{
	struct dir_slot *path[HEIGHT_MAX + 1];
	struct dir_slot *slot = &dir->root;
	u32 height = dir->height;

	for (;; height--) {
		path[height] = slot;
		if (!slot->child) {
			slot->child = entry ? dir_next_node(reserve) : NULL;
			if (WARN_ON_ONCE(!slot->child))
				break;
			if (height < dir->height)
				path[height + 1]->used++;
		}
		if (!height) {
			slot->used += leaf_set(slot->child, first, end, entry);
			break;
		}
		slot = &slot->child->slot[slot_index(first, height)];
	}

	for (; height <= dir->height && path[height]->child && !path[height]->used; height++) {
		dir_add_node(reserve, path[height]->child);
		path[height]->child = NULL;
		if (height < dir->height)
			path[height + 1]->used--;
	}
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

static const char *slot_check(const struct dir_slot *slot, u32 height)
{
	const char *error = NULL;
	u64 used = 0;
	u32 i;

	for (i = 0; slot->child && !height && i < LEAF_ENTRIES; i++)
		used += !!slot->child->entry[i];
	for (i = 0; slot->child && height && i < NODE_SLOTS && !error; i++) {
		used += !!slot->child->slot[i].child;
		error = slot_check(&slot->child->slot[i], height - 1);
	}
	if (!error && used != slot->used)
		error = "dir: a count of entries is wrong";
	if (!error && slot->child && !used)
		error = "dir: a node exists that nothing needs";
	return error;
}

const char *dir_check(const struct dir *dir)
{
	return slot_check(&dir->root, dir->height);
}
