// SPDX-License-Identifier: GPL-2.0
/*
 * The commands about owners and what they own: GIVE, OFFER, TAKE, WALK.
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

/* GIVE, OFFER and TAKE have the same layout: all are worked on as GIVE. */
#define SAME(field)							\
	static_assert(offsetof(struct shmzone_give, field) ==		\
			      offsetof(struct shmzone_offer, field) &&	\
		      offsetof(struct shmzone_give, field) ==		\
			      offsetof(struct shmzone_take, field))
SAME(offsets);
SAME(count);
SAME(__reserved);
SAME(client);
SAME(out_count);
SAME(out_error);

/**
 * struct handover - one of the three at work
 * @change: changes the owner of one object
 * @heap: the heap
 * @mine: the caller
 * @other: whom the command names, or NULL
 */
struct handover {
	int (*change)(struct heap *heap, const struct heap_owner *mine,
		      u64 offset, const struct heap_owner *other);
	struct heap *heap;
	struct client *mine;
	struct client *other;
};

static int change_by_offer(struct heap *heap, const struct heap_owner *mine,
			   u64 offset, const struct heap_owner *other)
{
	return heap_offer(heap, mine, offset);
}

static int change_next(const struct handover *handover, u64 offset)
{
	return handover->change(handover->heap, handover->mine->owner, offset,
				handover->other ? handover->other->owner : NULL);
}

static void change_all(const struct handover *handover,
		       struct shmzone_give *args, const u64 *offsets)
{
	int ret = 0;

	while (args->out_count < args->count) {
		if (args->out_count && fatal_signal_pending(current))
			ret = -EINTR;
		else
			ret = change_next(handover, offsets[args->out_count]);
		if (ret)
			break;
		args->out_count++;
		cond_resched();
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
	ret = find_both(handover, ucmd->zone, args->client);
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
	struct handover handover = { .change = heap_give };

	return handover_ioctl(ucmd, &handover);
}

long offer_ioctl(struct ucmd *ucmd)
{
	struct handover handover = { .change = change_by_offer };
	const struct shmzone_offer *offer = ucmd->cmd;

	return offer->client ? -EINVAL : handover_ioctl(ucmd, &handover);
}

long take_ioctl(struct ucmd *ucmd)
{
	struct handover handover = { .change = heap_take };

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
				 (object->offered ? SHMZONE_OBJECT_OFFERED : 0),
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
