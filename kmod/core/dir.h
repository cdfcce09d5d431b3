/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The directory of a heap: from a page to the slab or span that it belongs to.
 *
 * An entry is a word, 0 where there is none:
 *
 *	slab	pointer to the descriptor, tag 1; the same on every page of it
 *	span	tag 2, group, length, who owns it; on the first page only: a page that is
 *		taken and has no entry lies inside a span
 *	busy	tag 4: taken, but not yet what it is to become
 *
 * Eight bytes a page where there are slabs, and nothing for the inside of a
 * span however long. (Four bytes and a table of descriptors would save 0.1 %
 * of the memory in slabs, for one more cache line to look at on each free.)
 *
 * Looking up needs no lock: dir_where() and the entry it leads to may be read
 * under rcu_read_lock() while the directory changes. All else the caller serialises.
 * An entry is written after what it points to, and nodes that are taken out are
 * freed by core_free_rcu() alone; so must be the descriptors that entries pointed to.
 *
 * A node stays when its last entry goes, as the next one is likely to come
 * soon; dir_reap() takes out those that are empty. Nothing is allocated or
 * freed inside: see struct dir_reserve.
 */
#ifndef SHMZONE_CORE_DIR_H
#define SHMZONE_CORE_DIR_H

#include "core_env.h"

#define DIR_SLAB	1ULL
#define DIR_SPAN	2ULL
#define DIR_BUSY	4ULL

#define DIR_TAG_MASK	7ULL
#define DIR_GROUP_SHIFT	3
#define DIR_GROUP_MASK	15ULL
#define DIR_PAGES_SHIFT	7
#define DIR_PAGES_MASK	0xffffffffULL
#define DIR_WHO_SHIFT	40

struct slab;

static inline u64 dir_slab_entry(struct slab *slab)
{
	return (unsigned long)slab | DIR_SLAB;
}

static inline u64 dir_span_entry(u64 pages, u32 group, u16 who)
{
	return (u64)who << DIR_WHO_SHIFT | pages << DIR_PAGES_SHIFT |
	       group << DIR_GROUP_SHIFT | DIR_SPAN;
}

static inline bool dir_is_slab(u64 entry)
{
	return entry & DIR_SLAB;
}

static inline bool dir_is_span(u64 entry)
{
	return entry & DIR_SPAN;
}

/* The slab an entry points to that is one of a slab. */
static inline struct slab *dir_slab_of(u64 entry)
{
	return (struct slab *)(unsigned long)(entry - DIR_SLAB);
}

/* The same, or NULL if the entry is none. */
static inline struct slab *dir_slab(u64 entry)
{
	return dir_is_slab(entry) ? dir_slab_of(entry) : NULL;
}

static inline u64 dir_span_pages(u64 entry)
{
	return entry >> DIR_PAGES_SHIFT & DIR_PAGES_MASK;
}

static inline u32 dir_span_group(u64 entry)
{
	return entry >> DIR_GROUP_SHIFT & DIR_GROUP_MASK;
}

/* Whatever the entry was made with. */
static inline u16 dir_span_who(u64 entry)
{
	return entry >> DIR_WHO_SHIFT;
}

/* Entries of a leaf, and as many slots of a node above, see dir.c. */
#define DIR_NODE_SHIFT	9
#define DIR_NODE_WORDS	(1U << DIR_NODE_SHIFT)

/**
 * struct dir_node - a node
 * @word: of a leaf: entries; above: slots, each of which is the address of a
 *        node, or 0, and the number of words in it that are not empty
 *
 * Nodes are aligned to their size, so the number fits below the address.
 */
struct dir_node {
	u64 word[DIR_NODE_WORDS];
};

#define DIR_COUNT_MASK	((u64)sizeof(struct dir_node) - 1)

static inline struct dir_node *dir_slot_node(u64 slot)
{
	return (struct dir_node *)(unsigned long)(slot & ~DIR_COUNT_MASK);
}

/**
 * struct dir - a directory
 * @top: the topmost node as readers see it: address and height in one word
 * @root: the slot of the topmost node
 * @height: levels of nodes above the leaves
 * @empty: leaves without an entry
 *
 * Begins as all zero.
 */
struct dir {
	u64 top;
	u64 root;
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
	struct dir_node *nodes;
	u32 count;
};

/**
 * dir_destroy() - move all nodes into a reserve
 */
void dir_destroy(struct dir *dir, struct dir_reserve *reserve);

/* A node without an entry, in place of those that do not exist. */
extern const struct dir_node dir_nothing;

/**
 * struct dir_view - a directory as a reader sees it
 * @node: the topmost node
 * @height: levels of nodes above the leaves
 */
struct dir_view {
	const struct dir_node *node;
	u32 height;
};

/**
 * dir_view() - look at a directory
 *
 * Good for what is in it at this moment, and until rcu_read_unlock().
 */
static inline struct dir_view dir_view(const struct dir *dir)
{
	/* Pairs with the smp_store_release() of writers by address dependency. */
	u64 top = READ_ONCE(dir->top);

	return (struct dir_view){
		.node = top ? dir_slot_node(top) : &dir_nothing,
		.height = top & DIR_COUNT_MASK,
	};
}

/* The word for a page in a node at @height above the leaves. */
static inline u32 dir_index(u64 page, u32 height)
{
	return page >> (DIR_NODE_SHIFT * height) & (DIR_NODE_WORDS - 1);
}

/* The node that a word of another leads to, or NULL. */
static inline const struct dir_node *dir_follow(const struct dir_node *node, u64 index)
{
	u64 mask = ~DIR_COUNT_MASK;

	/* Or the word would be compared with a constant before it is masked. */
	OPTIMIZER_HIDE_VAR(mask);
	return (const struct dir_node *)(unsigned long)(READ_ONCE(node->word[index]) & mask);
}

/**
 * dir_where() - where the entry of a page is
 * @node: the topmost node
 * @height: of the view; if it is a constant, this becomes a few instructions
 *
 * If there is none, that is in &dir_nothing. To be read with READ_ONCE(). A node that
 * was just taken out has words that are not 0, but have no address: see dir.c.
 */
static __always_inline const u64 *dir_where(const struct dir_node *node, u32 height, u64 page)
{
	u64 index = page >> (DIR_NODE_SHIFT * height);

	/* Or not this would be compared, but @page with a bound of its own. */
	OPTIMIZER_HIDE_VAR(index);
	if (unlikely(index >= DIR_NODE_WORDS))
		goto nothing;
	if (height > 2) {
		node = dir_follow(node, index);
		if (unlikely(!node))
			goto nothing;
		index = dir_index(page, 2);
	}
	if (height > 1) {
		node = dir_follow(node, index);
		if (unlikely(!node))
			goto nothing;
		index = dir_index(page, 1);
	}
	if (height > 0) {
		node = dir_follow(node, index);
		if (unlikely(!node))
			goto nothing;
		index = dir_index(page, 0);
	}
	return &node->word[index];
nothing:
	return &dir_nothing.word[0];
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
