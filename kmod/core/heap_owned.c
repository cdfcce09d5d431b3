// SPDX-License-Identifier: GPL-2.0
/*
 * Objects with owners: whose they are, and frees. See heap_owner.h.
 *
 * Who owns a slot is looked at under the lock of its slab's shard, and who owns a
 * span under the pages lock; there it is changed too. So of two who free, give or
 * take the same object, or of one of them and the end of its owner, one comes
 * first, and the other finds what that one has left.
 *
 * A batch of frees is worked on object by object, but a lock is kept for as long
 * as it is the right one, which it is for most: what an owner frees lies on slabs
 * of its own, and is of one class if it comes from a cache.
 */
#include "core_env.h"
#include "heap_impl.h"
#include "heap_kin.h"
#include "heap_owner.h"

u16 heap_slot_who(struct slab *slab, u32 index)
{
	if (!slab_owner(slab))
		return 0;
	return owned_slab(slab)->who ? owned_slab(slab)->who[index] : slab_owner(slab);
}

/* Strays. */

void heap_stray_add(struct heap *heap, u32 tag, u64 page)
{
	struct heap_owner *owner = heap_owner_at(heap, tag);

	core_assert_held(&heap->lock);
	if (heap->owners)
		heap->owners->changes++;
	if (!owner)
		return;
	owner->strays++;
	owner->stray_low = min(owner->stray_low, page);
	owner->stray_high = max(owner->stray_high, page);
}

void heap_stray_del(struct heap *heap, u32 tag, u32 n)
{
	struct heap_owner *owner = heap_owner_at(heap, tag);

	core_assert_held(&heap->lock);
	if (heap->owners)
		heap->owners->changes++;
	if (!owner)
		return;
	owner->strays -= n;
	if (owner->strays)
		return;
	owner->stray_low = PAGES_NONE;
	owner->stray_high = 0;
}

/* Slots. */

void heap_owned_settle(struct heap *heap, struct heap_shard *shard, struct slab *slab,
		       struct heap_trash *trash)
{
	struct slab *surplus = NULL;

	core_assert_held(&shard->lock);
	if (slab->place != SLAB_LEFT) {
		surplus = slots_settle(&shard->slots, slab);
	} else if (slab_free(slab) == class_table[slab_class(slab)].slots) {
		slab->place = SLAB_APART;
		surplus = slab;
	}
	if (surplus) {
		list_add(&surplus->link, &trash->surplus);
		shard->stat.slabs--;
	}
	if (shard->slots.held)
		heap_note_idle(heap);
}

/* Slots of an owner are free, and so the slab's owner's. */
static void slots_return(struct heap *heap, const struct slab *slab, u32 tag, u32 n)
{
	if (tag == slab_owner(slab) || !n)
		return;
	core_lock(&heap->lock);
	heap_stray_del(heap, tag, n);
	core_unlock(&heap->lock);
}

/* Frees a slot that is taken. Returns whose it was. */
static u32 give_slot(struct heap_shard *shard, struct slab *slab, u32 index)
{
	const struct class_info *info = &class_table[slab_class(slab)];
	u32 tag = heap_slot_who(slab, index) & OWNER_TAG_MASK;

	core_assert_held(&shard->lock);
	slab_give(slab, info->reciprocal, slab_start(slab) + (u64)index * info->slot_bytes);
	shard->stat.used--;
	shard->stat.frees++;
	if (owned_slab(slab)->who)
		owned_slab(slab)->who[index] = slab_owner(slab);
	return tag;
}

u32 heap_owned_strip(struct heap *heap, struct heap_shard *shard, struct slab *slab, u32 tag)
{
	const u16 *who = owned_slab(slab)->who;
	u32 i, freed = 0;

	for (i = 0; i < class_table[slab_class(slab)].slots; i++) {
		if ((who[i] & OWNER_TAG_MASK) != tag || !slab_slot_taken(slab, i))
			continue;
		give_slot(shard, slab, i);
		freed++;
	}
	slots_return(heap, slab, tag, freed);
	return freed;
}

/* Frees. */

/**
 * struct owned_batch - a batch of frees
 * @heap: the heap
 * @tag: who frees; nobody's objects may be freed by all
 * @offsets: what to free
 * @n: how many
 * @bytes: 0, or the size all of them were requested with
 * @strict: not nobody's, and what is not @tag's is no mistake
 * @freed: offsets that were freed
 * @bad: the first that was refused; @n if there is none
 * @foreign: it is another's
 * @trash: slabs that have become surplus
 */
struct owned_batch {
	struct heap *heap;
	u32 tag;
	const u64 *offsets;
	u32 n;
	u64 bytes;
	bool strict;
	u32 freed;
	u32 bad;
	bool foreign;
	struct heap_trash trash;
};

static void owned_refuse(struct owned_batch *batch, u32 i, enum heap_refusal refusal)
{
	if (batch->strict)
		return;
	heap_refuse(batch->heap, refusal);
	if (i < batch->bad) {
		batch->bad = i;
		batch->foreign = refusal == HEAP_BAD_OWNER;
	}
}

/*
 * Why an object is not to be freed, HEAP_REFUSALS if it is; under the pages lock if @who
 * is that it is kin. What goes with a parent that was freed is as good as gone.
 */
static enum heap_refusal judge(const struct owned_batch *batch, u16 who, u64 offset)
{
	bool linked;
	u32 tag;

	if (who_is_kin(who))
		who = heap_kin_who(batch->heap, offset, &linked);
	tag = who & OWNER_TAG_MASK;
	if (tag == batch->tag || (!tag && !batch->strict))
		return HEAP_REFUSALS;
	return tag == OWNER_KIN ? HEAP_BAD_NOT_LIVE : HEAP_BAD_OWNER;
}

