/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The directory of a heap: from a page to the slab or span that it belongs to.
 *
 * An entry is a word, 0 where there is none:
 *
 *	slab	pointer to the descriptor, the low two bits clear, the same on
 *		every page of the slab
 *	span	tag 1, group, length; on the first page only: a page that is
 *		taken and has no entry lies inside a span
 *	busy	tag 2: taken, but not yet what it is to become
 *
 * Eight bytes a page where there are slabs, and nothing for the inside of a
 * span however long. (Four bytes and a table of descriptors would save 0.1 %
 * of the memory in slabs, for one more cache line to look at on each free.)
 *
 * Looking up needs no lock: dir_where() and the entry it leads to may be read
 * under rcu_read_lock() while the directory changes. All else the caller
 * serialises. An entry is written after what it points to, and nodes that are
 * taken out are freed by core_free_rcu() alone; so must be the descriptors
 * that entries pointed to.
 *
 * A node stays when its last entry goes, as the next one is likely to come
 * soon; dir_reap() takes out those that are empty. Nothing is allocated or
 * freed inside: see struct dir_reserve.
 */
#ifndef SHMZONE_CORE_DIR_H
#define SHMZONE_CORE_DIR_H

#include "core_env.h"

#define DIR_SPAN	1ULL
#define DIR_BUSY	2ULL

#define DIR_TAG_MASK	3ULL
#define DIR_GROUP_SHIFT	2
#define DIR_GROUP_MASK	15ULL
#define DIR_PAGES_SHIFT	6

struct slab;

static inline u64 dir_slab_entry(struct slab *slab)
{
	return (unsigned long)slab;
}

static inline u64 dir_span_entry(u64 pages, u32 group)
{
	return pages << DIR_PAGES_SHIFT | group << DIR_GROUP_SHIFT | DIR_SPAN;
}

/* The slab an entry points to, or NULL. */
static inline struct slab *dir_slab(u64 entry)
{
	return entry & DIR_TAG_MASK ? NULL : (struct slab *)(unsigned long)entry;
}

static inline bool dir_is_span(u64 entry)
{
	return (entry & DIR_TAG_MASK) == DIR_SPAN;
}

static inline u64 dir_span_pages(u64 entry)
{
	return entry >> DIR_PAGES_SHIFT;
}

static inline u32 dir_span_group(u64 entry)
{
	return entry >> DIR_GROUP_SHIFT & DIR_GROUP_MASK;
}

/* Pages of a leaf, and slots of the nodes above, see dir.c. */
#define DIR_LEAF_SHIFT	9
#define DIR_NODE_SHIFT	8

union dir_node;

/**
 * struct dir_slot - a pointer to a node
 * @child: the node or NULL
 * @used: entries or slots in it that are not empty
 */
struct dir_slot {
	union dir_node *child;
	u64 used;
};

union dir_node {
	u64 entry[1 << DIR_LEAF_SHIFT];
	struct dir_slot slot[1 << DIR_NODE_SHIFT];
};

/* In the word that readers see the topmost node by. */
#define DIR_HEIGHT_MASK	3UL

/**
 * struct dir - a directory
 * @top: the topmost node as readers see it: pointer and height in one word
 * @root: the topmost node
 * @height: levels of nodes above the leaves
 * @empty: leaves without an entry
 *
 * Begins as all zero.
 */
struct dir {
	unsigned long top;
	struct dir_slot root;
	u32 height;
	u32 empty;
};

/**
 * struct dir_reserve - nodes on their way into or out of a directory
 * @nodes: a list of nodes
 * @count: how many
 *
 * Begins as all zero. The caller fills it with what dir_wants() says, zeroed,
 * and takes out what it likes to free.
 */
struct dir_reserve {
	union dir_node *nodes;
	u32 count;
};

/**
 * dir_destroy() - move all nodes into a reserve
 */
void dir_destroy(struct dir *dir, struct dir_reserve *reserve);

/**
 * struct dir_view - a directory as a reader sees it
 * @node: the topmost node, or NULL
 * @shift: the tree has places for 2^@shift pages
 */
struct dir_view {
	const union dir_node *node;
	u32 shift;
};

/**
 * dir_view() - look at a directory
 *
 * Good for what is in it at this moment, and until rcu_read_unlock().
 */
static inline struct dir_view dir_view(const struct dir *dir)
{
	/* Pairs with the smp_store_release() of writers by address dependency. */
	unsigned long top = READ_ONCE(dir->top);

	return (struct dir_view){
		.node = (void *)(top & ~DIR_HEIGHT_MASK),
		.shift = DIR_LEAF_SHIFT + (top & DIR_HEIGHT_MASK) * DIR_NODE_SHIFT,
	};
}

/**
 * dir_where() - where the entry of a page is
 *
 * Returns NULL if there is none. What it points to is to be read with
 * READ_ONCE().
 */
static inline const u64 *dir_where(struct dir_view view, u64 page)
{
	const u64 slot_mask = (1U << DIR_NODE_SHIFT) - 1;
	const union dir_node *node = view.node;
	const struct dir_slot *slot;
	u32 shift = view.shift;

	if (unlikely(page >> shift))
		return NULL;
	while (node && shift > DIR_LEAF_SHIFT) {
		shift -= DIR_NODE_SHIFT;
		slot = &node->slot[page >> shift & slot_mask];
		node = READ_ONCE(slot->child);
	}
	return node ? &node->entry[page & ((1U << DIR_LEAF_SHIFT) - 1)] : NULL;
}

u64 dir_get(const struct dir *dir, u64 page);

/**
 * dir_next() - the first entry at or after a page
 * @page: where to begin; gets the page found
 *
 * Returns the entry, or 0 if there is none.
 */
u64 dir_next(const struct dir *dir, u64 *page);

/**
 * dir_wants() - nodes that dir_set() may need
 */
u32 dir_wants(const struct dir *dir, u64 first, u64 n);

/**
 * dir_set() - give the pages of a run an entry
 * @first: first page
 * @n: how many, at most %DIR_SET_MAX
 * @entry: the entry; 0 removes what is there
 * @reserve: holds at least what dir_wants() said, unless all pages have an
 *           entry already or @entry is 0
 */
void dir_set(struct dir *dir, u64 first, u64 n, u64 entry, struct dir_reserve *reserve);

/**
 * dir_reap() - take out empty nodes
 * @page: where to begin; gets where to go on
 * @reserve: gets the nodes
 *
 * Looks at a bounded part of the directory. Returns whether there is more
 * beyond @page.
 */
bool dir_reap(struct dir *dir, u64 *page, struct dir_reserve *reserve);

/**
 * dir_check() - recompute everything naively and compare
 *
 * Returns NULL or a sentence that says what is wrong.
 */
const char *dir_check(const struct dir *dir);

/* The longest run that is set at once: a slab at most. */
#define DIR_SET_MAX	8

/* Bytes in a node. */
size_t dir_node_bytes(void);

void dir_add_node(struct dir_reserve *reserve, void *node);

/* Returns NULL when there is none left. */
void *dir_next_node(struct dir_reserve *reserve);

#endif /* SHMZONE_CORE_DIR_H */
