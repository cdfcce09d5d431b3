// SPDX-License-Identifier: GPL-2.0
/*
 * A naive model of the heap, see model.h: caches, whose slots come from the heap and
 * go back to it.
 *
 * A cache here is what the kernel knows of it (core/magazine.h), the memory that it
 * shares with a thread, and an image of all that memory as it should be. The kernel's
 * steps are those of kmod/cache.c as far as they are the core's business: a bin is
 * refilled from the heap, or drained into it, or all stock is taken back. The thread
 * takes from bins and adds to them as the protocol says, and may end in the midst of
 * that. A hostile one writes whatever it likes wherever it can, too. After each step
 * the kernel's side and all of the memory have to be as foreseen.
 *
 * Unless threads are hostile, whatever lies in a cache is known to lie there. What
 * comes out of a bin has to be something that does, and when all is compared there are
 * as many words in bins. So nothing is handed out twice, and nothing lost. If they
 * are hostile, words are the heap's to judge, and the model foresees how.
 *
 * In checked zones frees are looked for in the stock, which the core does not do, nor
 * does the model: here they only have a bin of their own.
 */
#include "model_caches.h"

/* What the page map has for slabs of group 0, of class 0. */
#define PAGE_ENTRY	(1U << 10)
#define TAG_SHIFT	12

/* Words in the bins of a cache whose thread is not hostile. */
static const char *count_words(struct model_cache *cache, u64 *words)
{
	u32 i;

	for (i = 1; i < cache->bins; i++) {
		REQUIRE(is_right(cache, i));
		*words += image_head(cache)->bin[i].cur - bottom_of(&cache->bin[i]);
	}
	return NULL;
}

const char *model_check_caches(struct model *model)
{
	u64 words = 0, lying = 0;
	u32 i, slot;

	for (i = 0; i < MODEL_CACHES; i++) {
		if (!model->cache[i])
			continue;
		REQUIRE_NULL(check_cache(model->cache[i]));
		if (!model->hostile)
			REQUIRE_NULL(count_words(model->cache[i], &words));
	}
	for (i = 0; i < model->runs; i++)
		for (slot = 0; slot < model_slots(&model->run[i]); slot++)
			lying += model->run[i].taken[slot] == LIES;
	REQUIRE(lying == words);
	return NULL;
}

u64 model_leave_alone(struct model *model, u64 offset)
{
	struct model_object object;

	if (!model_object_at(model, offset, &object))
		return offset;
	return object.run->taken[object.slot] == LIES ? 0 : offset;
}

/* To and from the heap. */

/* These lie in a cache from now on. */
static void note_in(struct model *model, const u64 *offsets, u32 n)
{
	struct model_object object;
	u32 i;

	for (i = 0; i < n && !model->hostile; i++)
		if (model_object_at(model, offsets[i], &object))
			object.run->taken[object.slot] = LIES;
}

/* These do no more. */
static const char *note_out(struct model *model, const u64 *offsets, u32 n)
{
	struct model_object object;
	u32 i;

	for (i = 0; i < n && !model->hostile; i++) {
		REQUIRE(model_object_at(model, offsets[i], &object));
		REQUIRE(object.run->taken[object.slot] == LIES);
		object.run->taken[object.slot] = TAKEN;
	}
	return NULL;
}

static const char *take_out(struct model *model, struct model_cache *cache, u32 i, bool old,
			    u64 *offsets, u32 *n)
{
	u32 j, got, used = foresee_used(cache, i), want = min(*n, used);
	u64 *words = image_word(cache, bottom_of(&cache->bin[i]) + 1);

	got = old ? magazine_take_old(&cache->m, i, offsets, *n) :
		    magazine_take(&cache->m, i, offsets, *n);
	REQUIRE(got == want);
	for (j = 0; j < got; j++)
		REQUIRE(offsets[j] == words[old ? j : used - 1 - j]);
	if (old)
		memmove(words, words + got, (used - got) * sizeof(*words));
	foresee_shown(cache, i, used - got);
	for (j = 0; j < got && is_pending(&cache->bin[i]); j++)
		offsets[j] &= MAGAZINE_OFFSET_MASK;
	*n = got;
	return check_cache(cache) ?: note_out(model, offsets, got);
}

