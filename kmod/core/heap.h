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
 * heap locks itself. Functions marked "may sleep" allocate, call @prepare or
 * @release, or free memory at length; all others may be called in any process context.
 * Frees never allocate and never fail but for a wrong offset.
 *
 * A heap may have *owners*, see heap_owner.h; then every object has one.
 *
 * heap_find_idle() finds pages whose memory could be given back to the system;
 * so far only tests and benchmarks use it.
 */
#ifndef SHMZONE_CORE_HEAP_H
#define SHMZONE_CORE_HEAP_H

#include "core_env.h"
#include "class.h"

/* Objects in one heap_alloc() or heap_free() at most: bounds lock hold times. */
#define HEAP_BATCH_MAX	64

/* Shards of one class and group at most, see heap_impl.h. */
#define HEAP_SHARDS_MAX	16

/* Shards of one class and group in heaps that are created from now on. */
extern u32 heap_shards;

struct heap;
struct heap_owner;

/**
 * struct heap_ops - what the heap asks of its keeper
 * @prepare: called without locks, may sleep, before pages [first, first + n)
 *           are used for the first time or again, of which the first @marked
 *           are going to be marked. Returns 0 or a negative errno, which the
 *           allocation then fails with. It is not undone.
 * @mark: called under the pages lock for pages [first, first + n): what they
 *        are used for from now on, as HEAP_MARK(), or 0 for nothing; never
 *        sleeps, never fails. Where there are owners, a slab or span may be
 *        marked anew.
 * @release: NULL, or called without locks, may sleep, for pages [first, first +
 *           n) of a run that has ended, or was abandoned before it began: their
 *           memory is to be given back to the system. Until it returns nobody
 *           is given the pages, and it is called once for each run that ends.
 * @owner_freed: NULL, or called without locks, may sleep, when nothing is left of
 *               an owner, with the @payer it was made with
 * @prepare_fills: after @prepare all pages of the run hold memory, whether they
 *           are used or not
 *
 * All pages of a slab are marked, but of a span the first alone.
 */
struct heap_ops {
	int (*prepare)(void *keeper, u64 first, u64 n, u64 marked);
	void (*mark)(void *keeper, u64 first, u64 n, u32 mark);
	void (*release)(void *keeper, u64 first, u64 n);
	void (*owner_freed)(void *keeper, void *payer);
	bool prepare_fills;
};

/* What a page is to somebody who wants to touch it. */
enum heap_page {
	HEAP_PAGE_FREE,		/* page 0, beyond the heap, free, or dying */
	HEAP_PAGE_PREPARED,	/* of a run that is being prepared */
	HEAP_PAGE_TAKEN,	/* of a slab or span */
};

enum heap_kind {
	HEAP_KIND_NONE,
	HEAP_KIND_SLAB,
	HEAP_KIND_SPAN,
	HEAP_KIND_MIXED,	/* a slab whose slots may be of several owners */
};

#define HEAP_MARK(kind, class, group, tag) \
	((class) | (group) << 8 | (u32)(kind) << 12 | (u32)(tag) << 16)
#define HEAP_MARK_CLASS(mark)		((mark) & 0xff)
#define HEAP_MARK_GROUP(mark)		((mark) >> 8 & 0xf)
#define HEAP_MARK_KIND(mark)		((mark) >> 12 & 0xf)
#define HEAP_MARK_TAG(mark)		((mark) >> 16)

/**
 * struct heap_request - what is wanted of heap_alloc()
 * @bytes: bytes in an object, at least 1
 * @align: alignment in bytes, a power of two up to the page size, or 0
 * @group: 0 to CLASS_GROUPS - 1
 * @hint: any number. Requests with the same one share a shard, where there are
 *        several, so it should stay the same for one thread or cache.
 * @owner: who is to own the objects; NULL where there are no owners
 */
struct heap_request {
	u64 bytes;
	u32 align;
	u32 group;
	u32 hint;
	struct heap_owner *owner;
};

/**
 * struct heap_object - a live object
 * @offset: its offset
 * @bytes: usable bytes
 * @class: size class, CLASS_SPAN for a span
 * @group: its group
 * @owner: id of its owner, 0 for nobody's
 * @offered: it is on offer, see heap_owner.h
 * @linked: it is tied to another one, the same
 */
struct heap_object {
	u64 offset;
	u64 bytes;
	u32 class;
	u32 group;
	u64 owner;
	bool offered;
	bool linked;
};

/* Why a free was refused; each has a counter in struct heap_stat. */
enum heap_refusal {
	HEAP_BAD_OUTSIDE,	/* offset 0, or beyond the heap */
	HEAP_BAD_MISALIGNED,	/* not a multiple of 8 */
	HEAP_BAD_INTERIOR,	/* inside an object or slot, not at its start */
	HEAP_BAD_NOT_LIVE,	/* not allocated, or freed already */
	HEAP_BAD_BYTES,		/* live, but not of the size stated */
	HEAP_BAD_OWNER,		/* live, but another's */
	HEAP_REFUSALS
};

