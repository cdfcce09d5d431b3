// SPDX-License-Identifier: GPL-2.0
/*
 * The commands about owners and what they own: GIVE, OFFER, TAKE, LINK, WALK.
 *
 * As in objects.c, user memory is touched before and after the work alone. What is
 * to change its owner goes through a kernel copy of the whole array; that all of
 * it was done or a part is told in a structure that was writable before.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "client.h"
#include "core/heap.h"
#include "core/heap_owner.h"
#include "ioctl.h"
#include "shmzone.h"

/* OFFER, TAKE and LINK are worked on as GIVE, whose layout they have. */
#define SAME_AS(name, field, as)					\
	(offsetof(struct shmzone_##name, field) == offsetof(struct shmzone_give, as))
#define SAME(name, field)	SAME_AS(name, field, field)
#define LAID_OUT_AS_GIVE(name, named)					\
	static_assert(SAME(name, offsets) && SAME(name, count) &&	\
		      SAME(name, __reserved) && SAME_AS(name, named, client) && \
		      SAME(name, out_count) && SAME(name, out_error))
LAID_OUT_AS_GIVE(offer, client);
LAID_OUT_AS_GIVE(take, client);
LAID_OUT_AS_GIVE(link, parent);

/**
 * struct handover - one of them at work
 * @change: changes one object
 * @of_parent: it is about the parent that the command names, not a client
 * @heap: the heap
 * @mine: the caller
 * @other: whom the command names, or NULL
 * @parent: or the parent
 */
struct handover {
	int (*change)(const struct handover *handover, u64 offset);
	bool of_parent;
	struct heap *heap;
	struct client *mine;
	struct client *other;
	u64 parent;
};

static const struct heap_owner *other_owner(const struct handover *handover)
{
	return handover->other ? handover->other->owner : NULL;
}

static int give_one(const struct handover *handover, u64 offset)
{
	return heap_give(handover->heap, handover->mine->owner, offset,
			 other_owner(handover));
}

static int offer_one(const struct handover *handover, u64 offset)
{
	return heap_offer(handover->heap, handover->mine->owner, offset);
}

static int take_one(const struct handover *handover, u64 offset)
{
	return heap_take(handover->heap, handover->mine->owner, offset,
			 other_owner(handover));
}

static int link_one(const struct handover *handover, u64 offset)
{
	const struct heap_owner *mine = handover->mine->owner;

	if (handover->parent)
		return heap_link(handover->heap, mine, offset, handover->parent);
	return heap_unlink(handover->heap, mine, offset);
}

static int change_some(const struct handover *handover, struct shmzone_give *args,
		       const u64 *offsets, u32 n)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < n && !ret; i++) {
		if (args->out_count && fatal_signal_pending(current))
			ret = -EINTR;
		else
			ret = handover->change(handover, offsets[i]);
		args->out_count += !ret;
		cond_resched();
	}
	return ret;
}

/* The same in a checked zone, where none of them, nor the parent, lies in a stock. */
static int change_checked(const struct handover *handover, struct shmzone_give *args,
			  const u64 *offsets, u32 n)
{
	u64 all[HEAP_BATCH_MAX] core_uncleared;
	u32 first = !!handover->parent, good;
	int ret = -EINVAL;

	n = min_t(u32, n, HEAP_BATCH_MAX - first);
	all[0] = handover->parent;
	memcpy(all + first, offsets, n * sizeof(u64));
	good = client_begin_changes(handover->mine, all, first + n);
	if (good > first)
		ret = change_some(handover, args, offsets, good - first);
	if (!ret && good < first + n)
		ret = -EINVAL;
	client_end_check(handover->mine);
	return ret;
}

static void change_all(const struct handover *handover,
		       struct shmzone_give *args, const u64 *offsets)
{
	int ret = 0;

	while (args->out_count < args->count && !ret) {
		const u64 *next = offsets + args->out_count;
		u32 left = args->count - args->out_count;

		if (client_checks(handover->mine))
			ret = change_checked(handover, args, next, left);
		else
			ret = change_some(handover, args, next, left);
	}
	args->out_error = -ret;
}

/* Who the caller is, and who the command names; with references. */
static int find_both(struct handover *handover, struct shmzone *zone, u64 id)
{
	handover->mine = client_find(zone);
	if (!handover->mine)
		return -ENXIO;
	if (!id)
		return 0;
	handover->other = client_by_id(zone, id);
	if (handover->other)
		return 0;
	client_put(handover->mine);
	return -ESRCH;
}

static int check_handover(const struct ucmd *ucmd)
{
	const struct shmzone_give *args = ucmd->cmd;

	if (!zone_is(ucmd->zone, SHMZONE_CREATE_OWNED) || args->__reserved)
		return -EOPNOTSUPP;
	if (!args->count || args->count > SHMZONE_BATCH_MAX)
		return -EINVAL;
	return 0;
}

