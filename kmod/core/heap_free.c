// SPDX-License-Identifier: GPL-2.0
/*
 * Frees, where there are no owners.
 *
 * An offset that comes from outside is believed in nothing. Directory and
 * bitmaps alone decide whether an object starts there, in time that does not
 * depend on the heap.
 *
 * A batch passes through three stages, a step of some offsets after the other: the
 * places of their directory entries are found, two steps on these are read, and
 * the descriptors they point to, and one more on slots are given back. Each stage
 * prefetches what the next will read, as a batch of long-lived objects finds none
 * of it in the processor's cache; a step is as much as a processor can have on its
 * way at once. Neighbours on one page are a *bunch* and looked up once.
 *
 * The first pass gives back the slots of one shard, under its lock. Slots of other
 * shards, which are then all looked up, follow shard by shard, and what is on no
 * slab last, under the pages lock, which is dropped while the memory of a span is
 * released: so each is looked at afresh.
 */
#include "core_env.h"
#include "heap_impl.h"

/* Offsets in a step, and how many steps there can be. */
#define STEP		16U
#define STEPS_MAX	DIV_ROUND_UP(HEAP_BATCH_MAX, STEP)

/**
 * struct bunch - neighbours in a step that lie on one page
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
 * @view: its directory
 * @offsets: what to free
 * @bytes: 0, or the size all of them were requested with
 * @n: how many
 * @steps: steps of them
 * @placed: those whose places are found
 * @looked: those that are looked up
 * @freed: offsets that were freed
 * @refused: offsets that were refused
 * @bad: the first of these; @n if there is none
 * @others: offsets that are on no slab
 * @other: their indices
 * @surplus: slabs that have become surplus
 * @step: where the bunches of a step begin, after those of the step before
 * @bunch: the bunches, and one that has a @first only
 */
struct batch {
	struct heap *heap;
	struct dir_view view;
	const u64 *offsets;
	u64 bytes;
	u32 n;
	u32 steps;
	u32 placed;
	u32 looked;
	u32 freed;
	u32 refused;
	u32 bad;
	u32 others;
	u8 other[HEAP_BATCH_MAX];
	struct list_head surplus;
	struct bunch *step[STEPS_MAX + 1];
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
static enum heap_refusal why_nothing(struct heap *heap, u64 offset)
{
	u64 page = offset >> PAGE_SHIFT;

	if (!offset || page >= heap->pages.count)
		return HEAP_BAD_OUTSIDE;
	if (offset % CLASS_SLOT_MIN)
		return HEAP_BAD_MISALIGNED;
	if (heap_page_locked(heap, page) == HEAP_PAGE_TAKEN && !dir_get(&heap->dir, page))
		return HEAP_BAD_INTERIOR;
	return HEAP_BAD_NOT_LIVE;
}

enum heap_refusal heap_why_nothing(struct heap *heap, u64 offset)
{
	enum heap_refusal why;

	core_lock(&heap->lock);
	why = why_nothing(heap, offset);
	core_unlock(&heap->lock);
	return why;
}

/* Finds the bunches of a step, and where the entries of their pages are. */
static __always_inline void find_places(struct batch *batch, u32 height)
{
	u64 i = batch->placed * STEP, end = min_t(u64, batch->n, i + STEP), next, page = ~0ULL;
	struct bunch *bunch = batch->step[batch->placed];
	const struct dir_node *node = batch->view.node;
	const u64 *offsets = batch->offsets;

	for (; i < end; i++) {
		next = offsets[i] >> PAGE_SHIFT;
		if (next == page)
			continue;
		page = next;
		bunch->first = i;
		bunch->where = dir_where(node, height, page);
		prefetch(bunch->where);
		bunch++;
	}
	bunch->first = i;
	batch->step[++batch->placed] = bunch;
}

/* The same with the height as a constant, which saves a third of the time. */
static void look_up_places(struct batch *batch)
{
	switch (batch->view.height) {
	case 0:
		find_places(batch, 0);
		break;
	case 1:
		find_places(batch, 1);
		break;
	case 2:
		find_places(batch, 2);
		break;
	default:
		find_places(batch, 3);
	}
}

/* Takes note of a bunch that is on no slab. */
static noinline void note_other(struct batch *batch, struct bunch *bunch)
{
	u32 i;

	bunch->slab = &nobodys;
	for (i = bunch->first; i < bunch[1].first; i++)
		batch->other[batch->others++] = i;
}

/* Looks up a step, whose places are found. */
static void look_up_slabs(struct batch *batch)
{
	struct bunch *bunch = batch->step[batch->looked], *end = batch->step[batch->looked + 1];
	u64 entry;

	for (; bunch < end; bunch++) {
		entry = READ_ONCE(*bunch->where);
		if (unlikely(!dir_is_slab(entry))) {
			note_other(batch, bunch);
			continue;
		}
		bunch->slab = dir_slab_of(entry);
		prefetch(bunch->slab);
	}
	batch->looked++;
}

/* Looks up one step more, and the places of the one after it. */
static __always_inline void look_ahead(struct batch *batch)
{
	if (batch->looked == batch->steps)
		return;
	if (batch->placed < batch->steps)
		look_up_places(batch);
	look_up_slabs(batch);
}

/* The end of the bunches that are looked up. */
static struct bunch *looked_end(const struct batch *batch)
{
	return batch->step[batch->looked];
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

/* Puts a slab that slots were given back to where it belongs. */
static noinline void settle(struct batch *batch, struct heap_shard *shard, struct slab *slab)
{
	struct slab *surplus = slots_settle(&shard->slots, slab);

	if (!surplus)
		return;
	list_add(&surplus->link, &batch->surplus);
	shard->stat.slabs--;
}

/* Gives back the slots of one shard, from its first bunch on; looks up all others. */
static noinline void give_to_shard(struct batch *batch, struct heap_shard *shard,
				   const struct bunch *bunch)
{
	const struct class_info info = class_table[slab_class(bunch->slab)];
	u32 home = bunch->slab->home, freed = 0;
	const u64 *offsets = batch->offsets;
	const struct bunch *end;
	struct slab *slab;

	do {
		end = looked_end(batch);
		look_ahead(batch);
		for (; bunch < end; bunch++) {
			slab = bunch->slab;
			if (unlikely(slab->home != home))
				continue;
			if (likely(bunch[1].first == bunch->first + 1 &&
				   slab_give(slab, &info, offsets[bunch->first])))
				freed++;
			else
				give_bunch(batch, bunch);
			if (unlikely(!slots_given(&shard->slots, slab, &info)))
				settle(batch, shard, slab);
		}
	} while (end < looked_end(batch));
	batch->freed += freed;
}

/* Refuses the slots of one shard, whose size is not what was stated. */
static noinline void refuse_shard(struct batch *batch, const struct bunch *bunch)
{
	u32 i, home = bunch->slab->home;

	for (; bunch < looked_end(batch); bunch++)
		for (i = bunch->first; i < bunch[1].first && bunch->slab->home == home; i++)
			refuse_slot(batch, i, bunch->slab);
}

/* Takes note that all slots of one shard that are looked up are done. */
static noinline void shard_done(struct batch *batch, struct bunch *bunch)
{
	u32 home = bunch->slab->home;

	for (; bunch < looked_end(batch); bunch++)
		if (bunch->slab->home == home)
			bunch->slab = &nobodys;
}

static bool batch_left(const struct batch *batch)
{
	return batch->freed + batch->refused + batch->others < batch->n;
}

/* The first bunch that is on a slab and not done, or NULL. */
static struct bunch *first_left(struct batch *batch)
{
	struct bunch *bunch = batch->bunch;

