/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects that are tied to others: what the core's other parts know of them. All is
 * under the pages lock, unless it says otherwise. See heap_kin.c.
 */
#ifndef SHMZONE_CORE_HEAP_KIN_H
#define SHMZONE_CORE_HEAP_KIN_H

#include "core_env.h"
#include "heap_impl.h"

/**
 * struct heap_kin - an object that is tied to others
 * @offset: the object's
 * @branch: below it in the tree
 * @dead: among all parents that were freed, which are in it no more
 * @link: among the children of @parent; of a parent: among those of its owner, or
 *        once it was freed among those that who did that has freed
 * @children: of a parent; may be empty
 * @parent: of a child
 * @is_child: which of these it is
 * @who: of a parent: who owns it, as above; %OWNER_KIN once it was freed
 */
struct heap_kin {
	u64 offset;
	union {
		struct heap_kin *branch[2];
		struct list_head dead;
	};
	struct list_head link;
	union {
		struct list_head children;
		struct heap_kin *parent;
	};
	bool is_child;
	u16 who;
};

/* There may be one for each object. */
static_assert(sizeof(struct heap_kin) <= 64);

/* Whether a slot's or span's owner is to be looked for there. */
static inline bool who_is_kin(u16 who)
{
	return (who & OWNER_TAG_MASK) == OWNER_KIN;
}

struct heap_kin *heap_kin_find(struct heap *heap, u64 offset);

/**
 * heap_kin_who() - who owns kin
 * @linked: gets whether it is a child
 *
 * Returns %OWNER_KIN for a child whose parent was freed.
 */
u16 heap_kin_who(struct heap *heap, u64 offset, bool *linked);

/* Not under a lock. */
struct heap_kin *heap_kin_alloc(struct heap *heap);

/**
 * heap_kin_give() - change the owner of kin
 * @from: who has to own it
 * @needs: as in struct change
 * @who: the same
 *
 * Returns 0, -EPERM, or -EBUSY for a child.
 */
int heap_kin_give(struct heap *heap, u64 offset, u32 from, u16 needs, u16 who);

/**
 * heap_kin_become_parent(), heap_kin_become_child() - tie an object to others
 * @who: its owner, or that it is kin already
 * @tag: who has to own it, and the parent
 * @new: a descriptor; NULL after that if it was used
 *
 * Return 0, -EINVAL, -EPERM, or -EBUSY if it is tied in another way.
 */
int heap_kin_become_parent(struct heap *heap, u64 offset, u16 who, u32 tag, struct heap_kin **new);
int heap_kin_become_child(struct heap *heap, u64 offset, u16 who, u32 tag, u64 parent_offset,
			  struct heap_kin **new);

/* A child is one no more; -EPERM if it is not of @tag, -EINVAL if it is none. */
int heap_kin_leave(struct heap *heap, u64 offset, u32 tag);

/* Kin is freed, by the owner with a tag. */
void heap_kin_end(struct heap *heap, u64 offset, u32 tag);

/* Whether heap_free_all_orphans() has something to do. */
bool heap_has_orphans(struct heap *heap);

/* Not under a lock: frees parents of an owner. Returns whether there may be more. */
bool heap_end_parents(struct heap *heap, struct heap_owner *owner);

/* Not under a lock. */
void heap_kins_destroy(struct heap *heap);

#endif /* SHMZONE_CORE_HEAP_KIN_H */
