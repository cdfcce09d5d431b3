// SPDX-License-Identifier: GPL-2.0
/*
 * Objects with owners: frees, and changes of owner. See heap_owner.h.
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
#include "heap_owner.h"

static u32 tag_of(const struct heap_owner *owner)
{
	return owner ? owner->tag : 0;
}

static struct slab *slab_at(const struct heap *heap, u64 offset)
{
	u64 page = offset >> PAGE_SHIFT;

	return page < heap->pages.count ? dir_slab(dir_get(&heap->dir, page)) : NULL;
}

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

/* A slot has another owner, or is nobody's; both may be the slab's own. */
static void slot_changes(struct heap *heap, const struct slab *slab, u32 from, u32 to)
{
	if (from == to)
		return;
	core_lock(&heap->lock);
	if (from != slab_owner(slab))
		heap_stray_del(heap, from, 1);
	if (to != slab_owner(slab))
		heap_stray_add(heap, to, slab->page);
	core_unlock(&heap->lock);
}

/* Slots. */

void heap_owned_settle(struct heap *heap, struct heap_shard *shard, struct slab *slab,
		       struct heap_trash *trash)
{
	struct slab *surplus = NULL;

	core_assert_held(&shard->lock);
	if (slab->place != SLAB_LEFT) {
		surplus = slots_settle(&shard->slots, slab);
	} else if (slab->free == class_table[slab_class(slab)].slots) {
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
	slab_give(slab, info, ((u64)slab->page << PAGE_SHIFT) + (u64)index * info->slot_bytes);
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
	u32 freed;
	u32 bad;
	bool foreign;
	struct heap_trash trash;
};

static void owned_refuse(struct owned_batch *batch, u32 i, enum heap_refusal refusal)
{
	heap_refuse(batch->heap, refusal);
	if (i < batch->bad) {
		batch->bad = i;
		batch->foreign = refusal == HEAP_BAD_OWNER;
	}
}

static bool may_free(const struct owned_batch *batch, u16 who)
{
	u32 tag = who & OWNER_TAG_MASK;

	return !tag || tag == batch->tag;
}

static void free_slot(struct owned_batch *batch, u32 i, struct heap_shard *shard,
		      struct slab *slab)
{
	u64 index, offset = batch->offsets[i];

	core_assert_held(&shard->lock);
	if (!slab_slot(slab, offset, &index))
		return owned_refuse(batch, i, heap_why_interior(offset));
	if (!slab_slot_taken(slab, index))
		return owned_refuse(batch, i, HEAP_BAD_NOT_LIVE);
	if (!may_free(batch, heap_slot_who(slab, index)))
		return owned_refuse(batch, i, HEAP_BAD_OWNER);
	if (!heap_class_fits(slab_class(slab), batch->bytes))
		return owned_refuse(batch, i, HEAP_BAD_BYTES);
	slots_return(batch->heap, slab, give_slot(shard, slab, index), 1);
	batch->freed++;
	heap_owned_settle(batch->heap, shard, slab, &batch->trash);
}

/* Frees the slots from one on that lie in one shard. Returns how many. */
static u32 free_slots(struct owned_batch *batch, u32 i)
{
	struct slab *slab = slab_at(batch->heap, batch->offsets[i]);
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
		slab = i < batch->n ? slab_at(batch->heap, batch->offsets[i]) : NULL;
		/* Its home would not do: the tag may have gone to another owner by now. */
	} while (slab && heap_shard(batch->heap, slab) == shard);
	core_unlock(&shard->lock);
	return i - first;
}

