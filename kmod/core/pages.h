/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page bitmap of a heap: which pages are taken, and which may hold memory.
 *
 * Two bits a page, taken and dirty. Dirty is set when a page is taken and
 * stays set when it is given back, until somebody who has given its memory
 * back to the system says so (pages_give_clean()). Thus taken implies dirty.
 *
 * Runs are [first, first + n) throughout, counted in pages. What was taken as
 * one run must be given back as one run.
 *
 * No locking inside; the caller serialises. Nothing is allocated or freed
 * inside: taking a run takes what it needs from a struct pages_reserve that
 * the caller has filled, and gives there what it has no more use for. Giving
 * back never needs memory.
 */
#ifndef SHMZONE_CORE_PAGES_H
#define SHMZONE_CORE_PAGES_H

#include "core_env.h"
#include "bits.h"

#define PAGES_MAX	(1ULL << 32)
#define PAGES_NONE	(~0ULL)

/* The objects that a bitmap is made of, see pages.c. */
enum pages_kind { PAGES_CHUNK, PAGES_NODE, PAGES_KINDS };

/* As many as one run can need at most: a path at either end. */
#define PAGES_CHUNKS_MAX	2
#define PAGES_NODES_MAX		4

/**
 * struct pages_entry - a stretch of pages as the level above sees it
 * @sum: summary of its free runs
 * @child: node or chunk, or one of the absent states of pages.c
 */
struct pages_entry {
	u64 sum;
	unsigned long child;
};

/**
 * struct pages - a page bitmap
 * @count: pages in it
 * @taken: pages taken
 * @hint: no page below is free
 * @row: the top row; pages beyond it were never taken
 * @row_len: entries in @row
 */
struct pages {
	u64 count;
	u64 taken;
	u64 hint;
	struct pages_entry *row;
	u32 row_len;
};

/**
 * struct pages_reserve - memory on its way into or out of a bitmap
 * @spare: lists of nodes and chunks to be used
 * @spares: how many of each kind
 * @row: top row to be used
 * @row_len: entries in @row
 * @dead: detached subtrees
 * @old_row: a top row that was replaced
 * @old_row_len: entries in @old_row
 *
 * Begins as all zero. Filled with pages_add_spare() and by assigning @row;
 * emptied with pages_next_spare(), pages_next_dead() and by taking the rows out.
 */
struct pages_reserve {
	void *spare[PAGES_KINDS];
	u32 spares[PAGES_KINDS];
	struct pages_entry *row;
	u32 row_len;
	void *dead;
	struct pages_entry *old_row;
	u32 old_row_len;
};

static inline bool pages_reserve_is_empty(const struct pages_reserve *reserve)
{
	return !reserve->spare[PAGES_CHUNK] && !reserve->spare[PAGES_NODE] && !reserve->row &&
	       !reserve->dead && !reserve->old_row;
}

/**
 * struct pages_want - memory a run needs to be taken
 * @objects: nodes and chunks
 * @row_len: entries in the new top row, 0 if the old one is long enough
 */
struct pages_want {
	u32 objects[PAGES_KINDS];
	u32 row_len;
};

void pages_init(struct pages *pages, u64 count);

/**
 * pages_destroy() - detach everything
 * @reserve: gets all nodes, chunks and the top row
 */
void pages_destroy(struct pages *pages, struct pages_reserve *reserve);

/**
 * pages_find() - the first free run in address order
 * @n: length wanted, any value
 *
 * Changes nothing. Returns its first page, or %PAGES_NONE.
 */
u64 pages_find(const struct pages *pages, u64 n);

/**
 * pages_wants() - how much memory taking a run may need
 */
struct pages_want pages_wants(const struct pages *pages, u64 first, u64 n);

/**
 * pages_take() - take a run
 * @first: first page
 * @n: length; all of the run is free
 * @reserve: holds at least what pages_wants() said
 */
void pages_take(struct pages *pages, u64 first, u64 n, struct pages_reserve *reserve);

/**
 * pages_prefetch() - have in the processor's cache what changing a page will need
 * @page: any page
 */
void pages_prefetch(const struct pages *pages, u64 page);

/**
 * pages_give() - give a run back that may hold memory
 * @first: first page of a run taken
 * @n: its length
 * @reserve: gets what became superfluous
 */
void pages_give(struct pages *pages, u64 first, u64 n, struct pages_reserve *reserve);

/**
 * pages_give_clean() - give a run back whose memory the system has already
 *
 * To release the memory of free pages, take them, so that nobody else does,
 * punch, and give them back with this. Arguments as for pages_give().
 */
void pages_give_clean(struct pages *pages, u64 first, u64 n, struct pages_reserve *reserve);

bool pages_is_taken(const struct pages *pages, u64 page);
bool pages_is_dirty(const struct pages *pages, u64 page);

/**
 * pages_dirty_mask() - which pages of a short run are dirty
 * @n: up to 8 pages
 *
 * Returns a bit a page, the first page lowest.
 */
u8 pages_dirty_mask(const struct pages *pages, u64 first, u32 n);

/**
 * pages_next_dirty() - the first run of pages that are free and dirty
 * @page: where to begin; gets its first page
 * @n: gets its length, up to where a page is not free and dirty
 *
 * Looks at a bounded part of the bitmap. If there is no such run in it, @n is 0
 * and @page where to go on; a run that leads out of it is cut short. Returns
 * false if there is none to be found any more.
 */
bool pages_next_dirty(const struct pages *pages, u64 *page, u64 *n);

/**
 * pages_count() - how many pages of a run are taken
 */
u64 pages_count(const struct pages *pages, u64 first, u64 n);

/**
 * pages_check() - recompute everything naively and compare
 *
 * Returns NULL or a sentence that says what is wrong.
 */
const char *pages_check(const struct pages *pages);

/* Bytes in an object of a kind. */
size_t pages_bytes(enum pages_kind kind);

void pages_add_spare(struct pages_reserve *reserve, enum pages_kind kind, void *object);

/**
 * pages_next_spare(), pages_next_dead() - take an object out, to be freed
 * @kind: its kind; pages_next_dead() says which
 *
 * Return NULL when there is none left.
 */
void *pages_next_spare(struct pages_reserve *reserve, enum pages_kind kind);
void *pages_next_dead(struct pages_reserve *reserve, enum pages_kind *kind);

#endif /* SHMZONE_CORE_PAGES_H */
