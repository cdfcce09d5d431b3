// SPDX-License-Identifier: GPL-2.0
/*
 * What lives where, and frees.
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
 * @entry: the entry
 * @first: index of the first of them
 * @end: index of the next offset after them
 */
struct bunch {
	union {
		const u64 *where;
		u64 entry;
	};
	u32 first;
	u32 end;
};

/**
 * struct batch - a batch of frees
 * @heap: the heap
 * @offsets: what to free
 * @n: how many
 * @bunches: bunches that are still to do
 * @spans: how many of them are on spans; the others are on slabs
 * @freed: offsets that were freed
 * @bad: the first that was refused; @n if there is none
 * @bytes: 0, or the size all of them were requested with
 * @trash: slabs that have become surplus
 * @bunch: the bunches
 */
struct batch {
	struct heap *heap;
	const u64 *offsets;
	u32 n;
	u32 bunches;
	u32 spans;
	u32 freed;
	u32 bad;
	u64 bytes;
	struct heap_trash trash;
	struct bunch bunch[HEAP_BATCH_MAX];
};

static void refuse(struct batch *batch, u32 i, enum heap_refusal refusal)
{
	atomic64_add(1, &batch->heap->refused[refusal]);
	batch->bad = min(batch->bad, i);
}

/* Looking up. */

/*
 * Why nothing starts at an offset whose page has no entry. A page that is
 * taken and has none lies inside a span. On a page that is busy, nothing lives
 * yet or any more.
 */
static enum heap_refusal why_nothing(struct heap *heap, u64 offset)
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
	const u64 *offsets = batch->offsets;
	u64 page, next = offsets[0] >> PAGE_SHIFT;
	u32 i = 0, n = batch->n;

	do {
		page = next;
		bunch->first = i;
		bunch->where = dir_where(node, height, page);
		prefetch(bunch->where);
		do {
			if (++i == n)
				break;
			next = offsets[i] >> PAGE_SHIFT;
		} while (next == page);
		bunch++->end = i;
	} while (i < n);
	batch->bunches = bunch - batch->bunch;
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

/* Leaves in each bunch what it is on. Returns how many are on no slab. */
static u32 look_up_entries(struct batch *batch)
{
	struct bunch *bunch, *end = batch->bunch + batch->bunches;
	u32 others = 0;
	u64 entry;

	for (bunch = batch->bunch; bunch < end; bunch++) {
		entry = READ_ONCE(*bunch->where);
		bunch->entry = entry;
		if (likely(dir_is_slab(entry)))
			prefetch(dir_slab_of(entry));
		else
			others++;
	}
	return others;
}

/* Refuses what is on pages that have no entry, and keeps the other bunches. */
static void refuse_nothing(struct batch *batch)
{
	struct bunch *bunch = batch->bunch, *end = bunch + batch->bunches, *kept = bunch;
	u32 i;

	for (; bunch < end; bunch++) {
		if (dir_is_slab(bunch->entry) || dir_is_span(bunch->entry)) {
			batch->spans += dir_is_span(bunch->entry);
			*kept++ = *bunch;
			continue;
		}
		for (i = bunch->first; i < bunch->end; i++)
			refuse(batch, i, why_nothing(batch->heap, batch->offsets[i]));
	}
	batch->bunches = kept - batch->bunch;
}

static void look_up(struct batch *batch)
{
	look_up_places(batch);
	batch->spans = 0;
	if (unlikely(look_up_entries(batch)))
		refuse_nothing(batch);
}

int heap_find(struct heap *heap, u64 offset, struct heap_object *object)
{
	struct heap_shard *shard;
	struct slab *slab;
	u64 entry = 0, i;
	bool live;

	rcu_read_lock();
	if (offset >> PAGE_SHIFT < heap->pages.count)
		entry = dir_get(&heap->dir, offset >> PAGE_SHIFT);
	slab = dir_slab(entry);
	object->offset = offset;
	if (slab) {
		shard = heap_shard(heap, slab);
		core_lock(&shard->lock);
		live = slab_slot(slab, offset, &i) && slab_slot_taken(slab, i);
		core_unlock(&shard->lock);
		object->class = slab_class(slab);
		object->group = slab_group(slab);
		object->bytes = class_table[object->class].slot_bytes;
	} else {
		live = dir_is_span(entry) && !(offset & (PAGE_SIZE - 1));
		object->class = CLASS_SPAN;
		object->group = dir_span_group(entry);
		object->bytes = dir_span_pages(entry) << PAGE_SHIFT;
	}
	rcu_read_unlock();
	return live ? 0 : -EINVAL;
}

/* Giving back. */

/* Whether objects of a class are what some request for @bytes would have got. */
static bool class_fits(u32 class, u64 bytes)
{
	return !bytes || class_for(bytes, class_align(class)) == class;
}

static bool span_fits(u64 span, u64 bytes)
{
	return !bytes || (class_fits(CLASS_SPAN, bytes) &&
			  class_span_pages(bytes) == dir_span_pages(span));
}

/* Where an object begins is where every smallest slot could. */
static enum heap_refusal why_interior(u64 offset)
{
	return offset % CLASS_SLOT_MIN ? HEAP_BAD_MISALIGNED : HEAP_BAD_INTERIOR;
}

