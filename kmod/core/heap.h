/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap of one zone: objects by offset.
 *
 * The heap composes the page bitmap (pages.h), the slot bitmaps (slots.h) and
 * the directory from a page to its slab or span (dir.h). It knows offsets, not
 * memory: it never touches the data it hands out, so that nothing written
 * there can harm it.
 *
 * Unlike the parts it is made of, which leave locking to their caller, the
 * heap locks itself. Functions marked "may sleep" allocate, call @prepare, or
 * free memory at length; all others may be called in any process context.
 * Frees never allocate and never fail but for a wrong offset.
 *
 * The dirty bits of the page bitmap, heap_trim() and heap_set_limit() are there
 * for giving memory back and for limits that change; so far only tests use
 * them.
 */
#ifndef SHMZONE_CORE_HEAP_H
#define SHMZONE_CORE_HEAP_H

#include "core_env.h"
#include "class.h"

/* Objects in one heap_alloc() or heap_free() at most: bounds lock hold times. */
#define HEAP_BATCH_MAX	64

struct heap;

/**
 * struct heap_ops - what the heap asks of its owner
 * @prepare: called without locks, may sleep, before pages [first, first + n)
 *           are used for the first time or again, of which the first @marked
 *           are going to be marked. Returns 0 or a negative errno, which the
 *           allocation then fails with. It is not undone.
 * @mark: called under the heap's lock for pages [first, first + n): what they
 *        are used for from now on, as HEAP_MARK(), or 0 for nothing; never
 *        sleeps, never fails
 *
 * All pages of a slab are marked, but of a span the first alone.
 */
struct heap_ops {
	int (*prepare)(void *owner, u64 first, u64 n, u64 marked);
	void (*mark)(void *owner, u64 first, u64 n, u32 mark);
};

enum heap_kind {
	HEAP_KIND_NONE,
	HEAP_KIND_SLAB,
	HEAP_KIND_SPAN,
};

#define HEAP_MARK(kind, class, group)	((class) | (group) << 8 | (u32)(kind) << 16)
#define HEAP_MARK_CLASS(mark)		((mark) & 0xff)
#define HEAP_MARK_GROUP(mark)		((mark) >> 8 & 0xff)
#define HEAP_MARK_KIND(mark)		((mark) >> 16)

/**
 * struct heap_request - what is wanted of heap_alloc()
 * @bytes: bytes in an object, at least 1
 * @align: alignment in bytes, a power of two up to the page size, or 0
 * @group: 0 to CLASS_GROUPS - 1
 */
struct heap_request {
	u64 bytes;
	u32 align;
	u32 group;
};

/**
 * struct heap_object - a live object
 * @offset: its offset
 * @bytes: usable bytes
 * @class: size class, CLASS_SPAN for a span
 * @group: its group
 */
struct heap_object {
	u64 offset;
	u64 bytes;
	u32 class;
	u32 group;
};

/* Why a free was refused; each has a counter in struct heap_stat. */
enum heap_refusal {
	HEAP_BAD_OUTSIDE,	/* offset 0, or beyond the heap */
	HEAP_BAD_MISALIGNED,	/* not a multiple of 8 */
	HEAP_BAD_INTERIOR,	/* inside an object or slot, not at its start */
	HEAP_BAD_NOT_LIVE,	/* not allocated, or freed already */
	HEAP_BAD_BYTES,		/* live, but not of the size stated */
	HEAP_REFUSALS
};

struct heap_stat {
	u64 taken_pages;
	u64 limit_pages;
	u64 live_bytes;
	u64 live_objects;
	u64 slabs;
	u64 spans;
	u64 kernel_bytes;
	u64 requests;
	u64 failures;
	u64 frees;
	u64 refused[HEAP_REFUSALS];
};

struct heap_class_stat {
	u64 slabs;		/* class CLASS_SPAN: spans */
	u64 total;		/* slots; CLASS_SPAN: pages */
	u64 used;		/* slots taken; CLASS_SPAN: pages */
	u64 requests;
	u64 failures;
	u64 frees;
};