	for (;; bunch++) {
		if (bunch == looked_end(batch))
			look_ahead(batch);
		if (bunch == looked_end(batch))
			return NULL;
		if (likely(bunch->slab != &nobodys))
			return bunch;
	}
}

/* Gives back all slots that belong to the same shard as the first. */
static void give_slots(struct batch *batch)
{
	struct bunch *bunch = first_left(batch);
	struct heap_shard *shard;
	u32 freed = batch->freed;

	if (unlikely(!bunch))
		return;
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

/* Gives back the span that begins at an offset; there was one on its page. */
static void give_span(struct batch *batch, u32 i)
{
	u64 offset = batch->offsets[i];
	struct heap *heap = batch->heap;
	u64 span = dir_get(&heap->dir, offset >> PAGE_SHIFT);

	if (offset & (PAGE_SIZE - 1)) {
		refuse(batch, i, heap_why_interior(offset));
	} else if (!dir_is_span(span)) {
		refuse(batch, i, HEAP_BAD_NOT_LIVE);
	} else if (!heap_span_fits(span, batch->bytes)) {
		refuse(batch, i, HEAP_BAD_BYTES);
	} else {
		heap_span_release(heap, offset >> PAGE_SHIFT, span);
		batch->freed++;
	}
}

/* Gives back spans, after all that is none is refused, for what it is so far. */
static void give_others(struct batch *batch)
{
	struct heap *heap = batch->heap;
	struct heap_trash trash;
	u32 i, other, spans = 0;
	u64 offset;

	heap_trash_init(&trash);
	core_lock(&heap->lock);
	for (i = 0; i < batch->others; i++) {
		other = batch->other[i];
		offset = batch->offsets[other];
		if (dir_is_span(dir_get(&heap->dir, offset >> PAGE_SHIFT)))
			batch->other[spans++] = other;
		else
			refuse(batch, other, why_nothing(heap, offset));
	}
	for (i = 0; i < spans; i++)
		give_span(batch, batch->other[i]);
	heap_unlock(heap, &trash);
}

static noinline void release_surplus(struct batch *batch)
{
	struct heap_trash trash;

	heap_trash_init(&trash);
	list_splice(&batch->surplus, &trash.surplus);
	heap_release_surplus(batch->heap, &trash);
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
	batch.steps = DIV_ROUND_UP(n, STEP);
	batch.placed = 0;
	batch.looked = 0;
	batch.step[0] = batch.bunch;
	batch.freed = 0;
	batch.refused = 0;
	batch.bad = n;
	batch.others = 0;
	INIT_LIST_HEAD(&batch.surplus);

	rcu_read_lock();
	batch.view = dir_view(&heap->dir);
	look_up_places(&batch);
	look_ahead(&batch);
	while (batch_left(&batch))
		give_slots(&batch);
	rcu_read_unlock();
	if (batch.others)
		give_others(&batch);
	if (!list_empty(&batch.surplus))
		release_surplus(&batch);
	heap_note_empty(heap);
	*bad = batch.bad;
	return batch.freed;
}
