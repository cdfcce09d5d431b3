// SPDX-License-Identifier: GPL-2.0
/*
 * A naive model of the heap, see model.h: its state and what it compares.
 */
#include "model_impl.h"

/* Runs. */

/* The index of the first run that ends after a page. */
static u32 run_index(const struct model *model, u64 page)
{
	u32 low = 0, high = model->runs;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (model->run[mid].first + model->run[mid].n <= page)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct model_run *model_run_at(struct model *model, u64 page)
{
	u32 i = run_index(model, page);

	return i < model->runs && model->run[i].first <= page ? &model->run[i] : NULL;
}

static u64 taken_pages(const struct model *model)
{
	u64 pages = 0;
	u32 i;

	for (i = 0; i < model->runs; i++)
		pages += model->run[i].n;
	return pages;
}

u64 model_lowest_fit(const struct model *model, u64 n)
{
	u64 page = 1, taken = taken_pages(model);
	u32 i;

	if (taken > model->limit || n > model->limit - taken)
		return NO_PAGE;
	for (i = 0; i < model->runs; i++) {
		if (model->run[i].first - page >= n)
			return page;
		page = model->run[i].first + model->run[i].n;
	}
	return n <= model->pages - page ? page : NO_PAGE;
}

u64 model_slot_bytes(const struct model_run *run)
{
	return run->class == CLASS_SPAN ? run->n << PAGE_SHIFT :
	       class_table[run->class].slot_bytes;
}

u32 model_slots(const struct model_run *run)
{
	return run->class == CLASS_SPAN ? 1 : class_table[run->class].slots;
}

bool model_object_at(struct model *model, u64 offset, struct model_object *object)
{
	struct model_run *run = model_run_at(model, offset >> PAGE_SHIFT);
	u64 delta;

	if (!run)
		return false;
	delta = offset - (run->first << PAGE_SHIFT);
	object->run = run;
	object->slot = delta / model_slot_bytes(run);
	return !(delta % model_slot_bytes(run)) && run->taken[object->slot];
}

u32 model_who(struct model *model, const struct model_object *object)
{
	u64 parent = object->run->parent[object->slot];
	struct model_object root = *object;

	if (parent)
		model_object_at(model, parent, &root);
	return root.run->who[root.slot];
}

bool model_has_children(const struct model *model, u64 offset)
{
	u32 i, slot;

	for (i = 0; i < model->runs; i++)
		for (slot = 0; slot < model_slots(&model->run[i]); slot++)
			if (model->run[i].taken[slot] && model->run[i].parent[slot] == offset)
				return true;
	return false;
}

u64 model_slot_offset(const struct model_run *run, u32 slot)
{
	return (run->first << PAGE_SHIFT) + slot * model_slot_bytes(run);
}

void model_dirty(struct model *model, u64 first, u64 n)
{
	if (model->pages <= MODEL_DIRTY)
		memset(model->dirty + first, 1, n);
}

/* Callbacks. */

static void complain(struct model *model, const char *error)
{
	if (!model->error)
		model->error = error;
}

static int model_prepare(void *keeper, u64 first, u64 n, u64 marked)
{
	struct model *model = keeper;

	if (marked != (model->wanted.class == CLASS_SPAN ? 1 : n))
		complain(model, "model: not the right pages are to be marked");
	if (n != model->wanted.n)
		complain(model, "model: a run of another length was reserved");
	if (first != model_lowest_fit(model, n))
		complain(model, "model: a run was not reserved at the lowest place");
	if (model->ended)
		complain(model, "model: a run was reserved before another was released");
	if (heap_page(model->heap, first + n - 1) != HEAP_PAGE_PREPARED)
		complain(model, "model: a run that is prepared does not say so");
	model->prepared = first;
	if (model->wanted.class == CLASS_SPAN)
		model_dirty(model, first, n);
	return model->prepare_fails;
}

u32 model_mark_of(const struct model *model, const struct model_run *run)
{
	u32 owner = run->class == CLASS_SPAN && run->live ? run->who[0] : run->owner;
	u32 kind = run->class == CLASS_SPAN ? HEAP_KIND_SPAN :
		   run->mixed ? HEAP_KIND_MIXED : HEAP_KIND_SLAB;

	return HEAP_MARK(kind, run->class, run->group,
			 owner ? heap_owner_tag(model->owner[owner]) : 0);
}

static void free_run(struct model_run *run)
{
	free(run->taken);
	free(run->who);
	free(run->offered);
	free(run->parent);
}

static void mark_made(struct model *model, u64 first, u64 n, u32 mark)
{
	struct model_run run = {
		.first = first,
		.n = model->wanted.n,
		.class = HEAP_MARK_CLASS(mark),
		.group = HEAP_MARK_GROUP(mark),
		.owner = model->wanted.owner,
	};
	u32 i = run_index(model, first);

	if (first != model->prepared || run.class != model->wanted.class)
		return complain(model, "model: something else was marked than prepared");
	if (HEAP_MARK_KIND(mark) != (run.class == CLASS_SPAN ? HEAP_KIND_SPAN : HEAP_KIND_SLAB))
		return complain(model, "model: a mark is of the wrong kind");
	if (n != (run.class == CLASS_SPAN ? 1 : run.n))
		return complain(model, "model: not the right pages are marked");
	if (i < model->runs && model->run[i].first < first + run.n)
		return complain(model, "model: a run overlaps another");
	if (mark != model_mark_of(model, &run))
		return complain(model, "model: a mark names another owner");
	run.taken = calloc(model_slots(&run), 1);
	run.who = calloc(model_slots(&run), 1);
	run.offered = calloc(model_slots(&run), 1);
	run.parent = calloc(model_slots(&run), sizeof(u64));
	memmove(&model->run[i + 1], &model->run[i], (model->runs - i) * sizeof(run));
	model->run[i] = run;
	model->runs++;
}

static void model_mark(void *keeper, u64 first, u64 n, u32 mark)
{
	struct model *model = keeper;
	u32 i = run_index(model, first);
	struct model_run *run = &model->run[i];

	if (mark && i < model->runs && run->first == first) {
		if (model->remarks_freely)
			return;
		if (mark != model->remarked || n != (run->class == CLASS_SPAN ? 1 : run->n))
			complain(model, "model: something is marked anew that has not changed");
		model->remarked = 0;
		return;
	}
	if (mark)
		return mark_made(model, first, n, mark);
	if (i == model->runs || run->first != first)
		return complain(model, "model: a run was released that does not exist");
	if (n != (run->class == CLASS_SPAN ? 1 : run->n))
		return complain(model, "model: not the right pages are unmarked");
	if (run->live)
		return complain(model, "model: a run with a live object was released");
	if (model->ended)
		complain(model, "model: a run ended before another was released");
	if (model->releases) {
		model->ended = run->n;
		model->ended_first = first;
	}
	free_run(run);
	model->runs--;
	memmove(run, run + 1, (model->runs - i) * sizeof(*run));
}

/* Of a run that has ended, or of the one wanted now, which was abandoned. */
static void model_release(void *keeper, u64 first, u64 n)
{
	struct model *model = keeper;

	if (model->ended ? first != model->ended_first || n != model->ended :
	    n != model->wanted.n || first != model_lowest_fit(model, n))
		complain(model, "model: something was released that has not ended");
	if (heap_page(model->heap, first) != HEAP_PAGE_FREE ||
	    heap_page(model->heap, first + n - 1) != HEAP_PAGE_FREE)
		complain(model, "model: a page that is being released can be touched");
	model->ended = 0;
	if (model->pages <= MODEL_DIRTY)
		memset(model->dirty + first, 0, n);
}

static const struct heap_ops model_ops = {
	.prepare = model_prepare,
	.mark = model_mark,
};

static const struct heap_ops model_ops_releasing = {
	.prepare = model_prepare,
	.mark = model_mark,
	.release = model_release,
};

/* Life. */

struct model *model_create(u64 pages, u64 limit, bool releases, bool owned, bool hostile)
{
	struct model *model = calloc(1, sizeof(*model));

	model->pages = pages;
	model->limit = limit;
	model->releases = releases;
	model->heap = heap_create(pages, limit, releases ? &model_ops_releasing : &model_ops,
				  model);
	model->owned = owned;
	model->hostile = hostile;
	if (owned && heap_enable_owners(model->heap))
		complain(model, "model: no memory for owners");
	return model;
}

static void model_free(struct model *model)
{
	u32 i;

	model_free_caches(model);
	heap_destroy(model->heap);
	for (i = 0; i < model->runs; i++)
		free_run(&model->run[i]);
	free(model);
}

/* Comparing. */

static const char *check_objects(struct model *model)
{
	u64 objects = 0, bytes = 0, slabs = 0;
	struct model_run *run;
	struct heap_stat stat;
	u32 i;

	for (i = 0; i < model->runs; i++) {
		run = &model->run[i];
		objects += run->live;
		bytes += run->live * model_slot_bytes(run);
		slabs += run->class != CLASS_SPAN;
	}
	heap_get_stat(model->heap, &stat);
	REQUIRE(stat.taken_pages == taken_pages(model));
	REQUIRE(!stat.busy_pages);
	REQUIRE(stat.limit_pages == model->limit);
	REQUIRE(stat.live_objects == objects);
	REQUIRE(stat.live_bytes == bytes);
	REQUIRE(stat.slabs == slabs);
	REQUIRE(stat.spans == model->runs - slabs);
	REQUIRE(stat.requests == model->stat.requests);
	REQUIRE(stat.failures == model->stat.failures);
	REQUIRE(stat.frees == model->stat.frees);
	for (i = 0; i < HEAP_REFUSALS; i++)
		REQUIRE(stat.refused[i] == model->stat.refused[i]);
	return NULL;
}

static const char *check_class(struct model *model, const struct heap_class_stat *seen,
			       u32 class, u32 group)
{
	const struct heap_class_stat *want = &model->class_stat[group][class];
	struct heap_class_stat stat;

	heap_get_class_stat(model->heap, class, group, &stat);
	REQUIRE(stat.slabs == seen->slabs && stat.total == seen->total);
	REQUIRE(stat.used == seen->used && stat.frees == want->frees);
	REQUIRE(stat.requests == want->requests && stat.failures == want->failures);
	return NULL;
}

static const char *check_classes(struct model *model)
{
	struct heap_class_stat seen[CLASS_GROUPS][CLASS_COUNT] = {};
	u32 i, class, group;

	for (i = 0; i < model->runs; i++) {
		const struct model_run *run = &model->run[i];
		struct heap_class_stat *stat = &seen[run->group][run->class];
		u64 unit = run->class == CLASS_SPAN ? run->n : 1;

		stat->slabs++;
		stat->total += model_slots(run) * unit;
		stat->used += run->live * unit;
	}
	for (group = 0; group < CLASS_GROUPS; group++)
		for (class = 0; class < CLASS_COUNT; class++)
			REQUIRE_NULL(check_class(model, &seen[group][class], class, group));
	return NULL;
}

/* Which pages have a live object on them, if only in part. */
static void mark_live(const struct model *model, u8 *live)
{
	u32 i, slot;

	for (i = 0; i < model->runs; i++) {
		const struct model_run *run = &model->run[i];

		for (slot = 0; slot < model_slots(run); slot++) {
			u64 offset = model_slot_offset(run, slot);
			u64 last = offset + model_slot_bytes(run) - 1;

			if (run->taken[slot])
				memset(live + (offset >> PAGE_SHIFT), 1,
				       (last >> PAGE_SHIFT) - (offset >> PAGE_SHIFT) + 1);
		}
	}
}

/* What the heap says is idle must be what holds memory without a live object. */
static const char *check_idle(struct model *model)
{
	u8 live[MODEL_DIRTY] = {}, idle[MODEL_DIRTY] = {};
	u64 page = 0, n;

	mark_live(model, live);
	for (; heap_find_idle(model->heap, &page, &n); page += n) {
		REQUIRE(n && page < model->pages && n <= model->pages - page);
		memset(idle + page, 1, n);
	}
	for (page = 0; page < model->pages; page++)
		REQUIRE(idle[page] == (model->dirty[page] && !live[page]));
	return NULL;
}

/* Around the ends of a run, and in its middle. */
static const char *check_touch(struct model *model, u64 first, u64 n)
{
	const u64 page[] = { first - 1, first, first + n / 2, first + n - 1, first + n };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(page); i++)
		REQUIRE(heap_is_taken(model->heap, page[i]) == !!model_run_at(model, page[i]));
	return NULL;
}