/**
 * heap_create() - make an empty heap
 * @pages: pages in the heap, 2 to PAGES_MAX; page 0 is never handed out
 * @limit: pages that may be taken at the same time, at most @pages
 * @ops: callbacks
 * @owner: first argument of the callbacks
 *
 * May sleep. Takes the same time and memory for any number of pages (next to
 * nothing). Returns the heap or NULL for want of memory.
 */
struct heap *heap_create(u64 pages, u64 limit, const struct heap_ops *ops,
			 void *owner);

/**
 * heap_destroy() - free all kernel memory of a heap
 * @heap: the heap; nobody else uses it any more. Live objects are forgotten.
 *
 * May sleep. Calls no callback.
 */
void heap_destroy(struct heap *heap);

/**
 * heap_alloc() - allocate objects of one size
 * @heap: the heap
 * @req: what is wanted; every field is checked
 * @offsets: gets the offsets
 * @n: objects wanted, 1 to HEAP_BATCH_MAX
 *
 * May sleep. Returns how many were allocated, at least 1, or -EINVAL for a
 * malformed request (counted by nobody), or -ENOMEM, or what @prepare returned.
 */
int heap_alloc(struct heap *heap, const struct heap_request *req, u64 *offsets,
	       u32 n);

/**
 * heap_note_failed() - count objects that were wanted as requested and failed
 * @heap: the heap
 * @req: a well-formed request
 * @n: how many more than heap_alloc() was asked for
 *
 * For batches longer than HEAP_BATCH_MAX that end early.
 */
void heap_note_failed(struct heap *heap, const struct heap_request *req, u32 n);

/**
 * heap_free() - free objects
 * @heap: the heap
 * @offsets: offsets as allocated; any value is safe
 * @n: how many, 1 to HEAP_BATCH_MAX
 * @bytes: 0, or the size all of them were requested with
 * @freed: gets how many were freed: the first *@freed of @offsets
 *
 * Stops at the first that cannot be freed. Returns 0 if all were freed, else
 * -EINVAL, with the refusal counted. May sleep, but allocates nothing.
 */
int heap_free(struct heap *heap, const u64 *offsets, u32 n, u64 bytes,
	      u32 *freed);

/**
 * heap_find() - what lives at an offset
 * @heap: the heap
 * @offset: any value
 * @object: filled if found
 *
 * Returns 0, or -EINVAL if no live object starts at @offset. Counts nothing.
 */
int heap_find(struct heap *heap, u64 offset, struct heap_object *object);

/**
 * heap_trim() - let go of what is only kept to be quick
 * @heap: the heap
 *
 * Ends the empty slabs held back and frees the heap's stock of kernel memory.
 * May sleep.
 */
void heap_trim(struct heap *heap);

/**
 * heap_set_limit() - change how many pages may be taken
 * @pages: at most the pages of the heap
 *
 * A limit below what is taken only stops further allocation.
 */
void heap_set_limit(struct heap *heap, u64 pages);

/**
 * heap_get_stat() - figures of the heap
 * @stat: filled; @stat->taken_pages includes runs that are being prepared
 */
void heap_get_stat(struct heap *heap, struct heap_stat *stat);

/**
 * heap_get_class_stat() - figures of one class
 * @group: a group, or CLASS_GROUPS for the sum over all
 *
 * A request that failed because there was no memory to keep its class and
 * group at all is counted by heap_get_stat() alone.
 */
void heap_get_class_stat(struct heap *heap, u32 class, u32 group,
			 struct heap_class_stat *stat);

/**
 * heap_check() - recompute everything naively and compare
 *
 * For tests: slow, holds the lock throughout. Returns NULL if the heap is
 * consistent, else a sentence that says what is not.
 */
const char *heap_check(struct heap *heap);

#endif /* SHMZONE_CORE_HEAP_H */
