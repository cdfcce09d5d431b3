// SPDX-License-Identifier: GPL-2.0
/*
 * For kill.c: those who are never killed, and watch over every byte of theirs.
 *
 * In zones with owners they take what victims offer, and offer some of theirs to
 * them. Whether that was taken a client learns when it takes it itself, which ends the
 * offer: nothing but what is on offer still can be taken. When all rest and the
 * victim is gone nothing is under way any more.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kill.h"

#define HELD		48

struct object {
	__u64 offset;
	__u32 bytes;
	bool cached;
};

struct client {
	struct shared *shared;
	struct shmzone_cache *caches;
	unsigned int number;
	__u32 class;
	__u64 random;
	struct object objects[HELD];
	struct object lent;		/* offered to victims */
};

static bool holds(const struct client *c, __u64 offset)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		if (c->objects[i].offset == offset)
			return true;
	return c->lent.offset == offset;
}

/*
 * If it was not given it has gone with its victim, and what is there now is another
 * one: of this client, or of a class of which some are in its cache.
 */
static bool is_gift(const struct client *c, __u64 offset)
{
	struct shmzone_query found;

	return offset && !holds(c, offset) && !_try_query(c->shared->zone, offset, &found) &&
	       found.out_owner == c->shared->client_ids[c->number] &&
	       found.out_bytes >= HANDED_BYTES;
}

/* It was taken: a victim's now, or free and perhaps this client's again. */
static void lose(struct client *c)
{
	struct hands *hands = &c->shared->hands[c->number];

	__atomic_store_n(&hands->lent, 0, __ATOMIC_RELEASE);
	c->lent.offset = 0;
	c->shared->held[c->number]--;
	hands->lost++;
}

static void get(struct client *c, struct object *object)
{
	int zone = c->shared->zone, ret = 0;

	object->cached = next_random(&c->random) % 2;
	object->bytes = object->cached ? 64 : 1 + next_random(&c->random) % 5000;
	if (object->cached)
		object->offset = cache_alloc(zone, c->caches, 0, c->class, &ret);
	else
		ret = _try_alloc(zone, object->bytes, 1, &object->offset);
	if (ret < 0 || !object->offset) {
		object->offset = 0;
		return note_wrong(&c->shared->wrong, "a client cannot allocate", ret);
	}
	if (object->offset == c->lent.offset)
		lose(c);
	fill_pattern(c->shared->data + object->offset, object->bytes, object->offset);
	c->shared->held[c->number]++;
}

static void let_go(struct client *c, struct object *object)
{
	int zone = c->shared->zone, ret;

	if (!has_pattern(c->shared->data + object->offset, object->bytes, object->offset))
		note_wrong(&c->shared->wrong, "somebody wrote to a client's object", object->bytes);
	if (object->cached)
		ret = cache_free(zone, c->caches, 0, c->class, object->offset);
	else
		ret = _try_free_at(zone, object->offset) - 1;
	if (ret)
		note_wrong(&c->shared->wrong, "a client's free was refused", ret);
	object->offset = 0;
	c->shared->held[c->number]--;
}

/* To victims: what stands there of it is of no use to them, so they just take it. */
static void lend(struct client *c, struct object *object)
{
	struct hands *hands = &c->shared->hands[c->number];

	if (_try_handover(c->shared->zone, SHMZONE_OFFER, object->offset, 0))
		note_wrong(&c->shared->wrong, "a client cannot offer", object->bytes);
	c->lent = *object;
	object->offset = 0;
	__atomic_store_n(&hands->lent, c->lent.offset, __ATOMIC_RELEASE);
}

/* What was offered is one's own again, or it was taken. */
static void end_offer(struct client *c)
{
	struct hands *hands = &c->shared->hands[c->number];
	int ret = _try_handover(c->shared->zone, SHMZONE_TAKE, c->lent.offset,
				c->shared->client_ids[c->number]);

	if (ret == -EPERM || ret == -EINVAL)
		return lose(c);
	if (ret)
		note_wrong(&c->shared->wrong, "a client cannot end its offer", ret);
	__atomic_store_n(&hands->lent, 0, __ATOMIC_RELEASE);
	let_go(c, &c->lent);
}

/* Whoever offers may be dead by now, and the object gone. */
static bool take_offer(struct client *c, struct object *object)
{
	struct hands *hands = &c->shared->hands[c->number];
	__u64 from = __atomic_load_n(&hands->offerer, __ATOMIC_ACQUIRE);
	__u64 offset = __atomic_exchange_n(&hands->offered, 0, __ATOMIC_ACQ_REL);

	if (!offset || _try_handover(c->shared->zone, SHMZONE_TAKE, offset, from))
		return false;
	*object = (struct object){ offset, HANDED_BYTES };
	fill_pattern(c->shared->data + offset, HANDED_BYTES, offset);
	c->shared->held[c->number]++;
	hands->taken++;
	return true;
}

/* When there are no victims: nothing is under way to or from this client any more. */
static void settle(struct client *c)
{
	struct hands *hands = &c->shared->hands[c->number];

	if (c->lent.offset)
		end_offer(c);
	hands->offered = 0;
	if (is_gift(c, hands->gift)) {
		hands->taken++;
		if (_try_free_at(c->shared->zone, hands->gift) != 1)
			note_wrong(&c->shared->wrong, "a gift cannot be freed", 0);
	}
	hands->gift = 0;
}

static void hand_over(struct client *c, struct object *object)
{
	if (!object->offset) {
		if (!take_offer(c, object))
			get(c, object);
	} else if (c->lent.offset) {
		end_offer(c);
	} else if (!object->cached && object->bytes > HANDED_BYTES / 2) {
		lend(c, object);
	} else {
		let_go(c, object);
	}
}

static void work_once(struct client *c)
{
	struct object *object = &c->objects[next_random(&c->random) % HELD];

	if (is_owned(c->shared) && next_random(&c->random) % 4 == 0)
		hand_over(c, object);
	else if (object->offset)
		let_go(c, object);
	else
		get(c, object);
}

/* Until the one who counts has counted. */
static void have_a_rest(struct client *c, unsigned int rest)
{
	struct shared *shared = c->shared;

	if (is_owned(shared))
		settle(c);
	__atomic_store_n(&shared->resting[c->number], rest, __ATOMIC_RELEASE);
	while (__atomic_load_n(&shared->rest, __ATOMIC_ACQUIRE) == rest)
		usleep(200);
}

int client(struct shared *shared, unsigned int number)
{
	struct client c = { shared, map_caches(shared->zone, 1), number,
			    class_of(shared->zone, 64), number };
	unsigned int rest;

	__atomic_store_n(&shared->client_ids[number], _try_client(shared->zone),
			 __ATOMIC_RELEASE);
	while (c.caches != MAP_FAILED && !__atomic_load_n(&shared->end, __ATOMIC_ACQUIRE)) {
		rest = __atomic_load_n(&shared->rest, __ATOMIC_ACQUIRE);
		if (rest % 2) {
			have_a_rest(&c, rest);
			continue;
		}
		work_once(&c);
		/* Leave some time to those who are to be killed. */
		if (++shared->operations[number] % 16 == 0)
			usleep(1000);
	}
	return 0;
}
