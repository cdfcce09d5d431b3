// SPDX-License-Identifier: GPL-2.0
/*
 * The heap of one zone: life and requests. See heap.h for the contract and
 * heap_impl.h for states and locking.
 */
#include "core_env.h"
#include "heap_impl.h"

/* Requests that met a held lock, until a shelf gets another shard. */
#define SHARD_PATIENCE	64

u32 heap_shards = 1;

/* Life. */

struct heap *heap_create(u64 pages, u64 limit, const struct heap_ops *ops, void *keeper)
{
	struct heap *heap;

	if (WARN_ON_ONCE(pages < 2 || pages > PAGES_MAX || limit > pages))
		return NULL;
	heap = core_zalloc(sizeof(*heap));
	if (!heap)
		return NULL;
	atomic64_set(&heap->kernel_bytes, sizeof(*heap));
	heap->ops = ops;
	heap->keeper = keeper;
	heap->shards_max = min_t(u32, max(heap_shards, 1U), HEAP_SHARDS_MAX);
	heap->limit_pages = limit;
	core_lock_init(&heap->lock);
	INIT_LIST_HEAD(&heap->busy);
	pages_init(&heap->pages, pages);
	if (heap_take_first(heap)) {
		heap_destroy(heap);
		return NULL;
	}
	return heap;
}

static size_t shelf_bytes(const struct heap *heap)
{
	return sizeof(struct heap_shelf) + heap->shards_max * sizeof(struct heap_shard *);
}

void heap_shelf_destroy(struct heap *heap, struct heap_shelf *shelf, bool late)
{
	u32 i;

	for (i = 0; shelf && i < shelf->shards; i++)
		heap_kfree_late(heap, shelf->shard[i], sizeof(*shelf->shard[i]), late);
	heap_kfree_late(heap, shelf, shelf_bytes(heap), late);
}

void heap_shelves_destroy(struct heap *heap, struct heap_owner *owner, bool late)
{
	struct heap_group *group;
	u32 i, class;

	for (i = 0; i < CLASS_GROUPS; i++) {
		group = owner->group[i];
		for (class = 0; group && class < CLASS_COUNT; class++)
			heap_shelf_destroy(heap, group->shelf[class], late);
		heap_kfree_late(heap, group, sizeof(*group), late);
	}
}

void heap_destroy(struct heap *heap)
{
	heap_drain(heap);
	heap_owners_destroy(heap);
	heap_shelves_destroy(heap, &heap->nobody, false);
	WARN_ON_ONCE(atomic64_read(&heap->kernel_bytes) != sizeof(*heap));
	core_free(heap);
}

void heap_set_limit(struct heap *heap, u64 pages)
{
	core_lock(&heap->lock);
	heap->limit_pages = pages;
	core_unlock(&heap->lock);
}

/* Shelves. */

static struct heap_shard *shard_create(struct heap *heap, const struct heap_owner *owner)
{
	struct heap_shard *shard = heap_zalloc(heap, sizeof(*shard));

	if (!shard)
		return NULL;
	core_lock_init(&shard->lock);
	slots_rack_init(&shard->slots);
	/* So that its end finds them all. */
	shard->slots.knows_full = owner->tag;
	return shard;
}

static struct heap_shelf *shelf_create(struct heap *heap, const struct heap_owner *owner,
				       u32 class, u32 group)
{
	struct heap_shelf *shelf = heap_zalloc(heap, shelf_bytes(heap));

	if (!shelf)
		return NULL;
	shelf->class = class;
	shelf->group = group;
	shelf->shards = 1;
	shelf->shard[0] = shard_create(heap, owner);
	if (shelf->shard[0])
		return shelf;
	heap_kfree(heap, shelf, shelf_bytes(heap));
	return NULL;
}

/*
 * The shelf of a class and group, made if this is its first use. Returns NULL
 * for want of memory.
 */
static struct heap_shelf *shelf_make(struct heap *heap, struct heap_owner *owner, u32 class,
				     u32 group)
{
	struct heap_shelf *new_shelf = NULL;
	struct heap_group *new_group;

	if (heap_shelf(owner, class, group))
		return heap_shelf(owner, class, group);

	new_group = heap_zalloc(heap, sizeof(*new_group));
	if (new_group)
		new_shelf = shelf_create(heap, owner, class, group);
	if (new_shelf) {
		core_lock(&heap->lock);
		if (!owner->group[group]) {
			/* Pairs with heap_shelf(). */
			smp_store_release(&owner->group[group], new_group);
			new_group = NULL;
		}
		if (!owner->group[group]->shelf[class]) {
			/* Pairs with heap_shelf(). */
			smp_store_release(&owner->group[group]->shelf[class], new_shelf);
			new_shelf = NULL;
		}
		core_unlock(&heap->lock);
	}
	heap_shelf_destroy(heap, new_shelf, false);
	heap_kfree(heap, new_group, sizeof(*new_group));
	return heap_shelf(owner, class, group);
}

/* The same for a request, with nobody's, which gets the figures of owners that go. */
static struct heap_shelf *request_shelf(struct heap *heap, const struct heap_request *req,
					u32 class)
{
	if (req->owner && !shelf_make(heap, &heap->nobody, class, req->group))
		return NULL;
	return shelf_make(heap, req->owner ?: &heap->nobody, class, req->group);
}

/* Adds a shard to a shelf whose shards are fought for; may do nothing. */
static void shelf_add_shard(struct heap *heap, const struct heap_owner *owner,
			    struct heap_shelf *shelf)
{
	struct heap_shard *shard;

