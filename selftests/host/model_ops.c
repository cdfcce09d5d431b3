// SPDX-License-Identifier: GPL-2.0
/*
 * A naive model of the heap, see model.h: operations and what they must do.
 */
#include "model_impl.h"

/* Choosing. */

u64 model_choose(struct model_source *source, u64 bound)
{
	return bound > 1 ? source->next(source, bound) : 0;
}

/* From 1 to @max, all orders of magnitude alike. */
static u64 choose_log(struct model_source *source, u64 max)
{
	u32 bits = model_choose(source, fls64(max) + 1);
	u64 n = bits ? (1ULL << (bits - 1)) + model_choose(source, 1ULL << (bits - 1)) : 1;

	return min(n, max);
}

static void choose_request(struct model *model, struct model_source *source,
			   struct heap_request *request)
{
	*request = (struct heap_request){
		.group = model_choose(source, 3) * 7,
		.hint = model_choose(source, 5) * 0x3fffffff,
	};
	switch (model_choose(source, 8)) {
	case 0:
		request->bytes = choose_log(source, model->pages) << PAGE_SHIFT;
		break;
	case 1:
		request->bytes = 32769 + choose_log(source, 1 << 20);
		break;
	case 2:
		request->bytes = choose_log(source, ~0ULL);
		break;
	case 3:
		request->bytes = class_table[1 + model_choose(source, CLASS_COUNT - 1)].slot_bytes;
		break;
	default:
		request->bytes = choose_log(source, 32768);
	}
	if (!model_choose(source, 4))
		request->align = 1U << model_choose(source, PAGE_SHIFT + 1);
	if (!model_choose(source, 50)) {
		request->bytes = model_choose(source, 2);
		request->align = model_choose(source, 1ULL << 32);
		request->group = model_choose(source, 20);
	}
	if (model->owned)
		request->owner = model->owner[model_choose_owner(model, source)];
}

static u64 choose_live(struct model *model, struct model_source *source)
{
	u32 tries, slots, slot;
	const u8 *taken;

	for (tries = 0; tries < 8 && model->runs; tries++) {
		struct model_run *run = &model->run[model_choose(source, model->runs)];

		if (!run->live)
			continue;
		slots = model_slots(run);
		slot = model_choose(source, slots);
		taken = memchr(run->taken + slot, TAKEN, slots - slot) ?:
			memchr(run->taken, TAKEN, slot);
		if (taken)
			return model_slot_offset(run, taken - run->taken);
	}
	return model_choose(source, model->pages << PAGE_SHIFT);
}

static u64 choose_offset(struct model *model, struct model_source *source)
{
	switch (model_choose(source, 16)) {
	case 0:
		return model_choose(source, model->pages << PAGE_SHIFT);
	case 1:
		return choose_log(source, ~0ULL);
	case 2:
		return model->recent[model_choose(source, MODEL_RECENT)];
	case 3:
		return choose_live(model, source) + model_choose(source, 64);
	case 4:
		return choose_live(model, source) + 8 * model_choose(source, 1 << 17) - (1 << 16);
	case 5:
		return model_choose(source, model->pages) << PAGE_SHIFT;
	default:
		return choose_live(model, source);
	}
}

u64 model_choose_offset(struct model *model, struct model_source *source)
{
	return model_leave_alone(model, choose_offset(model, source));
}

/* Allocating. */

static bool request_valid(const struct model *model, const struct heap_request *request, u32 n)
{
	u32 align = request->align;

	return model->owned == !!request->owner && n >= 1 && n <= HEAP_BATCH_MAX &&
	       request->bytes && request->group < 16 &&
	       (!align || ((align & (align - 1)) == 0 && align <= PAGE_SIZE));
}

/* Whether there was really no room for one more object. */
static bool no_room(const struct model *model, u32 class, u32 group, u32 owner, u64 n)
{
	u32 i;

	for (i = 0; i < model->runs && class != CLASS_SPAN; i++) {
		const struct model_run *run = &model->run[i];

		if (run->class == class && run->group == group && run->owner == owner &&
		    !run->left && run->live < model_slots(run))
			return false;
	}
	return model_lowest_fit(model, n) == NO_PAGE;
}

