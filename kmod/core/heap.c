// SPDX-License-Identifier: GPL-2.0
/*
 * The heap of one zone: requests, frees, and what lives where. See heap.h for
 * the contract and heap_impl.h for states and locking.
 *
 * An offset that comes from outside is believed in nothing. heap_locate()
 * decides, from the directory and the bitmaps alone, whether an object starts
 * there, in time that does not depend on the heap; every other function gets
 * only what it has found.
 */
#include "core_env.h"
#include "heap_impl.h"

/* Life. */

struct heap *heap_create(u64 pages, u64 limit, const struct heap_ops *ops, void *owner)
{
	struct heap *heap;

	if (WARN_ON_ONCE(pages < 2 || pages > PAGES_MAX || limit > pages))
		return NULL;
	heap = core_zalloc(sizeof(*heap));
	if (!heap)
		return NULL;
	atomic64_set(&heap->kernel_bytes, sizeof(*heap));
	heap->ops = ops;
	heap->owner = owner;
	heap->stat.limit_pages = limit;
	core_lock_init(&heap->lock);
	pages_init(&heap->pages, pages);
	dir_init(&heap->dir, pages);
	if (heap_take_first(heap)) {
		heap_destroy(heap);
		return NULL;
	}
	return heap;
}

void heap_destroy(struct heap *heap)
{
	struct heap_group *group;
	u32 i, class;

	heap_drain(heap);
	for (i = 0; i < CLASS_GROUPS; i++) {
		group = heap->group[i];
		for (class = 0; group && class < CLASS_COUNT; class++)
			heap_kfree(heap, group->shelf[class], sizeof(*group->shelf[class]));
		heap_kfree(heap, group, sizeof(*group));
	}
	WARN_ON_ONCE(atomic64_read(&heap->kernel_bytes) != sizeof(*heap));
	core_free(heap);
}

void heap_set_limit(struct heap *heap, u64 pages)
{
	core_lock(&heap->lock);
	heap->stat.limit_pages = pages;
	core_unlock(&heap->lock);
}

void heap_trim(struct heap *heap)
{
	struct heap_trash trash;

	heap_trash_init(&trash);
	heap_lock(heap);
	heap_release_held(heap, &trash);
	heap_empty_stock(heap, &trash);
	heap_unlock(heap, &trash);
}

/* Requests. */

static struct heap_shelf *shelf_get(const struct heap *heap, u32 class, u32 group)
{
	return heap->group[group] ? heap->group[group]->shelf[class] : NULL;
}

/*
 * The shelf of a class and group, made if this is its first use. Drops and
 * retakes the lock. Returns NULL for want of memory.
 */
static struct heap_shelf *shelf_make(struct heap *heap, u32 class, u32 group,
				     struct heap_trash *trash) __must_hold(&heap->lock)
{
	struct heap_group *new_group;
	struct heap_shelf *new_shelf;

	if (shelf_get(heap, class, group))
		return shelf_get(heap, class, group);

	heap_unlock(heap, trash);
	new_group = heap_zalloc(heap, sizeof(*new_group));
	new_shelf = heap_zalloc(heap, sizeof(*new_shelf));
	if (new_shelf)
		slots_shelf_init(&new_shelf->slots);
	heap_lock(heap);

	if (!heap->group[group])
		swap(heap->group[group], new_group);
	if (heap->group[group] && !heap->group[group]->shelf[class])
		swap(heap->group[group]->shelf[class], new_shelf);
	heap_kfree(heap, new_shelf, sizeof(*new_shelf));
	heap_kfree(heap, new_group, sizeof(*new_group));
	return shelf_get(heap, class, group);
}

/* Ends the slab that settling another has left over, if any. */
static void shelf_settle(struct heap *heap, struct heap_shelf *shelf, struct slab *slab,
			 struct heap_trash *trash)
{
	struct slab *surplus = slots_settle(&shelf->slots, slab);

	if (surplus)
		heap_slab_release(heap, surplus, trash);
}

/* Accounts for objects given, before the lock is dropped. */
static void note_given(struct heap *heap, struct heap_shelf *shelf, u32 n, u64 bytes)
{
	shelf->stat.requests += n;
	heap->stat.requests += n;
	heap->stat.live_objects += n;
	heap->stat.live_bytes += n * bytes;
}

/* Accounts for objects not given; there may be no shelf for want of memory. */
static void note_failed(struct heap *heap, struct heap_shelf *shelf, u32 n)
{
	heap->stat.requests += n;
	heap->stat.failures += n;
	if (!shelf)
		return;
	shelf->stat.requests += n;
	shelf->stat.failures += n;
}

