// SPDX-License-Identifier: GPL-2.0
/*
 * Objects with owners: changes of owner, and of what is tied to what. See
 * heap_owner.h.
 *
 * All of them are made in the same way: the object is looked up, it is seen who owns
 * it, and somebody else does, under the locks that heap_owned.c says. What that may
 * need of memory is allocated before, and looked at again.
 */
#include "core_env.h"
#include "heap_impl.h"
#include "heap_kin.h"
#include "heap_owner.h"

static u32 tag_of(const struct heap_owner *owner)
{
	return owner ? owner->tag : 0;
}

/* A slot has another owner; both may be the slab's own. */
static void slot_changes(struct heap *heap, const struct slab *slab, u32 from, u32 to)
{
	core_assert_held(&heap->lock);
	if (from == to)
		return;
	if (from != slab_owner(slab))
		heap_stray_del(heap, from, 1);
	if (to != slab_owner(slab))
		heap_stray_add(heap, to, slab_page(slab));
}

enum change_kind {
	CHANGE_OWNER,
	CHANGE_TO_PARENT,
	CHANGE_TO_CHILD,
	CHANGE_TO_NONE,
};

/**
 * struct change - a change of owner
 * @kind: of what kind
 * @offset: of what
 * @parent: of what is to be a child
 * @from: who has to own it
 * @needs: %OWNER_OFFERED if it has to be on offer, or 0
 * @who: who owns it then, and whether it is on offer
 * @kin: NULL, or a descriptor for what is tied
 * @room: NULL, or memory for @who of a slab
 * @room_slots: its length
 */
struct change {
	enum change_kind kind;
	u64 offset;
	u64 parent;
	u32 from;
	u16 needs;
	u16 who;
	struct heap_kin *kin;
	u16 *room;
	u32 room_slots;
};

/* As far as that can be said without a look at kin. */
static int may_change(const struct change *change, u16 who)
{
	if (who_is_kin(who))
		return 0;
	if ((who & OWNER_TAG_MASK) != change->from || (who & change->needs) != change->needs)
		return -EPERM;
	return change->kind == CHANGE_TO_NONE ? -EINVAL : 0;
}

/* Returns 0 and in @who, which was whose it is, whose it is to be; or an errno. */
static int alter(struct heap *heap, struct change *change, u16 *who)
{
	u16 old = *who;

	core_assert_held(&heap->lock);
	if (change->kind != CHANGE_OWNER)
		*who = OWNER_KIN;
	switch (change->kind) {
	case CHANGE_TO_PARENT:
		return heap_kin_become_parent(heap, change->offset, old, change->from,
					      &change->kin);
	case CHANGE_TO_CHILD:
		return heap_kin_become_child(heap, change->offset, old, change->from,
					     change->parent, &change->kin);
	case CHANGE_TO_NONE:
		*who = change->who;
		return heap_kin_leave(heap, change->offset, change->from);
	case CHANGE_OWNER:
		if (who_is_kin(old))
			return heap_kin_give(heap, change->offset, change->from, change->needs,
					     change->who);
		*who = change->who;
	}
	return 0;
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
	heap->ops->mark(heap->keeper, slab_page(slab), class_table[class].slab_pages,
			HEAP_MARK(HEAP_KIND_MIXED, class, slab_group(slab), slab_owner(slab)));
	core_unlock(&heap->lock);
}

/* Returns -EAGAIN if there is no room for the owners of the slab's slots. */
static int change_slot(struct heap *heap, struct heap_shard *shard, struct slab *slab,
		       struct change *change)
{
	u16 who, old;
	u64 i;
	int ret;

	core_assert_held(&shard->lock);
	if (!slab_slot(slab, change->offset, &i) || !slab_slot_taken(slab, i))
		return -EINVAL;
	old = heap_slot_who(slab, i);
	who = old;
	ret = may_change(change, who);
	if (ret)
		return ret;
	if (!owned_slab(slab)->who) {
		if (change->room_slots != class_table[slab_class(slab)].slots)
			return -EAGAIN;
		mix(heap, slab, change);
	}
	core_lock(&heap->lock);
	ret = alter(heap, change, &who);
	if (!ret)
		slot_changes(heap, slab, old & OWNER_TAG_MASK, who & OWNER_TAG_MASK);
	core_unlock(&heap->lock);
	if (!ret)
		owned_slab(slab)->who[i] = who;
	return ret;
}

/* A span that is tied to another has no tag in its mark, as that may be given away. */
static int change_span(struct heap *heap, struct change *change)
{
	u32 group, tag = change->kind == CHANGE_TO_CHILD ? 0 : change->who & OWNER_TAG_MASK;
	u64 entry = 0, page = change->offset >> PAGE_SHIFT;
	u16 who, old = 0;
	int ret = -EINVAL;

	core_lock(&heap->lock);
	if (page < heap->pages.count && !(change->offset & (PAGE_SIZE - 1)))
		entry = dir_get(&heap->dir, page);
	if (dir_is_span(entry)) {
		group = dir_span_group(entry);
		old = dir_span_who(entry);
		who = old;
		ret = may_change(change, who) ?: alter(heap, change, &who);
	}
	if (!ret) {
		heap_stray_del(heap, old & OWNER_TAG_MASK, 1);
		heap_stray_add(heap, who & OWNER_TAG_MASK, page);
		heap->ops->mark(heap->keeper, page, 1,
				HEAP_MARK(HEAP_KIND_SPAN, CLASS_SPAN, group, tag));
		dir_set(&heap->dir, page, 1,
			dir_span_entry(dir_span_pages(entry), group, who),
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
	slab = heap_slab_at(heap, change->offset);
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

/* The same with a descriptor. */
static int change_kin(struct heap *heap, struct change *change)
{
	int ret;

	change->kin = heap_kin_alloc(heap);
	if (!change->kin)
		return -ENOMEM;
	ret = change_owner(heap, change);
	heap_kfree(heap, change->kin, sizeof(*change->kin));
	return ret;
}

int heap_link(struct heap *heap, const struct heap_owner *owner, u64 child, u64 parent)
{
	int ret;

	if (child == parent)
		return -EINVAL;
	ret = change_kin(heap, &(struct change){
		.kind = CHANGE_TO_PARENT,
		.offset = parent,
		.from = owner->tag,
		.who = owner->tag,
	});
	if (ret)
		return ret;
	return change_kin(heap, &(struct change){
		.kind = CHANGE_TO_CHILD,
		.offset = child,
		.parent = parent,
		.from = owner->tag,
	});
}

int heap_unlink(struct heap *heap, const struct heap_owner *owner, u64 child)
{
	return change_owner(heap, &(struct change){
		.kind = CHANGE_TO_NONE,
		.offset = child,
		.from = owner->tag,
		.who = owner->tag,
	});
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