static enum heap_refusal judge_slot(const struct owned_batch *batch, u16 who, u64 offset)
{
	enum heap_refusal refusal;

	if (!who_is_kin(who))
		return judge(batch, who, offset);
	core_lock(&batch->heap->lock);
	refusal = judge(batch, who, offset);
	core_unlock(&batch->heap->lock);
	return refusal;
}

static void kin_slot_freed(const struct owned_batch *batch, u64 offset)
{
	core_lock(&batch->heap->lock);
	heap_kin_end(batch->heap, offset, batch->tag);
	core_unlock(&batch->heap->lock);
}

static void free_slot(struct owned_batch *batch, u32 i, struct heap_shard *shard,
		      struct slab *slab)
{
	u64 index, offset = batch->offsets[i];
	enum heap_refusal refusal;
	u32 tag;

	core_assert_held(&shard->lock);
	if (!slab_slot(slab, offset, &index))
		return owned_refuse(batch, i, heap_why_interior(offset));
	if (!slab_slot_taken(slab, index))
		return owned_refuse(batch, i, HEAP_BAD_NOT_LIVE);
	refusal = judge_slot(batch, heap_slot_who(slab, index), offset);
	if (refusal != HEAP_REFUSALS)
		return owned_refuse(batch, i, refusal);
	if (!heap_class_fits(slab_class(slab), batch->bytes))
		return owned_refuse(batch, i, HEAP_BAD_BYTES);
	tag = give_slot(shard, slab, index);
	if (tag == OWNER_KIN)
		kin_slot_freed(batch, offset);
	else
		slots_return(batch->heap, slab, tag, 1);
	batch->freed++;
	heap_owned_settle(batch->heap, shard, slab, &batch->trash);
}

/* Frees the slots from one on that lie in one shard. Returns how many. */
static u32 free_slots(struct owned_batch *batch, u32 i)
{
	struct slab *slab = heap_slab_at(batch->heap, batch->offsets[i]);
	struct heap_shard *shard;
	u32 first = i;

	if (!slab)
		return 0;
	shard = heap_shard(batch->heap, slab);
	if (!shard) {
		owned_refuse(batch, i, HEAP_BAD_NOT_LIVE);
		return 1;
	}
	core_lock(&shard->lock);
	do {
		free_slot(batch, i++, shard, slab);
		slab = i < batch->n ? heap_slab_at(batch->heap, batch->offsets[i]) : NULL;
		/* Its home would not do: the tag may have gone to another owner by now. */
	} while (slab && heap_shard(batch->heap, slab) == shard);
	core_unlock(&shard->lock);
	return i - first;
}

static void free_span_locked(struct owned_batch *batch, u32 i, u64 page, u64 entry)
{
	u64 offset = batch->offsets[i];
	enum heap_refusal refusal;

	if (offset & (PAGE_SIZE - 1))
		return owned_refuse(batch, i, heap_why_interior(offset));
	refusal = judge(batch, dir_span_who(entry), offset);
	if (refusal != HEAP_REFUSALS)
		return owned_refuse(batch, i, refusal);
	if (!heap_span_fits(entry, batch->bytes))
		return owned_refuse(batch, i, HEAP_BAD_BYTES);
	if (who_is_kin(dir_span_who(entry)))
		heap_kin_end(batch->heap, offset, batch->tag);
	heap_span_release(batch->heap, page, entry);
	batch->freed++;
}

static void free_span(struct owned_batch *batch, u32 i)
{
	struct heap *heap = batch->heap;
	u64 entry = 0, page = batch->offsets[i] >> PAGE_SHIFT;
	struct heap_trash trash;

	heap_trash_init(&trash);
	core_lock(&heap->lock);
	if (page < heap->pages.count)
		entry = dir_get(&heap->dir, page);
	if (dir_is_span(entry))
		free_span_locked(batch, i, page, entry);
	heap_unlock(heap, &trash);
	if (!dir_is_span(entry))
		owned_refuse(batch, i, heap_why_nothing(heap, batch->offsets[i]));
}

static void free_batch(struct owned_batch *batch)
{
	u32 i, slots;

	heap_trash_init(&batch->trash);
	for (i = 0; i < batch->n; i += max(slots, 1U)) {
		rcu_read_lock();
		slots = free_slots(batch, i);
		rcu_read_unlock();
		if (!slots)
			free_span(batch, i);
	}
	heap_release_surplus(batch->heap, &batch->trash);
	heap_note_empty(batch->heap);
}

void heap_free_of(struct heap *heap, u32 tag, const u64 *offsets, u32 n)
{
	free_batch(&(struct owned_batch){
		.heap = heap,
		.tag = tag,
		.offsets = offsets,
		.n = n,
		.strict = true,
	});
}

static noinline int owned_free(struct heap *heap, const struct heap_owner *owner,
			       const u64 *offsets, u32 n, u64 bytes, u32 *bad, bool *foreign)
{
	struct owned_batch batch = {
		.heap = heap,
		.tag = owner ? owner->tag : 0,
		.offsets = offsets,
		.n = n,
		.bytes = bytes,
		.bad = n,
	};

	if (!n || n > HEAP_BATCH_MAX)
		return -EINVAL;
	free_batch(&batch);
	*bad = batch.bad;
	*foreign = batch.foreign;
	return batch.freed;
}

int heap_owned_free(struct heap *heap, const struct heap_owner *owner, const u64 *offsets, u32 n,
		    u64 bytes, u32 *bad, bool *foreign)
{
	*foreign = false;
	if (heap->owners)
		return owned_free(heap, owner, offsets, n, bytes, bad, foreign);
	return heap_free(heap, offsets, n, bytes, bad);
}
