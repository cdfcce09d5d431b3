// SPDX-License-Identifier: GPL-2.0
/*
 * What lives where, and frees.
 *
 * An offset that comes from outside is believed in nothing. Directory and
 * bitmaps alone decide whether an object starts there, in time that does not
 * depend on the heap.
 *
 * A batch is looked up as a whole before any lock is taken: first the places of
 * all directory entries, then the entries, then the descriptors, each prefetched
 * while the others are on their way, as a batch of long-lived objects finds none
 * of them in the processor's cache. Then the slots are given back shard by
 * shard, under one lock each, and the spans under the pages lock.
 */
#include "core_env.h"
#include "heap_impl.h"

/**
 * struct batch - a batch of frees
 * @heap: the heap
 * @offsets: what to free
 * @n: how many
 * @bytes: 0, or the size all of them were requested with
 * @slots: offsets that are to be looked for in slabs
 * @spans: offsets that are to be looked at as spans
 * @freed: how many were freed
 * @bad: the first that was refused; @n if there is none
 * @trash: slabs that have become surplus
 * @where: places of the entries in the directory, or NULL
 * @entry: the entries; 0 for what is done with
 */
struct batch {
	struct heap *heap;
	const u64 *offsets;
	u32 n;
	u32 slots;
	u32 spans;
	u32 freed;
	u32 bad;
	u64 bytes;
	struct heap_trash trash;
	union {
		const u64 *where[HEAP_BATCH_MAX];
		u64 entry[HEAP_BATCH_MAX];
	};
};

static void refuse(struct batch *batch, u32 i, enum heap_refusal refusal)
{
	atomic64_add(1, &batch->heap->refused[refusal]);
	batch->bad = min(batch->bad, i);
	batch->entry[i] = 0;
}

/* Looking up. */

/*
 * Why nothing starts at an offset whose page has no entry. A page that is
 * taken and has none lies inside a span. (Or it is still to become the inside
 * of one: busy runs have an entry on their first page alone, if that is all
 * their span will have.)
 */
static enum heap_refusal why_nothing(struct heap *heap, u64 offset)
{
	u64 page = offset >> PAGE_SHIFT;
	bool taken;

	if (!offset || page >= heap->pages.count)
		return HEAP_BAD_OUTSIDE;
	if (offset % CLASS_SLOT_MIN)
		return HEAP_BAD_MISALIGNED;
	core_lock(&heap->lock);
	taken = page && pages_is_taken(&heap->pages, page) && !dir_get(&heap->dir, page);
	core_unlock(&heap->lock);
	return taken ? HEAP_BAD_INTERIOR : HEAP_BAD_NOT_LIVE;
}

static void look_up_places(struct batch *batch)
{
	const struct heap *heap = batch->heap;
	u64 page, last = PAGES_NONE;
	const u64 *where = NULL;
	u32 i;

	for (i = 0; i < batch->n; i++) {
		page = batch->offsets[i] >> PAGE_SHIFT;
		if (page != last) {
			where = page < heap->pages.count ? dir_where(&heap->dir, page) : NULL;
			prefetch(where);
			last = page;
		}
		batch->where[i] = where;
	}
}

/* Leaves in @entry the slab or span of each offset. */
static void look_up(struct batch *batch)
{
	u64 entry, last = 0;
	u32 i;

	look_up_places(batch);
	for (i = 0; i < batch->n; i++) {
		entry = batch->where[i] ? READ_ONCE(*batch->where[i]) : 0;
		batch->entry[i] = entry;
		if (!entry) {
			refuse(batch, i, why_nothing(batch->heap, batch->offsets[i]));
		} else if (dir_slab(entry)) {
			if (entry != last)
				prefetch(dir_slab(entry));
			last = entry;
			batch->slots++;
		} else if (dir_is_span(entry)) {
			batch->spans++;
		} else {
			refuse(batch, i, HEAP_BAD_NOT_LIVE);
		}
	}
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
	u64 pages = (bytes >> PAGE_SHIFT) + !!(bytes & (PAGE_SIZE - 1));

	return !bytes || (class_fits(CLASS_SPAN, bytes) && pages == dir_span_pages(span));
}

/* Where an object begins is where every smallest slot could. */
static enum heap_refusal why_interior(u64 offset)
{
	return offset % CLASS_SLOT_MIN ? HEAP_BAD_MISALIGNED : HEAP_BAD_INTERIOR;
}