struct heap_stat {
	u64 taken_pages;
	u64 limit_pages;
	u64 busy_pages;
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

/**
 * struct heap_room - how far the pages of a heap are in use
 * @taken_pages: pages taken, with those of busy runs
 * @limit_pages: the limit
 * @busy_pages: pages of runs that are being prepared or released
 * @span_pages: pages of spans
 */
struct heap_room {
	u64 taken_pages;
	u64 limit_pages;
	u64 busy_pages;
	u64 span_pages;
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
 * heap_caches_create() - set up what all heaps share
 *
 * To be called once before any other function of the heap. May sleep. Returns 0
 * or -ENOMEM.
 */
int heap_caches_create(void);

/**
 * heap_caches_destroy() - the opposite, once all heaps have been destroyed
 *
 * May sleep: waits for what is freed after a grace period.
 */
void heap_caches_destroy(void);

/**
 * heap_create() - make an empty heap
 * @pages: pages in the heap, 2 to PAGES_MAX; page 0 is never handed out
 * @limit: pages that may be taken at the same time, at most @pages
 * @ops: callbacks
 * @keeper: first argument of the callbacks
 *
 * May sleep. Takes the same time and memory for any number of pages (next to
 * nothing). Returns the heap or NULL for want of memory.
 */
struct heap *heap_create(u64 pages, u64 limit, const struct heap_ops *ops,
			 void *keeper);

/**
 * heap_destroy() - free all kernel memory of a heap
 * @heap: the heap; nobody else uses it any more. Live objects are forgotten.
 *
 * May sleep. Calls no callback but @owner_freed.
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
 * heap_turnover() - how many slabs were made and ended so far
 *
 * While a request makes or ends a slab, its pages and slots are in its hands, and
 * another request may fail for want of them. If the first succeeds, and the
 * turnover has changed since before it, trying the other again may help.
 */
u64 heap_turnover(const struct heap *heap);

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
 * @heap: the heap, without owners
 * @offsets: offsets as allocated; any value is safe
 * @n: how many, 1 to HEAP_BATCH_MAX
 * @bytes: 0, or the size all of them were requested with
 * @bad: gets the index of the first that was refused, or @n if none was
 *
 * Frees all that can be freed; the others are refused, and counted by reason.
 * An object that is named twice is freed once. Returns how many were freed, or
 * -EINVAL for a malformed @n. May sleep, but allocates nothing.
 */
int heap_free(struct heap *heap, const u64 *offsets, u32 n, u64 bytes, u32 *bad);

/**
 * heap_refuse() - count a free that was refused without asking the heap
 */
void heap_refuse(struct heap *heap, enum heap_refusal why);

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
 * heap_walk() - what lives where, in the order of offsets
 * @heap: the heap
 * @cursor: where to begin; gets where to go on
 * @objects: filled
 * @n: how many at most
 *
 * What lives from the first call to the last is found once; what does not, may be
 * found. Returns how many were found; 0 if there are no more. May sleep.
 */
u32 heap_walk(struct heap *heap, u64 *cursor, struct heap_object *objects, u32 n);

/**
 * heap_page() - what a page is at this moment
 * @heap: the heap
 * @page: any value
 *
 * While runs are prepared or released, takes time in proportion to their number.
 */
enum heap_page heap_page(struct heap *heap, u64 page);

/* Whether a page is part of a slab or span, and not of one that is dying. */
static inline bool heap_is_taken(struct heap *heap, u64 page)
{
	return heap_page(heap, page) == HEAP_PAGE_TAKEN;
}

/**
 * heap_trim() - let go of what is only kept to be quick
 * @heap: the heap
 *
 * Ends all empty slabs held back and frees the heap's stock of kernel memory and
 * empty nodes. May sleep.
 */
void heap_trim(struct heap *heap);

/**
 * heap_age() - let go of what was not needed since the last call
 * @heap: the heap
 *
 * Ends empty slabs that have been held back for as long, and frees empty nodes.
 * To be called now and then while it returns true, or heap_is_ageing() does:
 * there is something left that the next call may end. May sleep.
 */
bool heap_age(struct heap *heap);
bool heap_is_ageing(const struct heap *heap);

/**
 * heap_find_idle() - pages that may hold memory without a live object on them
 * @heap: the heap
 * @first: where to begin; gets the first page of the first such run
 * @n: gets its length
 *
 * These are free pages, and pages of slabs on which no slot is live, not even
 * in part, as far as they were used since their memory was last given back. A
 * hint while the heap is in use. Returns false if there is none. May sleep.
 */
bool heap_find_idle(struct heap *heap, u64 *first, u64 *n);

/**
 * heap_set_limit() - change how many pages may be taken
 * @pages: at most the pages of the heap
 *
 * A limit below what is taken only stops further allocation.
 */
void heap_set_limit(struct heap *heap, u64 pages);

/**
 * heap_get_room() - how far the pages are in use
 *
 * All figures are of one moment. Costs next to nothing.
 */
void heap_get_room(struct heap *heap, struct heap_room *room);

/**
 * heap_has_slab() - whether slots that are freed could serve a request
 * @req: a well-formed request
 *
 * That is, whether there is a slab that objects like these come from; for spans
 * there is none.
 */
bool heap_has_slab(struct heap *heap, const struct heap_request *req);

/**
 * heap_get_stat() - figures of the heap
 * @stat: filled; @stat->taken_pages includes runs that are being prepared or
 *        released, which are @stat->busy_pages
 *
 * While the heap is in use, figures of different classes may be of different
 * moments. Looks at everything that has figures. May sleep.
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
 * For tests: slow, and holds locks for long. The heap may be in use. Returns
 * NULL if it is consistent, else a sentence that says what is not.
 */
const char *heap_check(struct heap *heap);

#endif /* SHMZONE_CORE_HEAP_H */