/* All of what was in a cache is freed, unless its thread is hostile. */
static const char *give_back(struct model *model, const struct model_cache *cache,
			     const u64 *offsets, u32 n)
{
	u64 frees;
	u32 some;

	for (; n; offsets += some, n -= some) {
		some = min_t(u32, n, HEAP_BATCH_MAX);
		frees = model->stat.frees;
		REQUIRE_NULL(model_free_batch(model, cache->owner, offsets, some, 0));
		REQUIRE(model->hostile || model->stat.frees == frees + some);
	}
	return NULL;
}

static const char *put(struct model *model, struct model_cache *cache, u32 i,
		       const u64 *offsets, u32 n, u32 *done)
{
	u32 j, used = foresee_used(cache, i), want = min(n, cache->bin[i].capacity - used);
	u64 *words = image_word(cache, bottom_of(&cache->bin[i]) + 1 + used);

	*done = magazine_put(&cache->m, i, offsets, n);
	REQUIRE(*done == want);
	for (j = 0; j < want; j++)
		words[j] = offsets[want - 1 - j];
	foresee_shown(cache, i, used + want);
	note_in(model, offsets, want);
	return check_cache(cache);
}

static const char *empty_bin(struct model *model, struct model_cache *cache, u32 i)
{
	u32 n, left = cache->bin[i].capacity;
	u64 offsets[HEAP_BATCH_MAX];

	for (; left; left -= n) {
		n = min_t(u32, left, HEAP_BATCH_MAX);
		REQUIRE_NULL(take_out(model, cache, i, false, offsets, &n));
		if (!n)
			break;
		REQUIRE_NULL(give_back(model, cache, offsets, n));
	}
	REQUIRE(magazine_shut(&cache->m, i) == capacity_bytes(&cache->bin[i]));
	cache->bin[i].capacity = 0;
	foresee_shown(cache, i, 0);
	return check_cache(cache);
}

/* The thread is at no work, or has ended. */
static const char *empty(struct model *model, struct model_cache *cache)
{
	u32 i;

	if (magazines_busy(&cache->m)) {
		magazines_end_busy(&cache->m);
		image_head(cache)->key = cache->key;
	}
	for (i = 1; i < cache->bins; i++)
		if (cache->bin[i].capacity)
			REQUIRE_NULL(empty_bin(model, cache, i));
	REQUIRE(!cache->m.bytes);
	return NULL;
}

/* Life. */

static struct model_cache *cache_create(u32 tag, bool checked)
{
	struct model_cache *cache = calloc(1, sizeof(*cache));
	u32 class;

	cache->m.page[0] = core_zalloc(PAGE_SIZE);
	magazines_init(&cache->m, PAGE_ENTRY | tag << TAG_SHIFT, checked);

	cache->checked = checked;
	cache->key = -(PAGE_ENTRY | tag << TAG_SHIFT) - (checked ? MAGAZINE_CHECKED_KEY : 0);
	image_head(cache)->key = cache->key;
	cache->words = MAGAZINE_FIRST_WORD + 1;
	cache->bins = 1;
	foresee_shown(cache, 0, 0);
	for (class = 1; class < CLASS_COUNT; class++)
		foresee_bin(cache, class, 0);
	if (checked)
		foresee_bin(cache, class_for(MAGAZINE_PENDING_BYTES, 0), MAGAZINE_PENDING_GROUP);
	return cache;
}

static const char *step_create(struct model *model, struct model_source *source,
			       struct model_cache **cache)
{
	u32 owner = model_choose_owner(model, source);

	if (model->owned && owner == NOBODY)
		return NULL;
	*cache = cache_create(owner ? heap_owner_tag(model->owner[owner]) : 0,
			      model_choose(source, 2));
	(*cache)->owner = owner;
	(*cache)->class = 1 + model_choose(source, CLASS_COUNT - 1);
	return check_cache(*cache);
}