/* Why an offset of a slab was not freed. */
static noinline void refuse_slot(struct batch *batch, u32 i, const struct slab *slab)
{
	u64 index;

	if (!slab_slot(slab, batch->offsets[i], &index))
		refuse(batch, i, why_interior(batch->offsets[i]));
	else if (!slab_slot_taken(slab, index))
		refuse(batch, i, HEAP_BAD_NOT_LIVE);
	else
		refuse(batch, i, HEAP_BAD_BYTES);
}

/* Gives back the slots that a bunch names. Returns how many. */
static noinline u32 give_bunch(struct batch *batch, const struct bunch *bunch, struct slab *slab)
{
	u32 i, n, freed = 0;

	for (i = bunch->first; i < bunch->end; i++) {
		n = slab_give_many(slab, batch->offsets + i, bunch->end - i);
		freed += n;
		i += n;
		if (i < bunch->end)
			refuse_slot(batch, i, slab);
	}
	return freed;
}

/* Refuses all of a bunch, whose size is not what was stated. */
static noinline void refuse_bunch(struct batch *batch, const struct bunch *bunch,
				  const struct slab *slab)
{
	u32 i;

	for (i = bunch->first; i < bunch->end; i++)
		refuse_slot(batch, i, slab);
}

static void add_surplus(struct batch *batch, struct heap_shard *shard, struct slab *surplus)
{
	list_add(&surplus->link, &batch->trash.surplus);
	shard->stat.slabs--;
}

/* Gives back all bunches that belong to the same shard as the first on a slab. */
static noinline void give_slots(struct batch *batch)
{
	struct bunch *bunch = batch->bunch, *end = bunch + batch->bunches, *kept;
	const u64 *offsets = batch->offsets;
	struct slab *slab, *surplus;
	struct heap_shard *shard;
	struct class_info info;
	u32 home, freed = 0;
	bool fits;

	while (!dir_is_slab(bunch->entry))
		bunch++;
	slab = dir_slab_of(bunch->entry);
	home = slab->home;
	info = class_table[slab_class(slab)];
	fits = class_fits(slab_class(slab), batch->bytes);
	shard = heap_shard(batch->heap, slab);

	core_lock(&shard->lock);
	for (kept = bunch; bunch < end; bunch++) {
		slab = dir_slab_of(bunch->entry);
		if (unlikely(!dir_is_slab(bunch->entry) || slab->home != home)) {
			*kept++ = *bunch;
			continue;
		}
		if (unlikely(!fits))
			refuse_bunch(batch, bunch, slab);
		else if (bunch->end - bunch->first == 1 &&
			 likely(slab_give(slab, &info, offsets[bunch->first])))
			freed++;
		else
			freed += give_bunch(batch, bunch, slab);
		surplus = slots_given(&shard->slots, slab, &info);
		if (unlikely(surplus))
			add_surplus(batch, shard, surplus);
	}
	shard->stat.used -= freed;
	shard->stat.frees += freed;
	if (shard->slots.held)
		heap_note_idle(batch->heap);
	core_unlock(&shard->lock);
	batch->freed += freed;
	batch->bunches = kept - batch->bunch;
}

/* Gives back the span that begins at an offset, which was looked up before. */
static void give_span(struct batch *batch, u32 i)
{
	u64 offset = batch->offsets[i], page = offset >> PAGE_SHIFT;
	struct heap *heap = batch->heap;
	u64 span = dir_get(&heap->dir, page);

	if (offset & (PAGE_SIZE - 1)) {
		refuse(batch, i, why_interior(offset));
	} else if (!dir_is_span(span)) {
		refuse(batch, i, HEAP_BAD_NOT_LIVE);
	} else if (!span_fits(span, batch->bytes)) {
		refuse(batch, i, HEAP_BAD_BYTES);
	} else {
		heap_span_release(heap, page, dir_span_pages(span), dir_span_group(span));
		batch->freed++;
	}
}

static void give_spans(struct batch *batch)
{
	struct heap *heap = batch->heap;
	const struct bunch *bunch;
	u32 i;

	core_lock(&heap->lock);
	for (bunch = batch->bunch; bunch < batch->bunch + batch->bunches; bunch++)
		for (i = bunch->first; i < bunch->end; i++)
			give_span(batch, i);
	heap_unlock(heap, &batch->trash);
}

int heap_free(struct heap *heap, const u64 *offsets, u32 n, u64 bytes, u32 *bad)
{
	struct batch batch;

	if (!n || n > HEAP_BATCH_MAX)
		return -EINVAL;
	batch.heap = heap;
	batch.offsets = offsets;
	batch.n = n;
	batch.bytes = bytes;
	batch.freed = 0;
	batch.bad = n;
	heap_trash_init(&batch.trash);

	rcu_read_lock();
	look_up(&batch);
	while (batch.bunches > batch.spans)
		give_slots(&batch);
	rcu_read_unlock();
	if (batch.spans)
		give_spans(&batch);
	heap_release_surplus(heap, &batch.trash);
	heap_note_empty(heap);
	*bad = batch.bad;
	return batch.freed;
}
