/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owners of what is in a heap.
 *
 * In a heap with owners every object belongs to an *owner*, or to nobody. What
 * an owner allocates is its own, in slabs that are its own too: slots that
 * different owners have allocated never share a page. An object can be freed by
 * its owner alone, or by anyone if it is nobody's.
 *
 * An object changes its owner
 *
 *	given	by its owner, to another one or to nobody
 *	taken	by another one, from an owner who has *offered* it, or from nobody
 *
 * An offer changes nothing else, and ends when the object is taken, given or
 * freed. The slot stays where it is: its slab, which stays with whom it was
 * allocated for, becomes *mixed*, and is marked so. From then on until it ends it
 * has two bytes a slot that say whose each is.
 *
 * An object can be *tied* to another one of the same owner, its *parent*, and is
 * freed then when that is, at the latest. Until it is untied it is of whoever owns its
 * parent, who may free it before; it is given, offered and taken with its parent
 * alone. A parent has any number of children, but no parent itself. What is tied
 * makes its slab mixed.
 *
 * At an owner's end all that it owns is freed, offered or not. Its slabs end with
 * it, but for those on which slots are left that others own; these end when
 * the last of them is freed. Nothing is taken from them any more. What there is of
 * the owner itself goes with the last of them.
 *
 * All of this is atomic: at any moment an object has one owner, or is nobody's.
 *
 * Owners are told apart by tags, which are used again when nothing is left of
 * who had them. Nobody's is 0.
 */
#ifndef SHMZONE_CORE_HEAP_OWNER_H
#define SHMZONE_CORE_HEAP_OWNER_H

#include "core_env.h"
#include "heap.h"

/**
 * heap_enable_owners() - let a heap have owners
 * @heap: the heap, in which nothing was allocated yet
 *
 * From then on heap_owned_free() is to be used, not heap_free(). May sleep.
 * Returns 0 or -ENOMEM.
 */
int heap_enable_owners(struct heap *heap);

/**
 * heap_owner_create() - make an owner
 * @heap: a heap with owners
 * @id: what it is called in struct heap_object
 * @payer: for owner_freed() of struct heap_ops
 * @owner: gets it
 *
 * May sleep. Returns 0, -ENOMEM, or -ENOSPC if all tags are in use.
 */
int heap_owner_create(struct heap *heap, u64 id, void *payer, struct heap_owner **owner);

u32 heap_owner_tag(const struct heap_owner *owner);

/**
 * heap_owner_end() - free some of what an owner owns
 * @owner: an owner that nobody uses any more
 *
 * To be called while it returns true: there is more. When it has returned false,
 * all is free, and @owner is not to be used any more. Holds locks for short times
 * only, and allocates nothing. May sleep.
 */
bool heap_owner_end(struct heap *heap, struct heap_owner *owner);

/**
 * heap_owned_free() - heap_free() in a heap with or without owners
 * @owner: who frees, or NULL for nobody
 * @foreign: gets whether the first that was refused is another's
 */
int heap_owned_free(struct heap *heap, const struct heap_owner *owner, const u64 *offsets, u32 n,
		    u64 bytes, u32 *bad, bool *foreign);

/**
 * heap_give() - give an object away
 * @from: who owns it
 * @offset: any value
 * @to: who is to own it, or NULL for nobody
 *
 * May sleep. Returns 0, -EINVAL if no live object starts there, -EPERM if it is
 * not that of @from, or -ENOMEM.
 */
int heap_give(struct heap *heap, const struct heap_owner *from, u64 offset,
	      const struct heap_owner *to);

/**
 * heap_offer() - let anyone take an object
 *
 * As heap_give().
 */
int heap_offer(struct heap *heap, const struct heap_owner *from, u64 offset);

/**
 * heap_take() - take an object
 * @to: who is to own it
 * @offset: any value
 * @from: who offers it; NULL for an object of nobody's, which needs no offer
 *
 * May sleep. Returns 0, -EINVAL if no live object starts there, -EPERM if @from
 * does not own or offer it, or -ENOMEM. Of several who take it one succeeds.
 */
int heap_take(struct heap *heap, const struct heap_owner *to, u64 offset,
	      const struct heap_owner *from);

/**
 * heap_link() - tie an object to another one
 * @owner: who owns both
 * @child: any value: what is to go with it
 * @parent: any value
 *
 * May sleep. Returns 0, -EINVAL if no live object starts at one of them or both are
 * the same, -EPERM if one of them is not that of @owner, -EBUSY if @child is tied to
 * another, or has children, or @parent is tied to another; or -ENOMEM.
 */
int heap_link(struct heap *heap, const struct heap_owner *owner, u64 child, u64 parent);

/**
 * heap_unlink() - the opposite
 *
 * May sleep. Returns 0, -EINVAL if it is not tied to another, or -EPERM if it is
 * not that of @owner.
 */
int heap_unlink(struct heap *heap, const struct heap_owner *owner, u64 child);

/**
 * heap_free_orphans() - free some of what goes with parents that an owner has freed
 * @owner: the owner, or NULL for who frees and is none
 *
 * To be called after frees, while it returns true: there may be more. May sleep.
 */
bool heap_free_orphans(struct heap *heap, const struct heap_owner *owner);

/**
 * heap_free_all_orphans() - the same, whoever has freed the parents
 *
 * To be called before heap_age(). heap_is_ageing() while there is something to do.
 */
bool heap_free_all_orphans(struct heap *heap);

#endif /* SHMZONE_CORE_HEAP_OWNER_H */