static int hand_over(struct handover *handover, struct ucmd *ucmd,
		     const u64 *offsets)
{
	struct shmzone_give *args = ucmd->cmd;
	int ret;

	ucmd->judged = true;
	handover->heap = ucmd->zone->heap;
	handover->parent = handover->of_parent ? args->client : 0;
	ret = find_both(handover, ucmd->zone, handover->of_parent ? 0 : args->client);
	if (ret)
		return ret;
	change_all(handover, args, offsets);
	if (handover->other)
		client_put(handover->other);
	client_put(handover->mine);
	ret = args->out_count ? 0 : -(int)args->out_error;
	return ucmd_respond(ucmd) ?: ret;
}

static long handover_ioctl(struct ucmd *ucmd, struct handover *handover)
{
	struct shmzone_give *args = ucmd->cmd;
	const void __user *from = u64_to_user_ptr(args->offsets);
	u64 *offsets;
	int ret;

	ret = check_handover(ucmd);
	if (ret)
		return ret;
	args->out_count = 0;
	args->out_error = 0;
	/* It cannot be undone: the answer must be writable beforehand. */
	ret = ucmd_respond(ucmd);
	if (ret)
		return ret;
	offsets = kvmalloc_array(args->count, sizeof(u64), ZONE_GFP);
	if (!offsets) {
		ucmd->examined = true;
		return -ENOMEM;
	}
	ret = -EFAULT;
	if (!copy_from_user(offsets, from, args->count * sizeof(u64)))
		ret = hand_over(handover, ucmd, offsets);
	kvfree(offsets);
	return ret;
}

long give_ioctl(struct ucmd *ucmd)
{
	struct handover handover = { .change = give_one };

	return handover_ioctl(ucmd, &handover);
}

long offer_ioctl(struct ucmd *ucmd)
{
	struct handover handover = { .change = offer_one };
	const struct shmzone_offer *offer = ucmd->cmd;

	return offer->client ? -EINVAL : handover_ioctl(ucmd, &handover);
}

long take_ioctl(struct ucmd *ucmd)
{
	struct handover handover = { .change = take_one };

	return handover_ioctl(ucmd, &handover);
}

long link_ioctl(struct ucmd *ucmd)
{
	struct handover handover = { .change = link_one, .of_parent = true };

	return handover_ioctl(ucmd, &handover);
}

/* The walk. */

static int check_walk(const struct shmzone_walk *walk)
{
	if (!walk->count || walk->count > SHMZONE_WALK_MAX)
		return -EINVAL;
	if (walk->object_size < offsetofend(struct shmzone_object, __reserved))
		return -EINVAL;
	if (walk->object_size > PAGE_SIZE)
		return -E2BIG;
	return 0;
}

/* Fills @objects; moves @cursor on, to 0 behind the last. */
static int find_objects(struct shmzone *zone, struct heap_object *objects,
			u32 n, u64 *cursor)
{
	u32 more, found = 0;

	while (found < n) {
		more = heap_walk(zone->heap, cursor, objects + found,
				 min_t(u32, n - found, HEAP_BATCH_MAX));
		if (!more) {
			*cursor = 0;
			break;
		}
		found += more;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return found;
}

static int tell_objects(const struct shmzone_walk *walk,
			const struct heap_object *objects, const u8 *cached)
{
	void __user *to = u64_to_user_ptr(walk->objects);
	u32 i;

	for (i = 0; i < walk->out_count; i++, to += walk->object_size) {
		const struct heap_object *object = &objects[i];
		struct shmzone_object row = {
			.offset = object->offset,
			.bytes = object->bytes,
			.owner = object->owner,
			.size_class = object->class,
			.group = object->group,
			.flags = (cached[i] ? SHMZONE_OBJECT_CACHED : 0) |
				 (object->offered ? SHMZONE_OBJECT_OFFERED : 0) |
				 (object->linked ? SHMZONE_OBJECT_LINKED : 0),
		};

		if (copy_struct_to_user(to, walk->object_size, &row, sizeof(row),
					NULL))
			return -EFAULT;
	}
	return 0;
}

/* What is found, and a byte for each that lies in a cache. */
struct walk_buffer {
	struct heap_object objects[SHMZONE_WALK_MAX];
	u8 cached[SHMZONE_WALK_MAX];
};

long walk_ioctl(struct ucmd *ucmd)
{
	struct shmzone_walk *walk = ucmd->cmd;
	struct walk_buffer *buffer;
	int ret;

	ret = check_walk(walk);
	if (ret)
		return ret;
	ucmd->examined = true;
	buffer = kvzalloc(sizeof(*buffer), ZONE_GFP);
	if (!buffer)
		return -ENOMEM;
	walk->out_cursor = walk->cursor;
	walk->__out_reserved = 0;
	ret = find_objects(ucmd->zone, buffer->objects, walk->count,
			   &walk->out_cursor);
	if (ret < 0)
		goto out;
	walk->out_count = ret;
	zone_find_cached(ucmd->zone, buffer->objects, ret, buffer->cached);
	ret = tell_objects(walk, buffer->objects, buffer->cached);
	if (!ret)
		ret = ucmd_respond(ucmd);
out:
	kvfree(buffer);
	return ret;
}