static const char *note_object(struct model *model, const struct heap_request *request, u64 offset)
{
	struct model_run *run = model_run_at(model, offset >> PAGE_SHIFT);
	u64 last;
	u32 slot;

	REQUIRE(run);
	REQUIRE(run->class == model->wanted.class && run->group == request->group);
	REQUIRE(run->owner == model->wanted.owner && !run->left);
	REQUIRE(model_slot_bytes(run) >= request->bytes);
	REQUIRE(!request->align || offset % request->align == 0);
	slot = (offset - (run->first << PAGE_SHIFT)) / model_slot_bytes(run);
	REQUIRE(slot < model_slots(run) && model_slot_offset(run, slot) == offset);
	REQUIRE(!run->taken[slot]);
	run->taken[slot] = TAKEN;
	run->who[slot] = run->owner;
	run->offered[slot] = 0;
	run->parent[slot] = 0;
	run->live++;
	last = offset + model_slot_bytes(run) - 1;
	model_dirty(model, offset >> PAGE_SHIFT, (last >> PAGE_SHIFT) - (offset >> PAGE_SHIFT) + 1);
	return NULL;
}

/* The figures; a class and group that could not be set up has none. */
static void note_figures(struct model *model, u32 group, u32 n, u32 got, bool injected)
{
	struct heap_class_stat *stat = &model->class_stat[group][model->wanted.class];
	struct heap_class_stat real;

	model->stat.requests += n;
	model->stat.failures += n - got;
	heap_get_class_stat(model->heap, model->wanted.class, group, &real);
	if (injected && real.requests == stat->requests)
		return;
	stat->requests += n;
	stat->failures += n - got;
}

static const char *alloc_once(struct model *model, const struct heap_request *request, u32 n,
			      u32 fail_nth, bool *injected)
{
	u32 class = class_for(max(request->bytes, 1ULL), request->align);
	int i, got;

	*injected = false;
	model->wanted.class = class;
	for (model->wanted.owner = 0; request->owner != model->owner[model->wanted.owner];)
		model->wanted.owner++;
	model->wanted.n = class ? class_table[class].slab_pages :
			  request->bytes / PAGE_SIZE + !!(request->bytes % PAGE_SIZE);
	host_fail_nth(fail_nth);
	got = heap_alloc(model->heap, request, model->got, n);
	*injected = host_failed();
	model->gots = max(got, 0);
	REQUIRE(!model->ended);
	if (!request_valid(model, request, n)) {
		REQUIRE(got == -EINVAL);
		return model->error;
	}
	REQUIRE(got && got <= (int)n);
	for (i = 0; i < got; i++)
		REQUIRE_NULL(note_object(model, request, model->got[i]));
	if (got < 0)
		REQUIRE(got == -ENOMEM || got == model->prepare_fails);
	if (got < (int)n && !*injected && !model->prepare_fails)
		REQUIRE(no_room(model, class, request->group, model->wanted.owner,
				model->wanted.n));
	note_figures(model, request->group, n, model->gots, *injected);
	model->wanted.n = 0;
	return model->error;
}

const char *model_alloc(struct model *model, const struct heap_request *request, u32 n)
{
	bool injected;

	return alloc_once(model, request, n, 0, &injected);
}

static const char *step_alloc(struct model *model, struct model_source *source)
{
	struct heap_request request;
	u32 n = 1;

	choose_request(model, source, &request);
	if (!model_choose(source, 3))
		n = model_choose(source, HEAP_BATCH_MAX + 2);
	if (request.bytes > 4096)
		n = min(n, 4U);
	if (model->runs + n > MODEL_RUNS)
		return NULL;
	if (!model_choose(source, 16))
		model->prepare_fails = -EIO;
	REQUIRE_NULL(model_alloc(model, &request, n));
	model->prepare_fails = 0;
	return NULL;
}

/* The same request with every allocation of memory failing in turn. */
static const char *step_alloc_failing(struct model *model, struct model_source *source)
{
	struct heap_request request;
	bool injected = true;
	u32 nth;

	choose_request(model, source, &request);
	for (nth = 1; injected && model->runs < MODEL_RUNS; nth++) {
		REQUIRE(nth < 100);
		REQUIRE_NULL(alloc_once(model, &request, 1 + model_choose(source, 2), nth,
					&injected));
		REQUIRE_NULL(heap_check(model->heap));
	}
	return NULL;
}

/* Freeing. */

static enum heap_refusal predict(struct model *model, u32 freer, u64 offset, u64 bytes)
{
	u64 page = offset >> PAGE_SHIFT;
	struct model_object object;
	struct model_run *run;
	u64 align, delta;
	u32 who;

