// SPDX-License-Identifier: GPL-2.0
/*
 * Frees, where there are no owners.
 *
 * An offset that comes from outside is believed in nothing. Directory and
 * bitmaps alone decide whether an object starts there, in time that does not
 * depend on the heap.
 *
 * A batch passes through three loops: the places of all directory entries
 * are found, these are read, and the slots are given back in the descriptors they
 * point to. The first two prefetch what the next will read, as a batch of long-lived
 * objects finds none of it in the processor's cache. What is not the rule is left to
 * code outside of them: offsets that are on no slab, neighbours, refusals, slabs that
 * change their place but for the first slot of a full one.
 *
 * The slots of one shard are given back under its lock, then those of the next.
 * What is on no slab follows last, under the pages lock, which is dropped while the
 * memory of a span is released: so each is looked at afresh.
 */
#include "core_env.h"
#include "heap_impl.h"

/* Where the directory has its entry of a page, then this. */
union batch_at {
	const u64 *where;
	u64 entry;
};

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
 * @opened: slabs of the present shard that were full, see slots_open_begin()
 * @at: of each offset; that of &nobodys if it is on no slab or done; behind the last 0,
 *      which is compared with, and no slab
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
	struct hlist_head opened;
	union batch_at at[HEAP_BATCH_MAX + 1];
};

/* A slab that is of no shard; never written. */
static struct slab nobodys = { .home = U32_MAX };

static inline struct slab *slab_at(const struct batch *batch, u64 i)
{
	return dir_slab_of(batch->at[i].entry);
}

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
 * So many are done without being counted: what a full bin of a cache gives comes in
 * batches of 63 mostly, seven times 9.
 * The loops that follow are unrolled wholly, by any number that is not less.
 */
#define LOOKUP_ROW	9

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

/* Takes note of the offsets that are on no slab. */
static noinline void note_others(struct batch *batch)
{
	u32 i;

	for (i = 0; i < batch->n; i++) {
		if (dir_is_slab(batch->at[i].entry))
			continue;
		batch->at[i].entry = dir_slab_entry(&nobodys);
		batch->other[batch->others++] = i;
	}
}

static __always_inline void find_place(union batch_at *at, const struct dir_node *node,
				       u32 height, u64 offset)
{
	const u64 *where = dir_where(node, height, offset >> PAGE_SHIFT);

	at->where = where;
	prefetch(where);
}

/* Finds the places of all entries. */
static __always_inline void find_places(struct batch *batch, const struct dir_node *node,
					u32 height)
{
	const u64 *offset = batch->offsets, *end = offset + batch->n;
	union batch_at *at = batch->at;
	u64 i;

	for (; end - offset >= LOOKUP_ROW; offset += LOOKUP_ROW, at += LOOKUP_ROW)
#pragma GCC unroll 16
		for (i = 0; i < LOOKUP_ROW; i++)
			find_place(&at[i], node, height, offset[i]);
	for (; offset < end; offset++, at++)
		find_place(at, node, height, *offset);
}

/* With the height as a constant a look-up is a few instructions. */
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

static __always_inline u64 read_entry(union batch_at *at)
{
	u64 entry = READ_ONCE(*at->where);

	at->entry = entry;
	/* If it is none of a slab, this is some address, and does nothing. */
	prefetch(dir_slab_of(entry));
	return entry;
}

