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

/* Objects: one that is tied to its parent, and one that is not. */
struct tied {
	struct owned owned;
	__u64 parent;
	__u64 other;
};

static bool make_tied(const struct place *p, struct tied *t)
{
	return make_owned(p, &t->owned) &&
	       _try_alloc(t->owned.zone, 64, 1, &t->parent) == 1 &&
	       _try_alloc(t->owned.zone, 64, 1, &t->other) == 1 &&
	       !_try_handover(t->owned.zone, SHMZONE_LINK, t->owned.object, t->parent);
}

static int link_to_nothing(struct place *p, int arg)
{
	struct tied t;

	return make_tied(p, &t) ?
	       _try_handover(t.owned.zone, SHMZONE_LINK, t.other, t.parent + 8) : WRONG;
}

static int link_to_itself(struct place *p, int arg)
{
	struct tied t;

	return make_tied(p, &t) ?
	       _try_handover(t.owned.zone, SHMZONE_LINK, t.other, t.other) : WRONG;
}

static int unlink_what_is_not_linked(struct place *p, int arg)
{
	struct tied t;

	return make_tied(p, &t) ?
	       _try_handover(t.owned.zone, SHMZONE_LINK, t.parent, 0) : WRONG;
}

static int link_again(struct place *p, int arg)
{
	struct tied t;

	return make_tied(p, &t) ?
	       _try_handover(t.owned.zone, SHMZONE_LINK, t.owned.object, t.other) : WRONG;
}

static int link_to_what_is_linked(struct place *p, int arg)
{
	struct tied t;

	return make_tied(p, &t) ?
	       _try_handover(t.owned.zone, SHMZONE_LINK, t.other, t.owned.object) : WRONG;
}

static int link_parent(struct place *p, int arg)
{
	struct tied t;

	return make_tied(p, &t) ?
	       _try_handover(t.owned.zone, SHMZONE_LINK, t.parent, t.other) : WRONG;
}

static int hand_over_linked(struct place *p, int cmd)
{
	struct tied t;

	return make_tied(p, &t) ? _try_handover(t.owned.zone, cmd, t.owned.object, 0) : WRONG;
}

/* A child of a fork, which is a client: an object of its own, and its parent's. */
static int link_across(void *arg)
{
	const struct intrusion *in = arg;
	const struct owned *o = &in->owned;
	__u64 own;
	int ret;

	if (touch_read(o->caches) || _try_alloc(o->zone, 64, 1, &own) != 1)
		return -WRONG;
	if (in->from)
		ret = _try_handover(o->zone, SHMZONE_LINK, own, o->object);
	else
		ret = _try_handover(o->zone, SHMZONE_LINK, o->object, own);
	return ret < 0 ? -ret : 0;
}

static int link_with_anothers(struct place *p, int to_it)
{
	struct intrusion in = { .from = to_it };

	return make_owned(p, &in.owned) ? -in_child(link_across, &in) : WRONG;
}

static int take_linked(void *arg)
{
	const struct intrusion *in = arg;
	const struct owned *o = &in->owned;

	if (touch_read(o->caches))
		return -WRONG;
	return -_try_handover(o->zone, SHMZONE_TAKE, o->object, o->client);
}

static int take_linked_of_offered(struct place *p, int arg)
{
	struct intrusion in = {};
	struct tied t;

	if (!make_tied(p, &t) || _try_handover(t.owned.zone, SHMZONE_OFFER, t.parent, 0))
		return WRONG;
	in.owned = t.owned;
	return -in_child(take_linked, &in);
}

const struct rule owner_rules[] = {
	{ "no client: allocate", -ENXIO, alloc_as_no_client },
	{ "no client: give", -ENXIO, hand_over_as_no_client, SHMZONE_GIVE },
	{ "no client: offer", -ENXIO, hand_over_as_no_client, SHMZONE_OFFER },
	{ "no client: take", -ENXIO, hand_over_as_no_client, SHMZONE_TAKE },
	{ "no client: link", -ENXIO, hand_over_as_no_client, SHMZONE_LINK },
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
	{ "link what is another's", -EPERM, link_with_anothers, 0 },
	{ "link to what is another's", -EPERM, link_with_anothers, 1 },
	{ "unlink what is another's", -EPERM, change_anothers, SHMZONE_LINK },
	{ "unlink what is no object", -EINVAL, hand_over_nothing, SHMZONE_LINK },
	{ "unlink what is not linked", -EINVAL, unlink_what_is_not_linked },
	{ "link to what is no object", -EINVAL, link_to_nothing },
	{ "link to itself", -EINVAL, link_to_itself },
	{ "link what is linked", -EBUSY, link_again },
	{ "link to what is linked", -EBUSY, link_to_what_is_linked },
	{ "link what others are linked to", -EBUSY, link_parent },
	{ "give what is linked", -EBUSY, hand_over_linked, SHMZONE_GIVE },
	{ "offer what is linked", -EBUSY, hand_over_linked, SHMZONE_OFFER },
	{ "take what is linked", -EBUSY, take_linked_of_offered },
	{ "reading: give", -EACCES, read_and_hand_over, SHMZONE_GIVE },
	{ "reading: offer", -EACCES, read_and_hand_over, SHMZONE_OFFER },
	{ "reading: take", -EACCES, read_and_hand_over, SHMZONE_TAKE },
	{ "reading: link", -EACCES, read_and_hand_over, SHMZONE_LINK },
	{ "not owned: give", -EOPNOTSUPP, hand_over_unowned, SHMZONE_GIVE },
	{ "not owned: offer", -EOPNOTSUPP, hand_over_unowned, SHMZONE_OFFER },
	{ "not owned: take", -EOPNOTSUPP, hand_over_unowned, SHMZONE_TAKE },
	{ "not owned: link", -EOPNOTSUPP, hand_over_unowned, SHMZONE_LINK },
	{}
};