	if (!offset || page >= model->pages)
		return HEAP_BAD_OUTSIDE;
	if (offset % 8)
		return HEAP_BAD_MISALIGNED;
	run = model_run_at(model, page);
	if (!run || (run->class == CLASS_SPAN && !run->live))
		return HEAP_BAD_NOT_LIVE;
	delta = offset - (run->first << PAGE_SHIFT);
	if (delta % model_slot_bytes(run))
		return HEAP_BAD_INTERIOR;
	if (!run->taken[delta / model_slot_bytes(run)] ||
	    run->parent[delta / model_slot_bytes(run)] == ORPHAN)
		return HEAP_BAD_NOT_LIVE;
	model_object_at(model, offset, &object);
	who = model_who(model, &object);
	if (who != NOBODY && who != freer)
		return HEAP_BAD_OWNER;
	if (!bytes)
		return HEAP_REFUSALS;
	if (run->class == CLASS_SPAN)
		return max(bytes, PAGE_SIZE) > 32768 && bytes <= model_slot_bytes(run) &&
		       bytes + PAGE_SIZE > model_slot_bytes(run) ? HEAP_REFUSALS : HEAP_BAD_BYTES;
	align = min(model_slot_bytes(run) & -model_slot_bytes(run), PAGE_SIZE);
	return class_for(bytes, align) == run->class ?
	       HEAP_REFUSALS : HEAP_BAD_BYTES;
}

/* One object alone. */
static void note_free(struct model *model, struct model_run *run, u64 offset)
{
	u32 slot = (offset - (run->first << PAGE_SHIFT)) / model_slot_bytes(run);

	model->links -= !!run->parent[slot];
	run->parent[slot] = 0;
	run->taken[slot] = 0;
	run->live--;
	model->stat.frees++;
	model->class_stat[run->group][run->class].frees++;
	model->recent[model->recents++ % MODEL_RECENT] = offset;
}

/* The same, and what is tied to it is an orphan. */
static void note_parent_free(struct model *model, u64 offset)
{
	u32 i, slot;

	note_free(model, model_run_at(model, offset >> PAGE_SHIFT), offset);
	for (i = 0; i < model->runs && model->links; i++) {
		struct model_run *run = &model->run[i];

		for (slot = 0; slot < model_slots(run); slot++)
			if (run->taken[slot] && run->parent[slot] == offset)
				run->parent[slot] = ORPHAN;
	}
}

/* Orphans are free. */
static void note_orphans_free(struct model *model)
{
	u32 i, slot;

	for (i = 0; i < model->runs && model->links; i++) {
		struct model_run *run = &model->run[i];

		for (slot = 0; slot < model_slots(run); slot++)
			if (run->taken[slot] && run->parent[slot] == ORPHAN)
				note_free(model, run, model_slot_offset(run, slot));
	}
}

void model_note_free(struct model *model, u64 offset)
{
	note_parent_free(model, offset);
	note_orphans_free(model);
}

/*
 * Every offset is judged by what lived when the batch began, but for objects
 * that the batch itself has freed already. Where there are owners, what a span
 * was has gone with it.
 */
static void predict_batch(struct model *model, u32 freer, const u64 *offsets, u32 n, u64 bytes,
			  enum heap_refusal *refusal)
{
	u32 i, j;

	for (i = 0; i < n; i++) {
		refusal[i] = predict(model, freer, offsets[i], bytes);
		if (refusal[i] == HEAP_REFUSALS && model->owned)
			note_parent_free(model, offsets[i]);
		for (j = 0; j < i && refusal[i] == HEAP_REFUSALS && !model->owned; j++)
			if (offsets[j] == offsets[i])
				refusal[i] = HEAP_BAD_NOT_LIVE;
	}
	for (i = 0; i < n && !model->owned; i++)
		if (refusal[i] == HEAP_REFUSALS)
			note_parent_free(model, offsets[i]);
}

const char *model_free_batch(struct model *model, u32 freer, const u64 *offsets, u32 n,
			     u64 bytes)
{
	enum heap_refusal refusal[HEAP_BATCH_MAX];
	u32 i, freed = 0, first = n, bad = ~0U;
	bool foreign;

	predict_batch(model, freer, offsets, n, bytes, refusal);
	for (i = 0; i < n; i++) {
		if (refusal[i] == HEAP_REFUSALS) {
			freed++;
			continue;
		}
		model->stat.refused[refusal[i]]++;
		first = min(first, i);
	}
	REQUIRE(heap_owned_free(model->heap, model->owner[freer], offsets, n, bytes, &bad,
				&foreign) == (int)freed);
	REQUIRE(foreign == (bad < n && refusal[bad] == HEAP_BAD_OWNER));
	note_orphans_free(model);
	while (heap_free_orphans(model->heap, model->owner[freer]))
		;
	REQUIRE(bad == first);
	REQUIRE(!model->ended);
	REQUIRE_NULL(model_check_released(model, false));
	return model->error;
}

