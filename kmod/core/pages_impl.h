/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How pages.c keeps its tree; see there. For pages_check.c and pages_look.c besides, nobody else.
 */
#ifndef SHMZONE_CORE_PAGES_IMPL_H
#define SHMZONE_CORE_PAGES_IMPL_H

#include "core_env.h"
#include "pages.h"

#define FANOUT_SHIFT	6
#define FANOUT		(1U << FANOUT_SHIFT)
#define TOP_LEVEL	2

/* Neighbours that are merged at once, and have a summary of their own in a node. */
#define GROUP_SHIFT	3
#define GROUP		(1U << GROUP_SHIFT)
#define GROUPS		(FANOUT / GROUP)

/* Pages in a stretch of a level. */
#define LEVEL_SHIFT(level)	(BITS_CHUNK_SHIFT + FANOUT_SHIFT * (level))
#define LEVEL_PAGES(level)	(1ULL << LEVEL_SHIFT(level))

#define TOP_SHIFT	LEVEL_SHIFT(TOP_LEVEL)

/* The child of an entry that needs none. */
enum absent {
	ABSENT_CLEAN,	/* free, holds no memory */
	ABSENT_DIRTY,	/* free, may hold memory */
	ABSENT_TAKEN,	/* by a single run */
	ABSENT_STATES
};

/**
 * struct pages_chunk - a chunk
 * @taken: a bit a page
 * @dirty: a bit a page
 */
struct pages_chunk {
	u64 taken[BITS_CHUNK_WORDS];
	u64 dirty[BITS_CHUNK_WORDS];
};

/**
 * struct pages_node - a node
 * @entry: the stretches below
 * @group: summaries of eight of them each
 *
 * While it, or a chunk, is on a list of a reserve, the first word links to the
 * next object, with the level of the entry it hung from in the low bits. All other
 * words of a detached one are still as they were.
 */
struct pages_node {
	struct pages_entry entry[FANOUT];
	u64 group[GROUPS];
};

/* From the summary of an entry to the next one's. */
#define ENTRY_WORDS	(sizeof(struct pages_entry) / sizeof(u64))

/* The index of a page's entry in a node below an entry of a level. */
static inline u32 node_index(u64 page, u32 level)
{
	return page >> LEVEL_SHIFT(level - 1) & (FANOUT - 1);
}

/* What is below an entry: at level 0 a chunk, above a node, or nothing. */
static inline void *entry_child(const struct pages_entry *entry)
{
	if (entry->child < ABSENT_STATES)
		return NULL;
	return (void *)entry->child;
}

#endif /* SHMZONE_CORE_PAGES_IMPL_H */
