// SPDX-License-Identifier: GPL-2.0
/*
 * Frees, where there are no owners.
 *
 * An offset that comes from outside is believed in nothing. Directory and
 * bitmaps alone decide whether an object starts there, in time that does not
 * depend on the heap.
 *
 * A batch is looked up as a whole before any lock is taken, in bunches of
 * neighbours on one page: first the places of all directory entries, then the
 * entries, then the descriptors, each prefetched while the others are on their
 * way, as a batch of long-lived objects finds none of them in the processor's
 * cache. Then the slots are given back shard by shard, under one lock each, and
 * the spans under the pages lock, which is dropped while the memory of one is
 * released: so each is looked at afresh.
 */
#include "core_env.h"
#include "heap_impl.h"

/**
 * struct bunch - neighbours in a batch that lie on one page
 * @where: place of the page's entry in the directory; then
 * @slab: the slab to give them back to, or &nobodys if there is none
 * @first: index of the first of them; the next bunch begins after them
 */
struct bunch {
	union {
		const u64 *where;
		struct slab *slab;
	};
	u64 first;
};

/**
 * struct batch - a batch of frees
 * @heap: the heap
 * @offsets: what to free
 * @bytes: 0, or the size all of them were requested with
 * @n: how many
 * @end: the end of the bunches; it has a @first too
 * @freed: offsets that were freed
 * @refused: offsets that were refused
 * @bad: the first of these; @n if there is none
 * @spans: offsets that are on spans
 * @span: their indices
 * @trash: slabs that have become surplus
 * @bunch: the bunches
 */
struct batch {
	struct heap *heap;
	const u64 *offsets;
	u64 bytes;
	u32 n;
	struct bunch *end;
	u32 freed;
	u32 refused;
	u32 bad;
	u32 spans;
	u8 span[HEAP_BATCH_MAX];
	struct heap_trash trash;
	struct bunch bunch[HEAP_BATCH_MAX + 1];
};

/* A slab that is of no shard; never written. */
static struct slab nobodys = { .home = U32_MAX };

void heap_refuse(struct heap *heap, enum heap_refusal why)
{
	atomic64_add(1, &heap->refused[why]);
}

static void refuse(struct batch *batch, u32 i, enum heap_refusal refusal)
{
	heap_refuse(batch->heap, refusal);
	batch->refused++;
	batch->bad = min(batch->bad, i);
}

/* Looking up. */

/*
 * A page that is taken and has no entry lies inside a span. On a page that is
 * busy, nothing lives yet or any more.
 */
enum heap_refusal heap_why_nothing(struct heap *heap, u64 offset)
{
	u64 page = offset >> PAGE_SHIFT;
	bool inside;

	if (!offset || page >= heap->pages.count)
		return HEAP_BAD_OUTSIDE;
	if (offset % CLASS_SLOT_MIN)
		return HEAP_BAD_MISALIGNED;
	core_lock(&heap->lock);
	inside = heap_page_locked(heap, page) == HEAP_PAGE_TAKEN && !dir_get(&heap->dir, page);
	core_unlock(&heap->lock);
	return inside ? HEAP_BAD_INTERIOR : HEAP_BAD_NOT_LIVE;
}

/* Finds the bunches, and where the entries of their pages are. */
static __always_inline void find_places(struct batch *batch, const struct dir_node *node,
					u32 height)
{
	struct bunch *bunch = batch->bunch;
	u64 i, next, page = ~0ULL;

	for (i = 0; i < batch->n; i++) {
		next = batch->offsets[i] >> PAGE_SHIFT;
		if (next == page)
			continue;
		page = next;
		bunch->first = i;
		bunch->where = dir_where(node, height, page);
		prefetch(bunch->where);
		bunch++;
	}
	bunch->first = i;
	batch->end = bunch;
}

/* The same with the height as a constant, which saves a third of the time. */
static void look_up_places(struct batch *batch)
{
	struct dir_view view = dir_view(&batch->heap->dir);

	switch (view.height) {
	case 0:
		find_places(batch, view.node, 0);
		break;
	case 1:
		find_places(batch, view.node, 1);
		break;
	case 2:
		find_places(batch, view.node, 2);
		break;
	default:
		find_places(batch, view.node, 3);
	}
}

/* Takes note of a bunch that is on no slab. */
static noinline void note_other(struct batch *batch, struct bunch *bunch, u64 entry)
{
	u32 i;

	bunch->slab = &nobodys;
	for (i = bunch->first; i < bunch[1].first; i++)
		if (dir_is_span(entry))
			batch->span[batch->spans++] = i;
		else
			refuse(batch, i, heap_why_nothing(batch->heap, batch->offsets[i]));
}

static void look_up_slabs(struct batch *batch)
{
	struct bunch *bunch;
	u64 entry;

	for (bunch = batch->bunch; bunch < batch->end; bunch++) {
		entry = READ_ONCE(*bunch->where);
		if (unlikely(!dir_is_slab(entry))) {
			note_other(batch, bunch, entry);
			continue;
		}
		bunch->slab = dir_slab_of(entry);
		prefetch(bunch->slab);
	}
}

/* Giving back. */