static int alloc_slots(struct heap *heap, struct heap_shelf *shelf, u32 class, u32 group,
		       u64 *offsets, u32 n, struct heap_trash *trash) __must_hold(&heap->lock)
{
	u32 bytes = class_table[class].slot_bytes;
	u32 more, got = slots_take(&shelf->slots, offsets, n);
	struct slab *slab;
	int err = 0;

	shelf->stat.used += got;
	note_given(heap, shelf, got, bytes);
	while (got < n) {
		err = heap_slab_create(heap, class, group, trash, &slab);
		if (err)
			break;
		/* From this one at once: others may have been freed or used up meanwhile. */
		more = slab_take(slab, offsets + got, n - got);
		shelf_settle(heap, shelf, slab, trash);
		shelf->stat.used += more;
		note_given(heap, shelf, more, bytes);
		got += more;
	}
	return got ? got : err;
}

/* Pages to hold @bytes, for any value of @bytes. */
static u64 bytes_to_pages(u64 bytes)
{
	return (bytes >> PAGE_SHIFT) + !!(bytes & (PAGE_SIZE - 1));
}

static int alloc_spans(struct heap *heap, struct heap_shelf *shelf, u64 bytes, u32 group,
		       u64 *offsets, u32 n, struct heap_trash *trash) __must_hold(&heap->lock)
{
	u64 first, pages = bytes_to_pages(bytes);
	int err = 0;
	u32 got;

	for (got = 0; got < n; got++) {
		err = heap_span_create(heap, pages, group, trash, &first);
		if (err)
			break;
		offsets[got] = first << PAGE_SHIFT;
		shelf->stat.used += pages;
		note_given(heap, shelf, 1, pages << PAGE_SHIFT);
	}
	return got ? got : err;
}

static bool request_valid(const struct heap_request *req, u32 n)
{
	return n && n <= HEAP_BATCH_MAX && req->bytes && req->group < CLASS_GROUPS &&
	       (!req->align || (is_power_of_2(req->align) && req->align <= PAGE_SIZE));
}

int heap_alloc(struct heap *heap, const struct heap_request *req, u64 *offsets, u32 n)
{
	struct heap_shelf *shelf;
	struct heap_trash trash;
	int got = -ENOMEM;
	u32 class;

	if (!request_valid(req, n))
		return -EINVAL;
	class = class_for(req->bytes, req->align);

	heap_trash_init(&trash);
	heap_lock(heap);
	shelf = shelf_make(heap, class, req->group, &trash);
	if (shelf && class == CLASS_SPAN)
		got = alloc_spans(heap, shelf, req->bytes, req->group, offsets, n, &trash);
	else if (shelf)
		got = alloc_slots(heap, shelf, class, req->group, offsets, n, &trash);

	note_failed(heap, shelf, got < 0 ? n : n - got);
	heap_unlock(heap, &trash);
	return got;
}

void heap_note_failed(struct heap *heap, const struct heap_request *req, u32 n)
{
	u32 class = class_for(req->bytes, req->align);

	core_lock(&heap->lock);
	note_failed(heap, shelf_get(heap, class, req->group), n);
	core_unlock(&heap->lock);
}

/* What lives where. */

/* What heap_locate() says of an offset at which an object starts. */
#define HEAP_LIVE	HEAP_REFUSALS

/**
 * struct heap_place - where an object lives
 * @slab: its slab, or NULL for a span
 * @span: the directory's entry of a span
 */
struct heap_place {
	struct slab *slab;
	u64 span;
};

static enum heap_refusal locate_slot(const struct slab *slab, u64 offset)
{
	u32 index;

	if (!slab_slot(slab, offset, &index))
		return HEAP_BAD_INTERIOR;
	return slab_slot_taken(slab, index) ? HEAP_LIVE : HEAP_BAD_NOT_LIVE;
}

/*
 * A taken page without an entry is inside a span, but for page 0. (Or it is
 * still to become the inside of one: busy runs have an entry on their first
 * page alone, if that is all their span will have.)
 */
static enum heap_refusal heap_locate(const struct heap *heap, u64 offset,
				     struct heap_place *place)
{
	u64 page = offset >> PAGE_SHIFT;
	u64 entry;

	core_assert_held(&heap->lock);
	if (!offset || page >= heap->pages.count)
		return HEAP_BAD_OUTSIDE;
	if (offset % CLASS_SLOT_MIN)
		return HEAP_BAD_MISALIGNED;