static const char *check_touches(struct model *model)
{
	u32 i;

	REQUIRE(!heap_is_taken(model->heap, 0));
	REQUIRE(!heap_is_taken(model->heap, model->pages));
	REQUIRE(!heap_is_taken(model->heap, ~0ULL));
	for (i = 0; i < model->runs; i++)
		REQUIRE_NULL(check_touch(model, model->run[i].first, model->run[i].n));
	return NULL;
}

/* What the heap says lives there, in the order of offsets. */
static const char *check_walk(struct model *model)
{
	struct heap_object objects[16];
	struct model_object object;
	u32 i, slot, n = 0, at = 0;
	u64 cursor = 0;

	for (i = 0; i < model->runs; i++) {
		const struct model_run *run = &model->run[i];

		for (slot = 0; slot < model_slots(run); slot++) {
			if (!run->taken[slot])
				continue;
			if (at == n) {
				n = heap_walk(model->heap, &cursor, objects, 1 + i % 16);
				at = 0;
			}
			REQUIRE(at < n && objects[at].offset == model_slot_offset(run, slot));
			REQUIRE(objects[at].bytes == model_slot_bytes(run));
			REQUIRE(objects[at].class == run->class);
			REQUIRE(objects[at].group == run->group);
			object = (struct model_object){ &model->run[i], slot };
			REQUIRE(objects[at].owner == model->id[model_who(model, &object)]);
			REQUIRE(objects[at].offered == run->offered[slot]);
			REQUIRE(objects[at].linked == !!run->parent[slot]);
			at++;
		}
	}
	REQUIRE(at == n && !heap_walk(model->heap, &cursor, objects, 16));
	return NULL;
}

