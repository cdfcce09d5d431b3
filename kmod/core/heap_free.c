// SPDX-License-Identifier: GPL-2.0
/*
 * What lives where, and frees.
 *
 * An offset that comes from outside is believed in nothing. Directory and
 * bitmaps alone decide whether an object starts there, in time that does not
 * depend on the heap.
 *
 * A batch is looked up as a whole before any lock is taken, in groups of
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
 * struct group - neighbours in a batch that lie on one page
 * @where: place of the page's entry in the directory, or NULL; then
 * @entry: the entry, 0 once the group is done with
 * @end: index of the first offset after them
 */
struct group {
	union {
		const u64 *where;
		u64 entry;
	};
	u32 end;
};

/**
 * struct batch - a batch of frees
 * @heap: the heap
 * @offsets: what to free
 * @n: how many
 * @groups: groups of them
 * @slots: groups on slabs that are still to do
 * @spans: groups on spans
 * @freed: offsets that were freed
 * @bad: the first that was refused; @n if there is none
 * @bytes: 0, or the size all of them were requested with
 * @trash: slabs that have become surplus
 * @group: the groups
 */
struct batch {
	struct heap *heap;
	const u64 *offsets;
	u32 n;
	u32 groups;
	u32 slots;
	u32 spans;
	u32 freed;
	u32 bad;
	u64 bytes;
	struct heap_trash trash;
	struct group group[HEAP_BATCH_MAX];
};

static u32 group_first(const struct batch *batch, u32 g)
{
	return g ? batch->group[g - 1].end : 0;
}

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

static u32 look_up_places(struct batch *batch)
{
	struct dir_view view = dir_view(&batch->heap->dir);
	struct group *group = batch->group;
	const u64 *offsets = batch->offsets;
	u64 page, next = offsets[0] >> PAGE_SHIFT;
	u32 i, n = batch->n;

	for (i = 0; i < n; group++) {
		page = next;
		do {
			if (++i == n)
				break;
			next = offsets[i] >> PAGE_SHIFT;
		} while (next == page);
		group->end = i;
		group->where = dir_where(view, page);
		prefetch(group->where);
	}
	return group - batch->group;
}

static void refuse_nothing(struct batch *batch, u32 i, u32 end)
{
	for (; i < end; i++)
		refuse(batch, i, why_nothing(batch->heap, batch->offsets[i]));
}

/* Leaves in each group the slab or span that it is on. */
static void look_up(struct batch *batch)
{
	u32 g, groups = look_up_places(batch), slots = 0, spans = 0;
	struct group *group = batch->group;
	u64 entry;

	for (g = 0; g < groups; g++, group++) {
		entry = group->where ? READ_ONCE(*group->where) : 0;
		group->entry = entry;
		if (likely(dir_slab(entry))) {
			prefetch(dir_slab(entry));
			slots++;
		} else if (dir_is_span(entry)) {
			spans++;
		} else {
			refuse_nothing(batch, group_first(batch, g), group->end);
			group->entry = 0;
		}
	}
	batch->groups = groups;
	batch->slots = slots;
	batch->spans = spans;
}

int heap_find(struct heap *heap, u64 offset, struct heap_object *object)
{
	struct heap_shard *shard;
	struct slab *slab;
	u64 entry = 0;
	bool live;
	u32 i;

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
static void refuse_slot(struct batch *batch, u32 i, const struct slab *slab)
{
	u32 index;

	if (!slab_slot(slab, batch->offsets[i], &index))
		refuse(batch, i, why_interior(batch->offsets[i]));
	else if (!slab_slot_taken(slab, index))
		refuse(batch, i, HEAP_BAD_NOT_LIVE);
	else
		refuse(batch, i, HEAP_BAD_BYTES);
}

/*
 * Gives back the slots of one slab that offsets [i, end) name, and puts the slab
 * where it belongs then. Returns how many.
 */
static inline u32 give_group(struct batch *batch, u32 i, u32 end, struct slab *slab,
			     struct heap_shard *shard, const struct class_info *info)
{
	u64 start = (u64)slab->page << PAGE_SHIFT;
	const u64 *offsets = batch->offsets;
	struct slab *surplus;
	u32 index, freed = 0;

	do {
		if (likely(class_slot_index(info, offsets[i] - start, &index) &&
			   slab_slot_taken(slab, index))) {
			slab_give(slab, index);
			freed++;
		} else {
			refuse_slot(batch, i, slab);
		}
	} while (++i < end);
	surplus = likely(freed) ? slots_given(&shard->slots, slab, info) : NULL;
	if (unlikely(surplus)) {
		list_add(&surplus->link, &batch->trash.surplus);
		shard->stat.slabs--;
	}
	return freed;
}

/* Refuses all of a group, whose size is not what was stated. */
static u32 refuse_group(struct batch *batch, u32 i, u32 end, const struct slab *slab)
{
	for (; i < end; i++)
		refuse_slot(batch, i, slab);
	return 0;
}

/* Gives back all groups, from the g-th on, that belong to the shard of the g-th. */
static void give_slots(struct batch *batch, u32 g)
{
	struct group *group = batch->group + g, *groups_end = batch->group + batch->groups;
	struct slab *slab = dir_slab(group->entry);
	struct heap_shard *shard = heap_shard(batch->heap, slab);
	const struct class_info *info = &class_table[slab_class(slab)];
	bool fits = class_fits(slab_class(slab), batch->bytes);
	u32 i, end = group_first(batch, g), home = slab->home, freed = 0, done = 0;

	core_lock(&shard->lock);
	for (; group < groups_end; group++) {
		i = end;
		end = group->end;
		slab = dir_slab(group->entry);
		if (unlikely(!slab || slab->home != home))
			continue;
		group->entry = 0;
		done++;
		freed += likely(fits) ? give_group(batch, i, end, slab, shard, info) :
					refuse_group(batch, i, end, slab);
	}
	shard->stat.used -= freed;
	shard->stat.frees += freed;
	if (shard->slots.held)
		heap_note_idle(batch->heap);
	core_unlock(&shard->lock);
	batch->freed += freed;
	batch->slots -= done;
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
	u32 i, g;

	core_lock(&heap->lock);
	for (g = 0; g < batch->groups; g++)
		if (dir_is_span(batch->group[g].entry))
			for (i = group_first(batch, g); i < batch->group[g].end; i++)
				give_span(batch, i);
	heap_unlock(heap, &batch->trash);
}

int heap_free(struct heap *heap, const u64 *offsets, u32 n, u64 bytes, u32 *bad)
{
	struct batch batch;
	u32 g;

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
	for (g = 0; batch.slots; g++)
		if (dir_slab(batch.group[g].entry))
			give_slots(&batch, g);
	rcu_read_unlock();
	if (batch.spans)
		give_spans(&batch);
	heap_release_surplus(heap, &batch.trash);
	heap_note_empty(heap);
	*bad = batch.bad;
	return batch.freed;
}