/* Reads all entries. */
static void look_up_entries(struct batch *batch)
{
	union batch_at *at = batch->at, *end = at + batch->n;
	u64 i, all = DIR_SLAB;

	for (; end - at >= LOOKUP_ROW; at += LOOKUP_ROW)
#pragma GCC unroll 16
		for (i = 0; i < LOOKUP_ROW; i++)
			all &= read_entry(&at[i]);
	for (; at < end; at++)
		all &= read_entry(at);
	if (unlikely(!dir_is_slab(all)))
		note_others(batch);
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
static noinline void settle(struct batch *batch, struct heap_shard *shard, struct slab *slab)
{
	struct slab *surplus = slots_settle(&shard->slots, slab);

	if (!surplus)
		return;
	list_add(&surplus->link, &batch->surplus);
	shard->stat.slabs--;
}

/*
 * Gives back some offsets that follow one another and are on one slab, or those
 * before the first that is refused. Returns how many it has dealt with.
 */
static noinline u32 give_run(struct batch *batch, struct heap_shard *shard, u32 first)
{
	struct slab *slab = slab_at(batch, first);
	u32 n = 1, given;

	while (slab_at(batch, first + n) == slab)
		n++;
	given = slab_give_many(slab, batch->offsets + first, n);
	if (given && slab->count.more < 0)
		settle(batch, shard, slab);
	if (given == n)
		return n;
	batch->passed++;
	refuse_slot(batch, first + given, slab);
	return given + 1;
}

/*
 * Deals with what give_quick() stopped at: neighbours, of which none was given back yet;
 * a slab of the shard that is to be settled after its slot was given back, which only a
 * count below 0 says; or a slot to be refused. Returns how many offsets are done with that.
 */
static noinline u32 give_slowly(struct batch *batch, struct heap_shard *shard, u32 i, bool runs)
{
	struct slab *slab = slab_at(batch, i);

	if (runs && slab == slab_at(batch, i + 1))
		return give_run(batch, shard, i);
	if (slab->count.more < 0) {
		settle(batch, shard, slab);
	} else {
		batch->passed++;
		refuse_slot(batch, i, slab);
	}
	return 1;
}

/*
 * Gives back slots of one shard as long as that is quick. Returns where it stopped.
 * As nothing is called, what it needs stays in registers; it counts up to 0, for one
 * less of them.
 */
static __always_inline u64 give_quick(struct batch *batch, u64 first, u32 home, u64 reciprocal,
				      struct slots_opened *opened, bool runs)
{
	const u64 *offsets = batch->offsets + batch->n;
	const union batch_at *at = batch->at + batch->n;
	struct slab *slab;
	s64 i;

	for (i = first - batch->n; i; i++) {
		slab = dir_slab_of(at[i].entry);
		if (runs && at[i].entry == at[i + 1].entry && slab->home == home)
			break;
		/* Of another shard's, @home alone says so, and its count may change. */
		if (data_race(slab->home_count) == opened->full) {
			if (unlikely(!slab_mark(slab, reciprocal, offsets[i])))
				break;
			slots_open_slab(opened, slab);
		} else if (unlikely(slab->home != home)) {
			batch->passed++;
		} else if (unlikely(!slab_give(slab, reciprocal, offsets[i]) ||
				    slab->count.more < 0)) {
			break;
		}
	}
	return batch->n + i;
}

static __always_inline void give_each(struct batch *batch, struct heap_shard *shard, u64 i,
				      u32 home, bool runs)
{
	const struct class_info *info = &class_table[SLAB_HOME_CLASS(home)];
	struct slots_opened opened;

	for (;;) {
		opened = slots_open_begin(&batch->opened, home, info);
		i = give_quick(batch, i, home, info->reciprocal, &opened, runs);
		slots_open_end(&shard->slots, &batch->opened, &opened);
		if (i == batch->n)
			return;
		i += give_slowly(batch, shard, i, runs);
		if (i == batch->n)
			return;
	}
}

/*
 * Gives back the slots of one shard, from its first on. Returns how many were.
 *
 * A batch that begins with neighbours has more of them, mostly.
 */
static noinline u32 give_to_shard(struct batch *batch, struct heap_shard *shard, u32 first)
{
	u32 home = slab_at(batch, first)->home;

	batch->passed = 0;
	if (batch->at[first].entry == batch->at[first + 1].entry)
		give_each(batch, shard, first, home, true);
	else
		give_each(batch, shard, first, home, false);
	return batch->n - first - batch->passed;
}

/* Refuses the slots of one shard, whose size is not what was stated. */
static noinline void refuse_shard(struct batch *batch, u32 first)
{
	u32 i, home = slab_at(batch, first)->home;

	for (i = first; i < batch->n; i++)
		if (slab_at(batch, i)->home == home)
			refuse_slot(batch, i, slab_at(batch, i));
}

/* Takes note that all slots of one shard are done. */
static noinline void shard_done(struct batch *batch, u32 first)
{
	u32 i, home = slab_at(batch, first)->home;

	for (i = first; i < batch->n; i++)
		if (slab_at(batch, i)->home == home)
			batch->at[i].entry = dir_slab_entry(&nobodys);
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

	while (slab_at(batch, first) == &nobodys)
		first++;
	shard = heap_shard(batch->heap, slab_at(batch, first));

	core_lock(&shard->lock);
	if (likely(heap_class_fits(slab_class(slab_at(batch, first)), batch->bytes)))
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
	batch.at[n].entry = 0;
	INIT_LIST_HEAD(&batch.surplus);

	rcu_read_lock();
	look_up_places(&batch);
	look_up_entries(&batch);
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
