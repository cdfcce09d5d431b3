// SPDX-License-Identifier: GPL-2.0
/*
 * A naive model of the heap, see model.h: owners, and what changes owner.
 */
#include "model_impl.h"

u32 model_choose_owner(struct model *model, struct model_source *source)
{
	u32 tries, owner;

	for (tries = 0; model->owned && tries < 4; tries++) {
		owner = 1 + model_choose(source, MODEL_OWNERS);
		if (model->owner[owner])
			return owner;
	}
	return NOBODY;
}

/* Life. */

static const char *create(struct model *model, u32 owner, u32 fail_nth)
{
	bool failed;
	int ret;

	/* Slabs that are left to one who was here before are not the new one's. */
	for (u32 i = 0; i < model->runs; i++)
		if (model->run[i].owner == owner && model->run[i].left)
			return NULL;
	host_fail_nth(fail_nth);
	ret = heap_owner_create(model->heap, ++model->ids, NULL, &model->owner[owner]);
	failed = host_failed();
	REQUIRE(ret == (failed ? -ENOMEM : 0));
	if (failed)
		model->owner[owner] = NULL;
	else
		model->id[owner] = model->ids;
	return NULL;
}

/* Says that all is free that an owner owns. */
static void note_end(struct model *model, u32 owner)
{
	u32 i, slot;

	for (i = 0; i < model->runs; i++) {
		struct model_run *run = &model->run[i];

		for (slot = 0; slot < model_slots(run); slot++)
			if (run->taken[slot] && !run->parent[slot] && run->who[slot] == owner)
				model_note_free(model, model_slot_offset(run, slot));
		run->left |= run->owner == owner;
	}
}

/* What is in caches of its own is given back before, or goes with all the rest. */
static const char *end(struct model *model, u32 owner, bool forgets)
{
	u32 steps = 0;

	REQUIRE_NULL(model_end_caches(model, owner, forgets));
	note_end(model, owner);
	while (heap_owner_end(model->heap, model->owner[owner])) {
		REQUIRE(steps++ < 100000);
		REQUIRE(!model->ended);
	}
	model->owner[owner] = NULL;
	model->id[owner] = 0;
	REQUIRE_NULL(model_check_released(model, false));
	return model->error;
}

const char *model_end_owners(struct model *model)
{
	u32 owner;

	for (owner = 1; owner <= MODEL_OWNERS; owner++)
		if (model->owner[owner])
			REQUIRE_NULL(end(model, owner, false));
	return NULL;
}

/* Changes of owner. */

enum change {
	GIVE,
	OFFER,
	TAKE,
};

/* What a change has to answer, and whether the object's slab becomes mixed. */
static int predict(struct model *model, u64 offset, enum change change, u32 from,
		   struct model_object *object, bool *mixes)
{
	*mixes = false;
	if (!model_object_at(model, offset, object))
		return -EINVAL;
	if (model_who(model, object) != from)
		return -EPERM;
	if (object->run->parent[object->slot])
		return -EBUSY;
	if (change == TAKE && from != NOBODY && !object->run->offered[object->slot])
		return -EPERM;
	*mixes = object->run->class != CLASS_SPAN && !object->run->mixed;
	return 0;
}

static int call(struct model *model, u64 offset, enum change change, u32 from, u32 to)
{
	struct heap *heap = model->heap;

	switch (change) {
	case GIVE:
		return heap_give(heap, model->owner[from], offset, model->owner[to]);
	case OFFER:
		return heap_offer(heap, model->owner[from], offset);
	default:
		return heap_take(heap, model->owner[to], offset, model->owner[from]);
	}
}

/* The mark that a run gets by a change, which a slab gets only once. */
static void expect_mark(struct model *model, struct model_run *run, bool mixes, u32 to)
{
	struct model_run changed = *run;
	u8 who = to;

	if (run->class == CLASS_SPAN)
		changed.who = &who;
	else if (!mixes)
		return;
	changed.mixed = mixes;
	model->remarked = model_mark_of(model, &changed);
}

