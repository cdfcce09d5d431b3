// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that are tied to others, and go with them. See heap_owner.h.
 *
 * A *parent* has children, which have none themselves: there are no chains, and so
 * no cycles, and nothing here recurses. Both are *kin*, for whom there is a
 * descriptor each. Where the owner of an object stands, kin have %OWNER_KIN: the
 * descriptor says more. A parent's says whose it is, and its children are that
 * one's as well, whoever it is: so to give a parent away takes as long as to give
 * anything.
 *
 * When a parent is freed its descriptor stays as long as it has children, *orphans*,
 * which are nobody's to free any more, and are found by it. They are freed a batch at a
 * time, as other slots are, by who has freed the parent, so that nobody works for
 * others; or, if he does not go on, at his end, or where all orphans are looked for.
 *
 * Descriptors are found by offset, in a tree that branches by the bits of the
 * offset, well mixed. Each node is a descriptor, which may be anywhere on the way
 * that its bits lead. So it takes no memory beside them, is about as deep as the
 * logarithm of their number, and never deeper than there are bits.
 *
 * All of this is protected by the pages lock.
 */
#include "core_env.h"
#include "heap_impl.h"
#include "heap_kin.h"
#include "heap_owner.h"

/* Multiplying by an odd number is one to one, so that no two offsets are the same. */
#define KIN_MIX		0x9e3779b97f4a7c15ULL

/* Where the descriptor of an offset is, or would be. */
static struct heap_kin **kin_place(struct heap *heap, u64 offset)
{
	struct heap_kin **place = &heap->owners->kin;
	u64 bits = offset * KIN_MIX;

	core_assert_held(&heap->lock);
	for (; *place && (*place)->offset != offset; bits <<= 1)
		place = &(*place)->branch[bits >> 63];
	return place;
}

struct heap_kin *heap_kin_find(struct heap *heap, u64 offset)
{
	return *kin_place(heap, offset);
}

static void kin_insert(struct heap *heap, struct heap_kin *kin)
{
	*kin_place(heap, kin->offset) = kin;
	heap->owners->kins++;
}

/* Any node below another one may stand in its place. */
static void kin_remove(struct heap *heap, struct heap_kin *kin)
{
	struct heap_kin **place = kin_place(heap, kin->offset), **low = place, *last;

	while ((*low)->branch[0] || (*low)->branch[1])
		low = &(*low)->branch[!(*low)->branch[0]];
	last = *low;
	*low = NULL;
	if (last != kin) {
		last->branch[0] = kin->branch[0];
		last->branch[1] = kin->branch[1];
		*place = last;
	}
	heap->owners->kins--;
}

static struct heap_owner *owner_or_nobody(struct heap *heap, u32 tag)
{
	return heap_owner_at(heap, tag) ?: &heap->nobody;
}

/* The parent that it is tied to, or it is. */
static struct heap_kin *root_of(struct heap_kin *kin)
{
	return kin->is_child ? kin->parent : kin;
}

/* Has another owner from now on. */
static void kin_joins(struct heap *heap, struct heap_kin *kin, u16 who)
{
	kin->who = who;
	list_add(&kin->link, &owner_or_nobody(heap, who & OWNER_TAG_MASK)->parents);
}

u16 heap_kin_who(struct heap *heap, u64 offset, bool *linked)
{
	struct heap_kin *kin = heap_kin_find(heap, offset);

	*linked = kin && kin->is_child;
	if (!kin)
		return 0;
	return *linked ? kin->parent->who & OWNER_TAG_MASK : kin->who;
}

int heap_kin_give(struct heap *heap, u64 offset, u32 from, u16 needs, u16 who)
{
	struct heap_kin *kin = heap_kin_find(heap, offset);

	if ((root_of(kin)->who & OWNER_TAG_MASK) != from)
		return -EPERM;
	if (kin->is_child)
		return -EBUSY;
	if ((kin->who & needs) != needs)
		return -EPERM;
	list_del(&kin->link);
	kin_joins(heap, kin, who);
	return 0;
}

struct heap_kin *heap_kin_alloc(struct heap *heap)
{
	struct heap_kin *kin = heap_zalloc(heap, sizeof(*kin));

	if (kin)
		INIT_LIST_HEAD(&kin->children);
	return kin;
}

int heap_kin_become_parent(struct heap *heap, u64 offset, u16 who, u32 tag, struct heap_kin **new)
{
	struct heap_kin *kin;

	if ((who & OWNER_TAG_MASK) != OWNER_KIN) {
		kin = *new;
		*new = NULL;
		kin->offset = offset;
		kin_insert(heap, kin);
		kin_joins(heap, kin, who);
		return 0;
	}
	kin = heap_kin_find(heap, offset);
	if ((root_of(kin)->who & OWNER_TAG_MASK) != tag)
		return -EPERM;
	return kin->is_child ? -EBUSY : 0;
}

int heap_kin_become_child(struct heap *heap, u64 offset, u16 who, u32 tag, u64 parent_offset,
			  struct heap_kin **new)
{
	struct heap_kin *kin, *parent = heap_kin_find(heap, parent_offset);