const char *model_free_one(struct model *model, u64 offset)
{
	struct model_object object;
	u32 freer = NOBODY;

	if (model_object_at(model, offset, &object))
		freer = model_who(model, &object);
	return model_free_batch(model, freer, &offset, 1, 0);
}

static const char *step_free(struct model *model, struct model_source *source)
{
	u64 offsets[HEAP_BATCH_MAX], bytes = 0;
	u32 i, n = model_choose(source, 3) ? 1 : 1 + model_choose(source, HEAP_BATCH_MAX);
	u32 freer = model_choose_owner(model, source);
	struct model_object object;
	struct model_run *run;

	for (i = 0; i < n; i++)
		offsets[i] = model_choose_offset(model, source);
	/* Mostly it is the owner who frees. */
	if (model_choose(source, 4) && model_object_at(model, offsets[0], &object))
		freer = model_who(model, &object);
	run = model_run_at(model, offsets[0] >> PAGE_SHIFT);
	if (run && !model_choose(source, 4))
		bytes = model_slot_bytes(run) - model_choose(source, 16);
	else if (!model_choose(source, 16))
		bytes = choose_log(source, ~0ULL);
	return model_free_batch(model, freer, offsets, n, bytes);
}

/* Frees neighbours, as a program does that drops what it made together. */
static const char *step_free_run(struct model *model, struct model_source *source)
{
	u64 offsets[HEAP_BATCH_MAX];
	u32 slot, n = 0, slots;
	struct model_run *run;

	if (!model->runs)
		return NULL;
	run = &model->run[model_choose(source, model->runs)];
	slots = model_slots(run);
	for (slot = model_choose(source, slots); slot < slots && n < HEAP_BATCH_MAX; slot++)
		if (run->taken[slot] == TAKEN)
			offsets[n++] = model_slot_offset(run, slot);
	return n ? model_free_batch(model, run->left ? NOBODY : run->owner, offsets, n, 0) : NULL;
}

/* The rest. */

static const char *step_find(struct model *model, struct model_source *source)
{
	u64 offset = model_choose_offset(model, source);
	struct model_object want;
	struct heap_object object;
	struct model_run *run;

	if (!model_object_at(model, offset, &want)) {
		REQUIRE(heap_find(model->heap, offset, &object) == -EINVAL);
		return NULL;
	}
	run = want.run;
	REQUIRE(!heap_find(model->heap, offset, &object));
	REQUIRE(object.offset == offset && object.bytes == model_slot_bytes(run));
	REQUIRE(object.class == run->class && object.group == run->group);
	REQUIRE(object.owner == model->id[model_who(model, &want)]);
	REQUIRE(object.linked == !!run->parent[want.slot]);
	REQUIRE(object.offered == run->offered[want.slot]);
	return NULL;
}

static const char *step_limit(struct model *model, struct model_source *source)
{
	model->limit = model_choose(source, 3) ? choose_log(source, model->pages) : model->pages;
	heap_set_limit(model->heap, model->limit);
	return NULL;
}

static const char *step_trim(struct model *model)
{
	heap_trim(model->heap);
	REQUIRE_NULL(model_check_released(model, true));
	return model->error;
}

/* Twice without a use in between lets everything go that is held back. */
static const char *step_age(struct model *model)
{
	heap_age(model->heap);
	REQUIRE(!heap_age(model->heap));
	REQUIRE_NULL(model_check_released(model, true));
	return model->error;
}

const char *model_step(struct model *model, struct model_source *source)
{
	u32 kind = model_choose(source, 100);

	if (model->owned && !model_choose(source, 4))
		return model_step_owners(model, source);
	if (!model_choose(source, 3))
		return model_step_caches(model, source);
	if (kind < 40)
		return step_alloc(model, source);
	if (kind < 75)
		return step_free(model, source);
	if (kind < 85)
		return step_free_run(model, source);
	if (kind < 92)
		return step_find(model, source);
	if (kind < 95)
		return step_alloc_failing(model, source);
	if (kind < 96)
		return step_limit(model, source);
	if (kind < 97)
		return step_trim(model);
	if (kind < 98)
		return step_age(model);
	return model_check(model);
}