static const char *change(struct model *model, u64 offset, enum change kind, u32 from, u32 to,
			  u32 fail_nth)
{
	struct model_object object;
	bool mixes, failed;
	int ret, want = predict(model, offset, kind, from, &object, &mixes);

	if (!want && !(mixes && fail_nth == 1))
		expect_mark(model, object.run, mixes, to);
	host_fail_nth(fail_nth);
	ret = call(model, offset, kind, from, to);
	failed = host_failed();
	REQUIRE(failed == (!want && mixes && fail_nth == 1));
	REQUIRE(ret == (failed ? -ENOMEM : want));
	REQUIRE(!model->remarked);
	if (ret)
		return model->error;
	object.run->mixed |= mixes;
	object.run->who[object.slot] = to;
	object.run->offered[object.slot] = kind == OFFER;
	return model->error;
}

static const char *step_change(struct model *model, struct model_source *source)
{
	u64 offset = model_choose_offset(model, source);
	u32 from = model_choose_owner(model, source), to = model_choose_owner(model, source);
	enum change kind = model_choose(source, 3);
	struct model_object object;

	/* Mostly from who owns it. */
	if (model_choose(source, 4) && model_object_at(model, offset, &object))
		from = model_who(model, &object);
	if (kind == OFFER)
		to = from;
	if ((kind != TAKE && from == NOBODY) || (kind == TAKE && to == NOBODY))
		return NULL;
	return change(model, offset, kind, from, to, model_choose(source, 8) ? 0 : 1);
}

/* What is tied to what. */

/* What either step of tying has to answer. */
static int predict_tie(struct model *model, u64 offset, u32 owner, struct model_object *object)
{
	if (!model_object_at(model, offset, object))
		return -EINVAL;
	if (model_who(model, object) != owner)
		return -EPERM;
	return object->run->parent[object->slot] ? -EBUSY : 0;
}

/* The parent, which becomes mixed at once, is looked at first. */
static const char *link_objects(struct model *model, u64 offset, u64 to, u32 owner)
{
	struct model_object object, parent;
	int ret, want = -EINVAL;

	if (offset != to)
		want = predict_tie(model, to, owner, &parent);
	if (!want) {
		parent.run->mixed |= parent.run->class != CLASS_SPAN;
		want = predict_tie(model, offset, owner, &object);
	}
	if (!want && model_has_children(model, offset))
		want = -EBUSY;
	model->remarks_freely = true;
	ret = heap_link(model->heap, model->owner[owner], offset, to);
	model->remarks_freely = false;
	REQUIRE(ret == want);
	if (ret)
		return model->error;
	object.run->mixed |= object.run->class != CLASS_SPAN;
	object.run->parent[object.slot] = to;
	object.run->offered[object.slot] = 0;
	model->links++;
	return model->error;
}

static const char *unlink_object(struct model *model, u64 offset, u32 owner)
{
	struct model_object object;
	int ret, want = predict_tie(model, offset, owner, &object);
	bool tied = want == -EBUSY;

	if (tied || !want)
		want = tied ? 0 : -EINVAL;
	model->remarks_freely = true;
	ret = heap_unlink(model->heap, model->owner[owner], offset);
	model->remarks_freely = false;
	REQUIRE(ret == want);
	if (ret)
		return model->error;
	object.run->parent[object.slot] = 0;
	object.run->who[object.slot] = owner;
	model->links--;
	return model->error;
}

static const char *step_link(struct model *model, struct model_source *source)
{
	u64 offset = model_choose_offset(model, source), to = model_choose_offset(model, source);
	u32 owner = model_choose_owner(model, source);
	struct model_object object;

	if (model_choose(source, 8) && model_object_at(model, offset, &object))
		owner = model_who(model, &object);
	if (model_choose(source, 4) && model->parent[owner])
		to = model_leave_alone(model, model->parent[owner]);
	if (owner == NOBODY)
		return NULL;
	model->parent[owner] = to;
	if (!model_choose(source, 4))
		return unlink_object(model, offset, owner);
	return link_objects(model, offset, to, owner);
}

const char *model_step_owners(struct model *model, struct model_source *source)
{
	u32 owner = 1 + model_choose(source, MODEL_OWNERS);

	if (!model->owner[owner])
		return create(model, owner, model_choose(source, 4));
	if (!model_choose(source, 40))
		return end(model, owner, model_choose(source, 2));
	if (!model_choose(source, 3))
		return step_link(model, source);
	return step_change(model, source);
}
