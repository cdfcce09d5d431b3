// SPDX-License-Identifier: GPL-2.0
/*
 * The rules on owned zones.
 */
#include "caches.h"
#include "rules.h"

#define NOBODY		(1ULL << 60)

/* An owned zone, in which this process is a client and owns an object. */
struct owned {
	int zone;
	struct shmzone_cache *caches;
	__u64 client;
	__u64 object;
};

static bool make_owned(const struct place *p, struct owned *o)
{
	o->zone = _try_create_kind(p->control, SHMZONE_CREATE_OWNED, PLACE_BYTES, 0);
	o->caches = map_caches(o->zone, 1);
	if (o->caches == MAP_FAILED)
		return false;
	o->client = _try_client(o->zone);
	return _try_alloc(o->zone, 64, 1, &o->object) == 1;
}

static int alloc_as_no_client(struct place *p, int arg)
{
	int zone = _try_create_kind(p->control, SHMZONE_CREATE_OWNED, PLACE_BYTES, 0);
	__u64 offset;

	return zone < 0 ? WRONG : _try_alloc(zone, 64, 1, &offset);
}

static int hand_over_as_no_client(struct place *p, int cmd)
{
	int zone = _try_create_kind(p->control, SHMZONE_CREATE_OWNED, PLACE_BYTES, 0);

	return zone < 0 ? WRONG : _try_handover(zone, cmd, page_bytes(), 0);
}

/* What a child does, whom another client's object is nothing to. */
struct intrusion {
	struct owned owned;
	bool client;		/* it is a client itself */
	unsigned long cmd;
	__u64 from;
};

static int intrude(void *arg)
{
	const struct intrusion *in = arg;
	const struct owned *o = &in->owned;
	int ret;

	/* The first touch makes the child of a fork a client. */
	if (in->client && touch_read(o->caches))
		return -WRONG;
	if (in->cmd == SHMZONE_FREE)
		ret = _try_free_at(o->zone, o->object);
	else
		ret = _try_handover(o->zone, in->cmd, o->object, in->from);
	return ret < 0 ? -ret : 0;
}

static int intrude_by(struct place *p, unsigned long cmd, bool client, bool from_owner)
{
	struct intrusion in = { .client = client, .cmd = cmd };

	if (!make_owned(p, &in.owned))
		return WRONG;
	if (from_owner)
		in.from = in.owned.client;
	return -in_child(intrude, &in);
}

static int change_anothers(struct place *p, int cmd)
{
	return intrude_by(p, cmd, true, false);
}

static int take_unoffered(struct place *p, int arg)
{
	return intrude_by(p, SHMZONE_TAKE, true, true);
}

static int free_as_no_client(struct place *p, int arg)
{
	return intrude_by(p, SHMZONE_FREE, false, false);
}

static int hand_over_with_nobody(struct place *p, int cmd)
{
	struct owned o;

	return make_owned(p, &o) ? _try_handover(o.zone, cmd, o.object, NOBODY) : WRONG;
}

static int hand_over_nothing(struct place *p, int cmd)
{
	struct owned o;

	return make_owned(p, &o) ? _try_handover(o.zone, cmd, o.object + 8, 0) : WRONG;
}

static int read_and_hand_over(struct place *p, int cmd)
{
	struct owned o;

	if (!make_owned(p, &o))
		return WRONG;
	return _try_handover(_try_reopen(o.zone, SHMZONE_OPEN_RDONLY), cmd, o.object, 0);
}

static int hand_over_unowned(struct place *p, int cmd)
{
	return _try_map_caches(p->zone, 1) ? WRONG : _try_handover(p->zone, cmd, p->object, 0);
}

const struct rule owner_rules[] = {
	{ "no client: allocate", -ENXIO, alloc_as_no_client },
	{ "no client: give", -ENXIO, hand_over_as_no_client, SHMZONE_GIVE },
	{ "no client: offer", -ENXIO, hand_over_as_no_client, SHMZONE_OFFER },
	{ "no client: take", -ENXIO, hand_over_as_no_client, SHMZONE_TAKE },
	{ "no client: free what is another's", -EPERM, free_as_no_client },
	{ "free what is another's", -EPERM, change_anothers, SHMZONE_FREE },
	{ "give what is another's", -EPERM, change_anothers, SHMZONE_GIVE },
	{ "offer what is another's", -EPERM, change_anothers, SHMZONE_OFFER },
	{ "take what is another's", -EPERM, change_anothers, SHMZONE_TAKE },
	{ "take what is not offered", -EPERM, take_unoffered },
	{ "give to who is not there", -ESRCH, hand_over_with_nobody, SHMZONE_GIVE },
	{ "take from who is not there", -ESRCH, hand_over_with_nobody, SHMZONE_TAKE },
	{ "offer to somebody", -EINVAL, hand_over_with_nobody, SHMZONE_OFFER },
	{ "give what is no object", -EINVAL, hand_over_nothing, SHMZONE_GIVE },
	{ "offer what is no object", -EINVAL, hand_over_nothing, SHMZONE_OFFER },
	{ "take what is no object", -EINVAL, hand_over_nothing, SHMZONE_TAKE },
	{ "reading: give", -EACCES, read_and_hand_over, SHMZONE_GIVE },
	{ "reading: offer", -EACCES, read_and_hand_over, SHMZONE_OFFER },
	{ "reading: take", -EACCES, read_and_hand_over, SHMZONE_TAKE },
	{ "not owned: give", -EOPNOTSUPP, hand_over_unowned, SHMZONE_GIVE },
	{ "not owned: offer", -EOPNOTSUPP, hand_over_unowned, SHMZONE_OFFER },
	{ "not owned: take", -EOPNOTSUPP, hand_over_unowned, SHMZONE_TAKE },
	{}
};