const char *model_check(struct model *model)
{
	if (model->error)
		return model->error;
	REQUIRE(!model->ended && !model->remarked);
	REQUIRE_NULL(check_walk(model));
	REQUIRE_NULL(check_touches(model));
	REQUIRE_NULL(model_check_caches(model));
	REQUIRE_NULL(heap_check(model->heap));
	REQUIRE_NULL(check_objects(model));
	if (model->pages <= MODEL_DIRTY)
		REQUIRE_NULL(check_idle(model));
	return check_classes(model);
}

const char *model_check_released(const struct model *model, bool trimmed)
{
	u8 held[MODEL_OWNERS + 1][CLASS_GROUPS][CLASS_COUNT] = {};
	u32 i;

	for (i = 0; i < model->runs; i++) {
		const struct model_run *run = &model->run[i];

		if (run->live)
			continue;
		REQUIRE(run->class != CLASS_SPAN && !trimmed && !run->left);
		REQUIRE(held[run->owner][run->group][run->class]++ < heap_shards);
	}
	return NULL;
}

const char *model_destroy(struct model *model)
{
	struct heap_stat stat;
	const char *error;
	u32 slot;

	error = model_check(model) ?: model_end_owners(model) ?:
		model_end_caches(model, NOBODY, false);
	while (!error && model->runs) {
		struct model_run *run = &model->run[model->runs - 1];

		if (!run->live) {
			heap_trim(model->heap);
			error = model_check_released(model, true);
			continue;
		}
		for (slot = 0; !run->taken[slot]; slot++)
			;
		error = model_free_one(model, model_slot_offset(run, slot));
	}
	heap_trim(model->heap);
	heap_get_stat(model->heap, &stat);
	if (!error && (stat.taken_pages || stat.live_bytes || stat.live_objects))
		error = "model: something is left after all was freed";
	error = error ?: model_check(model);
	model_free(model);
	return error;
}