	entry = dir_get(&heap->dir, page);
	if (!entry)
		return page && pages_is_taken(&heap->pages, page) ?
			HEAP_BAD_INTERIOR : HEAP_BAD_NOT_LIVE;
	if (dir_is_span(entry)) {
		place->slab = NULL;
		place->span = entry;
		return offset & (PAGE_SIZE - 1) ? HEAP_BAD_INTERIOR : HEAP_LIVE;
	}
	place->slab = dir_slab(entry);
	if (!place->slab)
		return HEAP_BAD_NOT_LIVE;
	return locate_slot(place->slab, offset);
}

int heap_find(struct heap *heap, u64 offset, struct heap_object *object)
{
	struct heap_place place;
	int err = -EINVAL;

	core_lock(&heap->lock);
	if (heap_locate(heap, offset, &place) == HEAP_LIVE) {
		object->offset = offset;
		object->class = place.slab ? place.slab->class : CLASS_SPAN;
		object->group = place.slab ? place.slab->group : dir_span_group(place.span);
		object->bytes = place.slab ? class_table[place.slab->class].slot_bytes :
				dir_span_pages(place.span) << PAGE_SHIFT;
		err = 0;
	}
	core_unlock(&heap->lock);
	return err;
}

/* Frees. */

/* Whether an object is what some request for @bytes would have got. */
static bool place_fits(const struct heap_place *place, u64 bytes)
{
	u32 class = place->slab ? place->slab->class : CLASS_SPAN;

	if (class_for(bytes, class_align(class)) != class)
		return false;
	return place->slab || bytes_to_pages(bytes) == dir_span_pages(place->span);
}

static void free_span(struct heap *heap, u64 offset, u64 span)
{
	u32 group = dir_span_group(span);
	struct heap_shelf *shelf = shelf_get(heap, CLASS_SPAN, group);
	u64 pages = dir_span_pages(span);

	heap_span_release(heap, offset >> PAGE_SHIFT, pages, group);
	shelf->stat.used -= pages;
	shelf->stat.frees++;
	heap->stat.live_bytes -= pages << PAGE_SHIFT;
}

/*
 * Frees slots of one slab, the first of which is known to be live, up to the
 * first offset that is none of its live slots. Returns how many.
 */
static u32 free_slots(struct heap *heap, struct slab *slab, const u64 *offsets, u32 n,
		      struct heap_trash *trash)
{
	struct heap_shelf *shelf = shelf_get(heap, slab->class, slab->group);
	const struct class_info *info = &class_table[slab->class];
	u64 start = (u64)slab->page << PAGE_SHIFT;
	u64 end = start + ((u64)info->slab_pages << PAGE_SHIFT);
	u32 i;

	for (i = 0; i < n; i++) {
		if (offsets[i] < start || offsets[i] >= end)
			break;
		if (slab_give(slab, offsets[i]) != SLAB_GIVEN)
			break;
	}
	shelf->stat.used -= i;
	shelf->stat.frees += i;
	heap->stat.live_bytes -= (u64)i * info->slot_bytes;
	shelf_settle(heap, shelf, slab, trash);
	return i;
}

int heap_free(struct heap *heap, const u64 *offsets, u32 n, u64 bytes, u32 *freed)
{
	enum heap_refusal refusal = HEAP_LIVE;
	struct heap_place place;
	struct heap_trash trash;
	u32 more, done = 0;

	*freed = 0;
	if (!n || n > HEAP_BATCH_MAX)
		return -EINVAL;

	heap_trash_init(&trash);
	heap_lock(heap);
	while (done < n) {
		refusal = heap_locate(heap, offsets[done], &place);
		if (refusal == HEAP_LIVE && bytes && !place_fits(&place, bytes))
			refusal = HEAP_BAD_BYTES;
		if (refusal != HEAP_LIVE)
			break;
		more = 1;
		if (place.slab)
			more = free_slots(heap, place.slab, offsets + done, n - done, &trash);
		else
			free_span(heap, offsets[done], place.span);
		if (WARN_ON_ONCE(!more))
			break;
		done += more;
	}
	heap->stat.frees += done;
	heap->stat.live_objects -= done;
	if (refusal != HEAP_LIVE)
		heap->stat.refused[refusal]++;
	heap_unlock(heap, &trash);

	*freed = done;
	return refusal == HEAP_LIVE ? 0 : -EINVAL;
}