static void free_span_locked(struct owned_batch *batch, u32 i, u64 page, u64 entry)
{
	u64 offset = batch->offsets[i];

	if (offset & (PAGE_SIZE - 1))
		return owned_refuse(batch, i, heap_why_interior(offset));
	if (!may_free(batch, dir_span_who(entry)))
		return owned_refuse(batch, i, HEAP_BAD_OWNER);
	if (!heap_span_fits(entry, batch->bytes))
		return owned_refuse(batch, i, HEAP_BAD_BYTES);
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

int heap_owned_free(struct heap *heap, const struct heap_owner *owner, const u64 *offsets, u32 n,
		    u64 bytes, u32 *bad, bool *foreign)
{
	struct owned_batch batch = {
		.heap = heap,
		.tag = tag_of(owner),
		.offsets = offsets,
		.n = n,
		.bytes = bytes,
		.bad = n,
	};
	u32 i, slots;

	*foreign = false;
	if (!heap->owners)
		return heap_free(heap, offsets, n, bytes, bad);
	if (!n || n > HEAP_BATCH_MAX)
		return -EINVAL;
	heap_trash_init(&batch.trash);
	for (i = 0; i < n; i += max(slots, 1U)) {
		rcu_read_lock();
		slots = free_slots(&batch, i);
		rcu_read_unlock();
		if (!slots)
			free_span(&batch, i);
	}
	heap_release_surplus(heap, &batch.trash);
	heap_note_empty(heap);
	*bad = batch.bad;
	*foreign = batch.foreign;
	return batch.freed;
}

/* Changes of owner. */

/**
 * struct change - a change of owner
 * @offset: of what
 * @from: who has to own it
 * @needs: %OWNER_OFFERED if it has to be on offer, or 0
 * @who: who owns it then, and whether it is on offer
 * @room: NULL, or memory for @who of a slab
 * @room_slots: its length
 */
struct change {
	u64 offset;
	u32 from;
	u16 needs;
	u16 who;
	u16 *room;
	u32 room_slots;
};

static bool may_change(const struct change *change, u16 who)
{
	return (who & OWNER_TAG_MASK) == change->from && (who & change->needs) == change->needs;
}

/* Makes a slab mixed, all of whose slots are its owner's. */
static void mix(struct heap *heap, struct slab *slab, struct change *change)
{
	u32 i, class = slab_class(slab);

	for (i = 0; i < change->room_slots; i++)
		change->room[i] = slab_owner(slab);
	WRITE_ONCE(owned_slab(slab)->who, change->room);
	change->room = NULL;
	core_lock(&heap->lock);
	heap->ops->mark(heap->keeper, slab->page, class_table[class].slab_pages,
			HEAP_MARK(HEAP_KIND_MIXED, class, slab_group(slab), slab_owner(slab)));
	core_unlock(&heap->lock);
}

/* Returns -EAGAIN if there is no room for the owners of the slab's slots. */
static int change_slot(struct heap *heap, struct heap_shard *shard, struct slab *slab,
		       struct change *change)
{
	u16 who;
	u64 i;

	core_assert_held(&shard->lock);
	if (!slab_slot(slab, change->offset, &i) || !slab_slot_taken(slab, i))
		return -EINVAL;
	who = heap_slot_who(slab, i);
	if (!may_change(change, who))
		return -EPERM;
	if (!owned_slab(slab)->who) {
		if (change->room_slots != class_table[slab_class(slab)].slots)
			return -EAGAIN;
		mix(heap, slab, change);
	}
	slot_changes(heap, slab, who & OWNER_TAG_MASK, change->who & OWNER_TAG_MASK);
	owned_slab(slab)->who[i] = change->who;
	return 0;
}

static int change_span(struct heap *heap, const struct change *change)
{
	u64 entry = 0, page = change->offset >> PAGE_SHIFT;
	u32 group, tag = change->who & OWNER_TAG_MASK;
	int ret = -EINVAL;

	core_lock(&heap->lock);
	if (page < heap->pages.count && !(change->offset & (PAGE_SIZE - 1)))
		entry = dir_get(&heap->dir, page);
	if (dir_is_span(entry)) {
		group = dir_span_group(entry);
		ret = may_change(change, dir_span_who(entry)) ? 0 : -EPERM;
	}
	if (!ret) {
		heap_stray_del(heap, change->from, 1);
		heap_stray_add(heap, tag, page);
		heap->ops->mark(heap->keeper, page, 1,
				HEAP_MARK(HEAP_KIND_SPAN, CLASS_SPAN, group, tag));
		dir_set(&heap->dir, page, 1,
			dir_span_entry(dir_span_pages(entry), group, change->who),
			&heap->dir_stock);
	}
	core_unlock(&heap->lock);
	return ret;
}

/* Room for the owners of @slots slots, instead of what there is. */
static bool make_room(struct heap *heap, struct change *change, u32 slots)
{
	heap_kfree(heap, change->room, owned_who_bytes(change->room_slots));
	change->room_slots = slots;
	change->room = heap_zalloc(heap, owned_who_bytes(slots));
	return change->room;
}

/* One attempt; @slots gets for how many there has to be room, if it is -EAGAIN. */
static int try_change(struct heap *heap, struct change *change, u32 *slots)
{
	struct heap_shard *shard;
	struct slab *slab;
	int ret = -EINVAL;

	rcu_read_lock();
	slab = slab_at(heap, change->offset);
	shard = slab ? heap_shard(heap, slab) : NULL;
	if (shard) {
		*slots = class_table[slab_class(slab)].slots;
		core_lock(&shard->lock);
		ret = change_slot(heap, shard, slab, change);
		core_unlock(&shard->lock);
	}
	rcu_read_unlock();
	return slab ? ret : change_span(heap, change);
}

static int change_owner(struct heap *heap, struct change *change)
{
	u32 slots = 0;
	int ret;

	while ((ret = try_change(heap, change, &slots)) == -EAGAIN) {
		if (!make_room(heap, change, slots))
			return -ENOMEM;
	}
	heap_kfree(heap, change->room, owned_who_bytes(change->room_slots));
	return ret;
}

int heap_give(struct heap *heap, const struct heap_owner *from, u64 offset,
	      const struct heap_owner *to)
{
	return change_owner(heap, &(struct change){
		.offset = offset,
		.from = from->tag,
		.who = tag_of(to),
	});
}

int heap_offer(struct heap *heap, const struct heap_owner *from, u64 offset)
{
	return change_owner(heap, &(struct change){
		.offset = offset,
		.from = from->tag,
		.who = from->tag | OWNER_OFFERED,
	});
}

int heap_take(struct heap *heap, const struct heap_owner *to, u64 offset,
	      const struct heap_owner *from)
{
	return change_owner(heap, &(struct change){
		.offset = offset,
		.from = tag_of(from),
		.needs = from ? OWNER_OFFERED : 0,
		.who = to->tag,
	});
}