static void cache_free(struct model_cache *cache)
{
	u32 i;

	for (i = 0; i < MAGAZINE_PAGES; i++)
		core_free(cache->m.page[i]);
	free(cache);
}

const char *model_end_caches(struct model *model, u32 owner, bool forgets)
{
	const char *error = NULL;
	u32 i;

	for (i = 0; i < MODEL_CACHES && !error; i++) {
		struct model_cache *cache = model->cache[i];

		if (!cache || cache->owner != owner)
			continue;
		if (!forgets)
			error = empty(model, cache);
		cache_free(cache);
		model->cache[i] = NULL;
	}
	return error;
}

void model_free_caches(struct model *model)
{
	u32 i;

	for (i = 0; i < MODEL_CACHES; i++)
		if (model->cache[i])
			cache_free(model->cache[i]);
}

/* Steps of the kernel. */

static void choose_class(struct model_cache *cache, struct model_source *source)
{
	if (model_choose(source, 16))
		return;
	cache->class = 1 + model_choose(source, CLASS_COUNT - 1);
	cache->group = model_choose(source, 3) * 7;
}

/* Finds or makes a bin, and gets what it needs to grow. */
static const char *open_bin(struct model_cache *cache, u32 group, u32 *i)
{
	u32 page;

	magazines_show_key(&cache->m);
	if (!image_head(cache)->key)
		image_head(cache)->key = cache->key;
	*i = magazine_make(&cache->m, cache->class, group);
	REQUIRE(*i == foresee_make(cache, cache->class, group));
	do {
		page = *i ? foresee_lacks(cache, *i) : 0;
		REQUIRE(!*i || magazine_lacks(&cache->m, *i) == page);
		if (page)
			cache->m.page[page] = core_zalloc(PAGE_SIZE);
	} while (page);
	return check_cache(cache);
}

/* Unless all caches together have too much. */
static const char *grow(struct model_cache *cache, struct model_source *source, u32 i)
{
	u32 used, bytes = foresee_growth(cache, i);

	REQUIRE(magazine_growth(&cache->m, i) == bytes);
	if (!bytes || !model_choose(source, 8))
		return NULL;
	used = foresee_used(cache, i);
	magazine_grow(&cache->m, i);
	cache->bin[i].capacity = next_capacity(&cache->bin[i]);
	foresee_shown(cache, i, used);
	return check_cache(cache);
}

static const char *used(struct model_cache *cache, u32 i, u32 *n)
{
	*n = foresee_used(cache, i);
	REQUIRE(magazine_used(&cache->m, i) == *n);
	return NULL;
}

/* Slots of a bin that is open; it may be taken back meanwhile. */
static const char *fill(struct model *model, struct model_cache *cache,
			struct model_source *source, u32 i, u32 n)
{
	struct heap_request request = {
		.bytes = class_table[cache->class].slot_bytes,
		.align = class_align(cache->class),
		.group = cache->group,
		.hint = cache->group,
		.owner = model->owner[cache->owner],
	};
	u32 done;

	REQUIRE_NULL(model_alloc(model, &request, n));
	if (!model_choose(source, 16))
		REQUIRE_NULL(empty(model, cache));
	if (!cache->bin[i].capacity)
		REQUIRE_NULL(grow(cache, source, i));
	REQUIRE_NULL(put(model, cache, i, model->got, model->gots, &done));
	return give_back(model, cache, model->got + done, model->gots - done);
}

static const char *step_refill(struct model *model, struct model_cache *cache,
			       struct model_source *source)
{
	u32 i, in, capacity, n;