	/* It was one a moment ago. */
	if (!parent)
		return -EINVAL;
	if (parent->is_child)
		return -EBUSY;
	if ((parent->who & OWNER_TAG_MASK) != tag)
		return -EPERM;
	if ((who & OWNER_TAG_MASK) == OWNER_KIN) {
		kin = heap_kin_find(heap, offset);
		if ((root_of(kin)->who & OWNER_TAG_MASK) != tag)
			return -EPERM;
		if (kin->is_child || !list_empty(&kin->children))
			return -EBUSY;
		list_del(&kin->link);
	} else {
		kin = *new;
		*new = NULL;
		kin->offset = offset;
		kin_insert(heap, kin);
	}
	kin->is_child = true;
	kin->parent = parent;
	list_add(&kin->link, &parent->children);
	return 0;
}

int heap_kin_leave(struct heap *heap, u64 offset, u32 tag)
{
	struct heap_kin *kin = heap_kin_find(heap, offset);

	if ((root_of(kin)->who & OWNER_TAG_MASK) != tag)
		return -EPERM;
	if (!kin->is_child)
		return -EINVAL;
	heap_kin_end(heap, offset, tag);
	return 0;
}

static bool is_dead(const struct heap_kin *parent)
{
	return parent->who == OWNER_KIN;
}

/* A parent is freed, but its children are still to be. */
static void kin_dies(struct heap *heap, struct heap_kin *kin, u32 tag)
{
	kin->who = OWNER_KIN;
	list_add(&kin->link, &owner_or_nobody(heap, tag)->dead);
	list_add(&kin->dead, &heap->owners->dead);
	heap_note_idle(heap);
}

/* A child is one no more: perhaps the last of a parent that was freed. */
static void kin_left(struct heap *heap, struct heap_kin *parent)
{
	if (!is_dead(parent) || !list_empty(&parent->children))
		return;
	list_del(&parent->link);
	list_del(&parent->dead);
	heap_kfree(heap, parent, sizeof(*parent));
}

void heap_kin_end(struct heap *heap, u64 offset, u32 tag)
{
	struct heap_kin *kin = heap_kin_find(heap, offset);

	kin_remove(heap, kin);
	list_del(&kin->link);
	heap->owners->changes++;
	if (!kin->is_child && !list_empty(&kin->children))
		return kin_dies(heap, kin, tag);
	if (kin->is_child)
		kin_left(heap, kin->parent);
	heap_kfree(heap, kin, sizeof(*kin));
}

/* Offsets of kin on a list, as many as fit into a batch. */
static u32 gather(const struct list_head *list, u64 *offsets)
{
	const struct heap_kin *kin;
	u32 n = 0;

	list_for_each_entry(kin, list, link) {
		if (n == HEAP_BATCH_MAX)
			break;
		offsets[n++] = kin->offset;
	}
	return n;
}

/* Frees some of a list that are of one owner. Returns whether there were any. */
static bool free_kin(struct heap *heap, u32 tag, const struct list_head *list)
	__releases(&heap->lock)
{
	u64 offsets[HEAP_BATCH_MAX];
	u32 n = list ? gather(list, offsets) : 0;

	core_unlock(&heap->lock);
	if (n)
		heap_free_of(heap, tag, offsets, n);
	return n;
}

bool heap_end_parents(struct heap *heap, struct heap_owner *owner)
{
	core_lock(&heap->lock);
	return free_kin(heap, owner->tag, &owner->parents);
}

bool heap_free_orphans(struct heap *heap, const struct heap_owner *owner)
{
	const struct list_head *dead = owner ? &owner->dead : &heap->nobody.dead;

	/* Who has just freed a parent sees it. */
	if (!heap->owners || list_empty(dead))
		return false;
	core_lock(&heap->lock);
	return free_kin(heap, OWNER_KIN, list_empty(dead) ? NULL :
			&list_first_entry(dead, struct heap_kin, link)->children);
}

bool heap_free_all_orphans(struct heap *heap)
{
	const struct list_head *dead;

	if (!heap->owners)
		return false;
	dead = &heap->owners->dead;
	core_lock(&heap->lock);
	return free_kin(heap, OWNER_KIN, list_empty(dead) ? NULL :
			&list_first_entry(dead, struct heap_kin, dead)->children);
}

bool heap_has_orphans(struct heap *heap)
{
	bool has;

	if (!heap->owners)
		return false;
	core_lock(&heap->lock);
	has = !list_empty(&heap->owners->dead);
	core_unlock(&heap->lock);
	return has;
}

/* Turns the tree at each node until there is nothing on one side of it. */
static void tree_destroy(struct heap *heap, struct heap_kin *kin)
{
	struct heap_kin *other;

	while (kin) {
		other = kin->branch[0];
		if (other) {
			kin->branch[0] = other->branch[1];
			other->branch[1] = kin;
		} else {
			other = kin->branch[1];
			heap_kfree(heap, kin, sizeof(*kin));
			cond_resched();
		}
		kin = other;
	}
}

void heap_kins_destroy(struct heap *heap)
{
	struct list_head *dead = &heap->owners->dead;
	struct heap_kin *kin;

	tree_destroy(heap, heap->owners->kin);
	while (!list_empty(dead)) {
		kin = list_first_entry(dead, struct heap_kin, dead);
		list_del(&kin->dead);
		heap_kfree(heap, kin, sizeof(*kin));
		cond_resched();
	}
}