/* Why an offset of a slab was not freed. */
static noinline void refuse_slot(struct batch *batch, u32 i, const struct slab *slab)
{
	u64 index;

	if (!slab_slot(slab, batch->offsets[i], &index))
		refuse(batch, i, heap_why_interior(batch->offsets[i]));
	else if (!slab_slot_taken(slab, index))
		refuse(batch, i, HEAP_BAD_NOT_LIVE);
	else
		refuse(batch, i, HEAP_BAD_BYTES);
}

/* Gives back the slots that a bunch names. */
static noinline void give_bunch(struct batch *batch, const struct bunch *bunch)
{
	u32 i, n, end = bunch[1].first;

	for (i = bunch->first; i < end; i++) {
		n = slab_give_many(bunch->slab, batch->offsets + i, end - i);
		batch->freed += n;
		i += n;
		if (i < end)
			refuse_slot(batch, i, bunch->slab);
	}
}

static void add_surplus(struct batch *batch, struct heap_shard *shard, struct slab *surplus)
{
	list_add(&surplus->link, &batch->trash.surplus);
	shard->stat.slabs--;
}

/* Gives back the slots of one shard, from its first bunch on. */
static noinline void give_to_shard(struct batch *batch, struct heap_shard *shard,
				   const struct bunch *bunch)
{
	const struct class_info info = class_table[slab_class(bunch->slab)];
	const u64 *offsets = batch->offsets;
	u32 home = bunch->slab->home, freed = 0;
	struct slab *slab, *surplus;

	for (; bunch < batch->end; bunch++) {
		slab = bunch->slab;
		if (unlikely(slab->home != home))
			continue;
		if (likely(bunch[1].first == bunch->first + 1 &&
			   slab_give(slab, &info, offsets[bunch->first])))
			freed++;
		else
			give_bunch(batch, bunch);
		surplus = slots_given(&shard->slots, slab, &info);
		if (unlikely(surplus))
			add_surplus(batch, shard, surplus);
	}
	batch->freed += freed;
}

/* Refuses the slots of one shard, whose size is not what was stated. */
static noinline void refuse_shard(struct batch *batch, const struct bunch *bunch)
{
	u32 i, home = bunch->slab->home;

	for (; bunch < batch->end; bunch++)
		for (i = bunch->first; i < bunch[1].first && bunch->slab->home == home; i++)
			refuse_slot(batch, i, bunch->slab);
}

/* Takes note that all slots of one shard are done. */
static noinline void shard_done(struct batch *batch, struct bunch *bunch)
{
	u32 home = bunch->slab->home;

	for (; bunch < batch->end; bunch++)
		if (bunch->slab->home == home)
			bunch->slab = &nobodys;
}

static bool batch_left(const struct batch *batch)
{
	return batch->freed + batch->refused + batch->spans < batch->n;
}

/* Gives back all slots that belong to the same shard as the first. */
static void give_slots(struct batch *batch)
{
	struct bunch *bunch = batch->bunch;
	struct heap_shard *shard;
	u32 freed = batch->freed;

	while (bunch->slab == &nobodys)
		bunch++;
	shard = heap_shard(batch->heap, bunch->slab);

	core_lock(&shard->lock);
	if (likely(heap_class_fits(slab_class(bunch->slab), batch->bytes)))
		give_to_shard(batch, shard, bunch);
	else
		refuse_shard(batch, bunch);
	freed = batch->freed - freed;
	shard->stat.used -= freed;
	shard->stat.frees += freed;
	if (shard->slots.held)
		heap_note_idle(batch->heap);
	core_unlock(&shard->lock);
	if (unlikely(batch_left(batch)))
		shard_done(batch, bunch);
}

/* Gives back the span that begins at an offset, which was looked up before. */
static void give_span(struct batch *batch, u32 i)
{
	u64 offset = batch->offsets[i], page = offset >> PAGE_SHIFT;
	struct heap *heap = batch->heap;
	u64 span = dir_get(&heap->dir, page);

	if (offset & (PAGE_SIZE - 1)) {
		refuse(batch, i, heap_why_interior(offset));
	} else if (!dir_is_span(span)) {
		refuse(batch, i, HEAP_BAD_NOT_LIVE);
	} else if (!heap_span_fits(span, batch->bytes)) {
		refuse(batch, i, HEAP_BAD_BYTES);
	} else {
		heap_span_release(heap, page, span);
		batch->freed++;
	}
}

static void give_spans(struct batch *batch)
{
	struct heap *heap = batch->heap;
	u32 i;

	core_lock(&heap->lock);
	for (i = 0; i < batch->spans; i++)
		give_span(batch, batch->span[i]);
	heap_unlock(heap, &batch->trash);
}

int heap_free(struct heap *heap, const u64 *offsets, u32 n, u64 bytes, u32 *bad)
{
	struct batch batch core_uncleared;

	if (!n || n > HEAP_BATCH_MAX)
		return -EINVAL;
	batch.heap = heap;
	batch.offsets = offsets;
	batch.bytes = bytes;
	batch.n = n;
	batch.freed = 0;
	batch.refused = 0;
	batch.bad = n;
	batch.spans = 0;
	heap_trash_init(&batch.trash);

	rcu_read_lock();
	look_up_places(&batch);
	look_up_slabs(&batch);
	while (batch_left(&batch))
		give_slots(&batch);
	rcu_read_unlock();
	if (batch.spans)
		give_spans(&batch);
	heap_release_surplus(heap, &batch.trash);
	heap_note_empty(heap);
	*bad = batch.bad;
	return batch.freed;
}
