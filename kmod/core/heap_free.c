// SPDX-License-Identifier: GPL-2.0
/*
 * Frees, where there are no owners.
 *
 * An offset that comes from outside is believed in nothing. Directory and
 * bitmaps alone decide whether an object starts there, in time that does not
 * depend on the heap.
 *
 * A batch passes through three short loops: the places of all directory entries
 * are found, these are read, and the descriptors they point to, and the slots are
 * given back. Each of them prefetches what the next will read, as a batch of
 * long-lived objects finds none of it in the processor's cache.
 *
 * The slots of one shard are given back under its lock, then those of the next.
 * What is on no slab follows last, under the pages lock, which is dropped while the
 * memory of a span is released: so each is looked at afresh.
 */
#include "core_env.h"
#include "heap_impl.h"

/**
 * struct batch - a batch of frees
 * @heap: the heap
 * @offsets: what to free
 * @bytes: 0, or the size all of them were requested with
 * @n: how many
 * @freed: offsets that were freed
 * @refused: offsets that were refused
 * @bad: the first of these; @n if there is none
 * @passed: those of the present shard's turn that are not its or were refused
 * @others: offsets that are on no slab
 * @other: their indices
 * @surplus: slabs that have become surplus
 * @where: place of the directory entry of each offset
 * @slab: the slab of each offset, or &nobodys if there is none or it is done;
 *        behind the last NULL
 */
struct batch {
	struct heap *heap;
	const u64 *offsets;
	u64 bytes;
	u32 n;
	u32 freed;
	u32 refused;
	u32 bad;
	u32 passed;
	u32 others;
	u8 other[HEAP_BATCH_MAX];
	struct list_head surplus;
	const u64 *where[HEAP_BATCH_MAX];
	struct slab *slab[HEAP_BATCH_MAX + 1];
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

/* Takes note of an offset that is on no slab. */
static noinline void note_other(struct batch *batch, u32 i)
{
	batch->slab[i] = &nobodys;
	batch->other[batch->others++] = i;
}

/* Fills @where. */
static __always_inline void find_places(struct batch *batch, const struct dir_node *node,
					u32 height)
{
	const u64 *offsets = batch->offsets;
	u64 i, n = batch->n;

	for (i = 0; i < n; i++) {
		batch->where[i] = dir_where(node, height, offsets[i] >> PAGE_SHIFT);
		prefetch(batch->where[i]);
	}
}

/* Finds all places. With the height as a constant this is a short loop. */
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

/* Fills @slab from @where. */
static void look_up_slabs(struct batch *batch)
{
	u64 i, n = batch->n, entry;

	for (i = 0; i < n; i++) {
		entry = READ_ONCE(*batch->where[i]);
		if (unlikely(!dir_is_slab(entry))) {
			note_other(batch, i);
			continue;
		}
		batch->slab[i] = dir_slab_of(entry);
		prefetch(batch->slab[i]);
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

/* Puts a slab that slots were given back to where it belongs. */
static noinline void settle(struct batch *batch, struct heap_shard *shard, struct slab *slab,
			    struct slots_opened *opened)
{
	struct slab *surplus;

	slots_open(&shard->slots, opened);
	surplus = slots_settle(&shard->slots, slab);
	if (!surplus)
		return;
	list_add(&surplus->link, &batch->surplus);
	shard->stat.slabs--;
}

/*
 * Gives back some offsets that follow one another and are on one slab, or those
 * before the first that is refused. Returns how many it has dealt with.
 */
static noinline u32 give_run(struct batch *batch, struct heap_shard *shard, u32 first,
			     struct slots_opened *opened)
{
	struct slab *slab = batch->slab[first];
	u32 n = 1, given;

	while (batch->slab[first + n] == slab)
		n++;
	given = slab_give_many(slab, batch->offsets + first, n);
	if (given && slab->count.more < 0)
		settle(batch, shard, slab, opened);
	if (given == n)
		return n;
	batch->passed++;
	refuse_slot(batch, first + given, slab);
	return given + 1;
}

static __always_inline void give_each(struct batch *batch, struct heap_shard *shard, u64 first,
				      u32 home, bool runs)
{
	const struct class_info info = class_table[SLAB_HOME_CLASS(home)];
	const u64 *offsets = batch->offsets;
	u64 i, n = batch->n;
	struct slots_opened opened;
	struct slab *slab;

	slots_opened_init(&opened, &info);
	for (i = first; i < n; i++) {
		slab = batch->slab[i];
		if (unlikely(slab->home != home)) {
			batch->passed++;
		} else if (runs && slab == batch->slab[i + 1]) {
			i += give_run(batch, shard, i, &opened) - 1;
		} else if (unlikely(!slab_give(slab, &info, offsets[i]))) {
			batch->passed++;
			refuse_slot(batch, i, slab);
		} else if (unlikely(!slots_given(&opened, slab))) {
			settle(batch, shard, slab, &opened);
		}
	}
	slots_open(&shard->slots, &opened);
}

/*
 * Gives back the slots of one shard, from its first on. Returns how many were.
 *
 * A batch that begins with neighbours has more of them, mostly.
 */
static noinline u32 give_to_shard(struct batch *batch, struct heap_shard *shard, u32 first)
{
	const struct slab *slab = batch->slab[first];

	batch->passed = 0;
	if (slab == batch->slab[first + 1])
		give_each(batch, shard, first, slab->home, true);
	else
		give_each(batch, shard, first, slab->home, false);
	return batch->n - first - batch->passed;
}

/* Refuses the slots of one shard, whose size is not what was stated. */
static noinline void refuse_shard(struct batch *batch, u32 first)
{
	u32 i, home = batch->slab[first]->home;

	for (i = first; i < batch->n; i++)
		if (batch->slab[i]->home == home)
			refuse_slot(batch, i, batch->slab[i]);
}

/* Takes note that all slots of one shard are done. */
static noinline void shard_done(struct batch *batch, u32 first)
{
	u32 i, home = batch->slab[first]->home;

	for (i = first; i < batch->n; i++)
		if (batch->slab[i]->home == home)
			batch->slab[i] = &nobodys;
}

static bool batch_left(const struct batch *batch)
{
	return batch->freed + batch->refused + batch->others < batch->n;
}

/* Gives back all slots that belong to the same shard as the first that is left. */
static void give_slots(struct batch *batch)
{
	struct heap_shard *shard;
	u32 first = 0, freed = 0;

	while (batch->slab[first] == &nobodys)
		first++;
	shard = heap_shard(batch->heap, batch->slab[first]);

	core_lock(&shard->lock);
	if (likely(heap_class_fits(slab_class(batch->slab[first]), batch->bytes)))
		freed = give_to_shard(batch, shard, first);
	else
		refuse_shard(batch, first);
	shard->stat.used -= freed;
	shard->stat.frees += freed;
	if (shard->slots.held)
		heap_note_idle(batch->heap);
	core_unlock(&shard->lock);
	batch->freed += freed;
	if (unlikely(batch_left(batch)))
		shard_done(batch, first);
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
	for (i = 0; i < batch->others; i++)
		pages_prefetch(&heap->pages, batch->offsets[batch->other[i]] >> PAGE_SHIFT);
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
	batch.freed = 0;
	batch.refused = 0;
	batch.bad = n;
	batch.others = 0;
	batch.slab[n] = NULL;
	INIT_LIST_HEAD(&batch.surplus);

	rcu_read_lock();
	look_up_places(&batch);
	look_up_slabs(&batch);
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