	choose_class(cache, source);
	REQUIRE_NULL(open_bin(cache, cache->group, &i));
	if (!i)
		return NULL;
	REQUIRE_NULL(grow(cache, source, i));
	REQUIRE_NULL(used(cache, i, &in));
	capacity = cache->bin[i].capacity;
	n = min_t(u32, min(capacity - in, max(capacity / 2, 1U)), HEAP_BATCH_MAX);
	/* There may be less room by then: what is too much goes back. */
	if (!model_choose(source, 8))
		n = min_t(u32, capacity, HEAP_BATCH_MAX);
	if (!n || model->runs + n > MODEL_RUNS)
		return NULL;
	return fill(model, cache, source, i, n);
}

static const char *step_drain(struct model *model, struct model_cache *cache,
			      struct model_source *source)
{
	bool pending = cache->checked && model_choose(source, 4);
	u64 offsets[MAGAZINE_OUT_MAX];
	u32 i, in, n;

	choose_class(cache, source);
	REQUIRE_NULL(open_bin(cache, pending ? MAGAZINE_PENDING_GROUP : cache->group, &i));
	if (!i)
		return NULL;
	REQUIRE_NULL(used(cache, i, &in));
	if (in == cache->bin[i].capacity || pending)
		REQUIRE_NULL(grow(cache, source, i));
	if (in < cache->bin[i].capacity && model_choose(source, 8))
		return NULL;
	n = DIV_ROUND_UP(cache->bin[i].capacity, 2);
	REQUIRE_NULL(take_out(model, cache, i, true, offsets, &n));
	return give_back(model, cache, offsets, n);
}

/* Up to what one cache may have. */
static const char *step_grow_all(struct model_cache *cache, struct model_source *source)
{
	u32 i, n;

	for (n = 0; n < 6 * (CLASS_COUNT - 1); n++) {
		cache->class = 1 + n % (CLASS_COUNT - 1);
		REQUIRE_NULL(open_bin(cache, 0, &i));
		REQUIRE_NULL(grow(cache, source, i));
	}
	return NULL;
}

static const char *step_count(struct model_cache *cache)
{
	u64 slots = 0, bytes = 0, seen;
	u32 i, j, n;

	for (i = 1; i < cache->bins; i++) {
		n = foresee_used(cache, i);
		slots += n;
		if (!is_pending(&cache->bin[i]))
			bytes += (u64)n * class_table[cache->bin[i].class].slot_bytes;
	}
	REQUIRE(magazines_stock(&cache->m, &seen) == bytes && seen == slots);
	for (i = 1; i < cache->bins; i++) {
		n = foresee_used(cache, i);
		for (j = 0; j < n; j++)
			REQUIRE(magazine_word(&cache->m, i, j) ==
				(*image_word(cache, bottom_of(&cache->bin[i]) + 1 + j) &
				 (is_pending(&cache->bin[i]) ? MAGAZINE_OFFSET_MASK : ~0ULL)));
	}
	return check_cache(cache);
}

/* Steps of the thread. */

/* It is at work from now on, and may stay so for ever. */
static void begin_work(struct model_cache *cache, u32 class)
{
	poke(cache, &image_head(cache)->key, class, sizeof(u32));
}

static void end_work(struct model_cache *cache, struct model_source *source)
{
	if (model_choose(source, 64))
		poke(cache, &image_head(cache)->key, cache->key, sizeof(u32));
}

/* The slot that it takes is its own: nothing of that concerns the heap. */
static const char *step_pop(struct model *model, struct model_cache *cache,
			    struct model_source *source)
{
	u32 i, cur, class = cache->class;
	const u64 *word, *there;
	u64 offset;

	i = model_choose(source, 4) ? find_bin(cache, class, cache->group) :
				      model_choose(source, cache->bins);
	cur = image_head(cache)->bin[i].cur;
	if (is_pending(&cache->bin[i]) || cur >= MAGAZINE_WORDS)
		return NULL;
	word = image_word(cache, cur);
	there = shared(cache, word);
	if (!there || *word == MAGAZINE_BOTTOM)
		return NULL;
	begin_work(cache, class);
	offset = *there;
	poke(cache, &image_head(cache)->bin[i].cur, cur - 1, sizeof(u32));
	end_work(cache, source);
	return note_out(model, &offset, 1);
}

