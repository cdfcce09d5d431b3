/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How pages.c keeps its tree; see there. For pages_check.c besides, nobody else.
 */
#ifndef SHMZONE_CORE_PAGES_IMPL_H
#define SHMZONE_CORE_PAGES_IMPL_H

#include "core_env.h"
#include "pages.h"

#define FANOUT_SHIFT	3
#define FANOUT		(1U << FANOUT_SHIFT)
#define TOP_LEVEL	4

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
 * union pages_node - memory for either a node or a chunk
 * @entry: node: the stretches below
 * @taken: chunk: a bit a page
 * @dirty: chunk: a bit a page
 *
 * While it is on a list of a reserve, the first word links to the next node,
 * with the level of what it was in the low bits. All other words of a
 * detached node are still as they were.
 */
union pages_node {
	struct pages_entry entry[FANOUT];
	struct {
		u64 taken[BITS_CHUNK_WORDS];
		u64 dirty[BITS_CHUNK_WORDS];
	};
};

static inline union pages_node *entry_child(const struct pages_entry *entry)
{
	if (entry->child < ABSENT_STATES)
		return NULL;
	return (union pages_node *)entry->child;
}

#endif /* SHMZONE_CORE_PAGES_IMPL_H */