/*
 * Gives back the slots of one slab that the offsets from the i-th on name, up to
 * one that is on another. Returns how many; @next gets the index of the other.
 */
static u32 give_run(struct batch *batch, u32 i, struct slab *slab, bool fits, u32 *next)
{
	const struct class_info *info = &class_table[slab_class(slab)];
	u64 start = (u64)slab->page << PAGE_SHIFT, entry = dir_slab_entry(slab);
	u32 index, freed = 0;

	do {
		batch->entry[i] = 0;
		if (!class_slot_index(info, batch->offsets[i] - start, &index)) {
			refuse(batch, i, why_interior(batch->offsets[i]));
		} else if (!slab_slot_taken(slab, index)) {
			refuse(batch, i, HEAP_BAD_NOT_LIVE);
		} else if (!fits) {
			refuse(batch, i, HEAP_BAD_BYTES);
		} else {
			slab_give(slab, index);
			freed++;
		}
	} while (++i < batch->n && batch->entry[i] == entry);
	*next = i;
	return freed;
}

/* Puts a slab where it belongs after some of its slots were given back. */
static void settle(struct batch *batch, struct heap_shard *shard, struct slab *slab)
{
	struct slab *surplus = slots_settle(&shard->slots, slab);

	if (!surplus)
		return;
	list_add(&surplus->link, &batch->trash.surplus);
	shard->stat.slabs--;
}

/* Gives back all slots, from the i-th offset on, that belong to one shard. */
static void give_slots(struct batch *batch, u32 i)
{
	struct slab *slab = dir_slab(batch->entry[i]);
	struct heap_shard *shard = heap_shard(batch->heap, slab);
	bool fits = class_fits(slab_class(slab), batch->bytes);
	u32 home = slab->home, done = 0, sum = 0, freed, next;

	core_lock(&shard->lock);
	for (; i < batch->n; i = next) {
		next = i + 1;
		slab = dir_slab(batch->entry[i]);
		if (!slab || slab->home != home)
			continue;
		freed = give_run(batch, i, slab, fits, &next);
		done += next - i;
		if (freed)
			settle(batch, shard, slab);
		sum += freed;
	}
	shard->stat.used -= sum;
	shard->stat.frees += sum;
	if (shard->slots.held)
		heap_note_idle(batch->heap);
	core_unlock(&shard->lock);
	batch->freed += sum;
	batch->slots -= done;
}

static void give_spans(struct batch *batch)
{
	struct heap *heap = batch->heap;
	u64 page, span;
	u32 i;

	core_lock(&heap->lock);
	for (i = 0; i < batch->n; i++) {
		if (!dir_is_span(batch->entry[i]))
			continue;
		if (batch->offsets[i] & (PAGE_SIZE - 1)) {
			refuse(batch, i, why_interior(batch->offsets[i]));
			continue;
		}
		page = batch->offsets[i] >> PAGE_SHIFT;
		span = dir_get(&heap->dir, page);
		if (!dir_is_span(span)) {
			refuse(batch, i, HEAP_BAD_NOT_LIVE);
			continue;
		}
		if (!span_fits(span, batch->bytes)) {
			refuse(batch, i, HEAP_BAD_BYTES);
			continue;
		}
		batch->entry[i] = 0;
		heap_span_release(heap, page, dir_span_pages(span), dir_span_group(span));
		batch->freed++;
	}
	heap_unlock(heap, &batch->trash);
}

int heap_free(struct heap *heap, const u64 *offsets, u32 n, u64 bytes, u32 *bad)
{
	struct batch batch;
	u32 i;

	if (!n || n > HEAP_BATCH_MAX)
		return -EINVAL;
	batch.heap = heap;
	batch.offsets = offsets;
	batch.n = n;
	batch.bytes = bytes;
	batch.freed = 0;
	batch.slots = 0;
	batch.spans = 0;
	batch.bad = n;
	heap_trash_init(&batch.trash);

	rcu_read_lock();
	look_up(&batch);
	for (i = 0; i < n && batch.slots; i++)
		if (dir_slab(batch.entry[i]))
			give_slots(&batch, i);
	rcu_read_unlock();
	if (batch.spans)
		give_spans(&batch);
	heap_release_surplus(heap, &batch.trash);
	heap_note_empty(heap);
	*bad = batch.bad;
	return batch.freed;
}