/* Whether the thread is to free an object by its cache. */
static bool is_own(const struct model_cache *cache, const struct model_object *object)
{
	const struct model_run *run = object->run;

	return run->class != CLASS_SPAN && run->taken[object->slot] == TAKEN &&
	       run->owner == cache->owner && !run->mixed;
}

static const char *step_push(struct model *model, struct model_cache *cache,
			     struct model_source *source)
{
	u64 offset = model_choose_offset(model, source), word = offset;
	u32 i, cur, class = cache->class, group = cache->group;
	struct model_object object;
	bool live = model_object_at(model, offset, &object);

	if (live) {
		class = object.run->class;
		group = object.run->group;
	}
	if (!model->hostile && !(live && is_own(cache, &object)))
		return NULL;
	i = find_bin(cache, class, cache->checked ? MAGAZINE_PENDING_GROUP : group);
	cur = image_head(cache)->bin[i].cur;
	if (cur >= image_head(cache)->bin[i].end || cur >= MAGAZINE_WORDS - 1)
		return NULL;
	if (cache->checked)
		word |= (u64)model_choose(source, MAGAZINE_WORDS) << MAGAZINE_CUR_SHIFT;
	begin_work(cache, class);
	poke(cache, image_word(cache, cur + 1), word, sizeof(u64));
	poke(cache, &image_head(cache)->bin[i].cur, cur + 1, sizeof(u32));
	end_work(cache, source);
	note_in(model, &offset, 1);
	return NULL;
}

static u64 choose_value(struct model *model, struct model_source *source)
{
	return model_choose(source, 3) ? model_choose_offset(model, source) :
					 model_choose(source, ~0ULL);
}

static void step_scribble(struct model *model, struct model_cache *cache,
			  struct model_source *source)
{
	struct cache_head *head = image_head(cache);
	u32 i = find_bin(cache, cache->class, cache->group);
	u32 near = bottom_of(&cache->bin[i]) + model_choose(source, cache->bin[i].capacity + 3) - 1;

	switch (model_choose(source, 8)) {
	case 0:
		return poke(cache, &head->bin[model_choose(source, MAGAZINE_BINS)],
			    choose_value(model, source), sizeof(u64));
	case 1:
		return poke(cache, &head->key, model_choose(source, 3) - 1, sizeof(u32));
	case 2:
		return poke(cache, &cache->image[model_choose(source, ARRAY_SIZE(cache->image))],
			    choose_value(model, source), sizeof(u64));
	case 3:
	case 4:
		return poke(cache, &head->bin[i].cur, near, sizeof(u32));
	default:
		return poke(cache, image_word(cache, near), choose_value(model, source),
			    sizeof(u64));
	}
}

static const char *step_thread(struct model *model, struct model_cache *cache,
			       struct model_source *source)
{
	if (model->hostile && !model_choose(source, 4)) {
		step_scribble(model, cache, source);
		return NULL;
	}
	return model_choose(source, 2) ? step_pop(model, cache, source) :
					 step_push(model, cache, source);
}

const char *model_step_caches(struct model *model, struct model_source *source)
{
	struct model_cache **place = &model->cache[model_choose(source, MODEL_CACHES)];
	struct model_cache *cache = *place;
	u32 kind = model_choose(source, 40);

	if (!cache)
		return step_create(model, source, place);
	if (!kind) {
		REQUIRE_NULL(empty(model, cache));
		cache_free(cache);
		*place = NULL;
		return NULL;
	}
	if (kind < 2)
		return empty(model, cache);
	if (kind < 3)
		return step_count(cache);
	/* While the thread is at work, nothing is done for it. */
	if (kind < 24)
		return step_thread(model, cache, source) ?: check_cache(cache);
	if (magazines_busy(&cache->m))
		return NULL;
	if (kind == 39 && !model_choose(source, 16))
		return step_grow_all(cache, source);
	return kind < 34 ? step_refill(model, cache, source) : step_drain(model, cache, source);
}