	if (heap_shelf_shards(shelf) == heap->shards_max)
		return;
	shard = shard_create(heap, owner);
	if (!shard)
		return;
	core_lock(&heap->lock);
	if (shelf->shards < heap->shards_max) {
		shelf->shard[shelf->shards] = shard;
		WRITE_ONCE(shelf->contended, 0);
		/* Pairs with heap_shelf_shards(). */
		smp_store_release(&shelf->shards, shelf->shards + 1);
		shard = NULL;
	}
	core_unlock(&heap->lock);
	heap_kfree(heap, shard, sizeof(*shard));
}

static void shard_lock(struct heap_shelf *shelf, struct heap_shard *shard)
	__acquires(&shard->lock)
{
	if (core_trylock(&shard->lock))
		return;
	/* Lost counts are no harm. */
	WRITE_ONCE(shelf->contended, READ_ONCE(shelf->contended) + 1);
	core_lock(&shard->lock);
}

/* Slots. */

/* Takes what slots there are, from the shard that the hint selects first. */
static u32 shelf_take(struct heap_shelf *shelf, u32 hint, u64 *offsets, u32 n)
{
	u32 i, more, got = 0, shards = heap_shelf_shards(shelf);

	for (i = 0; i < shards && got < n; i++) {
		struct heap_shard *shard = shelf->shard[(hint % shards + i) % shards];

		if (!READ_ONCE(shard->slots.room))
			continue;
		shard_lock(shelf, shard);
		more = slots_take(&shard->slots, offsets + got, n - got);
		shard->stat.used += more;
		shard->stat.requests += more;
		core_unlock(&shard->lock);
		got += more;
	}
	return got;
}

/*
 * Puts a fresh slab onto its shelf, after taking from it: at once, as others
 * may have been freed or used up since there was none with room.
 */
static u32 shard_add_slab(struct heap_shard *shard, struct slab *slab, u64 *offsets, u32 n)
{
	u32 got;

	core_lock(&shard->lock);
	got = slab_take(slab, offsets, n);
	slots_settle(&shard->slots, slab);	/* not empty: nothing surplus */
	shard->stat.slabs++;
	shard->stat.used += got;
	shard->stat.requests += got;
	core_unlock(&shard->lock);
	return got;
}

static void shelf_note_failed(struct heap *heap, u32 class, const struct heap_request *req, u32 n)
{
	struct heap_shelf *shelf = heap_shelf(req->owner ?: &heap->nobody, class, req->group);
	struct heap_shard *shard;

	if (!shelf) {
		atomic64_add(n, &heap->lost);
		return;
	}
	shard = shelf->shard[req->hint % heap_shelf_shards(shelf)];
	core_lock(&shard->lock);
	shard->stat.requests += n;
	shard->stat.failures += n;
	core_unlock(&shard->lock);
}

static int alloc_slots(struct heap *heap, u32 class, const struct heap_request *req,
		       u64 *offsets, u32 n)
{
	struct heap_shelf *shelf = request_shelf(heap, req, class);
	u32 got, shard, tag = req->owner ? req->owner->tag : 0;
	struct slab *slab;
	int err = 0;

	if (!shelf)
		return -ENOMEM;
	got = shelf_take(shelf, req->hint, offsets, n);
	while (got < n) {
		shard = req->hint % heap_shelf_shards(shelf);
		err = heap_slab_create(heap, SLAB_HOME(class, req->group, shard) | SLAB_OWNER(tag),
				       &slab);
		if (err)
			break;
		got += shard_add_slab(shelf->shard[shard], slab, offsets + got, n - got);
		atomic64_add(1, &heap->turnover);
	}
	/* Others may have given some back, or made a slab, in the meantime. */
	if (err == -ENOMEM)
		got += shelf_take(shelf, req->hint, offsets + got, n - got);
	if (READ_ONCE(shelf->contended) >= SHARD_PATIENCE)
		shelf_add_shard(heap, req->owner ?: &heap->nobody, shelf);
	return got ? got : err;
}

/* Spans. */

static int alloc_spans(struct heap *heap, const struct heap_request *req, u64 *offsets, u32 n)
{
	u64 first, pages = class_span_pages(req->bytes);
	u32 got, tag = req->owner ? req->owner->tag : 0;
	int err = 0;

	for (got = 0; got < n; got++) {
		err = heap_span_create(heap, pages, req->group, tag, &first);
		if (err)
			break;
		offsets[got] = first << PAGE_SHIFT;
	}
	return got ? got : err;
}

static void spans_note_failed(struct heap *heap, u32 group, u32 n)
{
	core_lock(&heap->lock);
	heap->spans[group].requests += n;
	heap->spans[group].failures += n;
	core_unlock(&heap->lock);
}

/* Either. */

static bool request_valid(const struct heap *heap, const struct heap_request *req, u32 n)
{
	return n && n <= HEAP_BATCH_MAX && !heap->owners == !req->owner && req->bytes &&
	       req->group < CLASS_GROUPS &&
	       (!req->align || (is_power_of_2(req->align) && req->align <= PAGE_SIZE));
}

u64 heap_turnover(const struct heap *heap)
{
	return atomic64_read(&heap->turnover);
}

void heap_note_failed(struct heap *heap, const struct heap_request *req, u32 n)
{
	u32 class = class_for(req->bytes, req->align);

	if (!n)
		return;
	if (class == CLASS_SPAN)
		spans_note_failed(heap, req->group, n);
	else
		shelf_note_failed(heap, class, req, n);
}

int heap_alloc(struct heap *heap, const struct heap_request *req, u64 *offsets, u32 n)
{
	u32 class;
	int got;

	if (!request_valid(heap, req, n))
		return -EINVAL;
	class = class_for(req->bytes, req->align);
	got = class == CLASS_SPAN ? alloc_spans(heap, req, offsets, n) :
				    alloc_slots(heap, class, req, offsets, n);
	if (got < (int)n)
		heap_note_failed(heap, req, got < 0 ? n : n - got);
	return got;
}
