/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the heap's owners.
 */
#include "../core/heap_owner.h"

#define OWNERS_MAX	32767

/**
 * struct owner_rig - a heap with two owners
 * @rig: the heap
 * @one: an owner, with id 101; NULL once it has ended
 * @two: the same with 102
 */
struct owner_rig {
	struct heap_rig *rig;
	struct heap *heap;
	struct heap_owner *one;
	struct heap_owner *two;
};

static const char *owner_rig_make(struct owner_rig *r, u64 pages)
{
	r->rig = heap_rig_make(pages);
	REQUIRE(r->rig && r->rig->heap);
	r->heap = r->rig->heap;
	REQUIRE(!heap_enable_owners(r->heap));
	REQUIRE(!heap_owner_create(r->heap, 101, r->rig, &r->one));
	REQUIRE(!heap_owner_create(r->heap, 102, r->rig, &r->two));
	return NULL;
}

static u32 owner_end(struct owner_rig *r, struct heap_owner **owner)
{
	u32 steps = 1;

	while (heap_owner_end(r->heap, *owner))
		steps++;
	*owner = NULL;
	return steps;
}

/* All that is left has to be the owners'. */
static const char *owner_rig_free(struct owner_rig *r)
{
	struct heap_stat stat;

	if (r->one)
		owner_end(r, &r->one);
	if (r->two)
		owner_end(r, &r->two);
	heap_get_stat(r->heap, &stat);
	REQUIRE(!stat.live_objects && !stat.taken_pages);
	REQUIRE(stat.requests - stat.failures == stat.frees);
	return heap_rig_free(r->rig);
}

static u64 owner_alloc(struct owner_rig *r, struct heap_owner *owner, u64 bytes)
{
	struct heap_request request = { .bytes = bytes, .owner = owner };
	u64 offset = 0;

	return heap_alloc(r->heap, &request, &offset, 1) == 1 ? offset : 0;
}

static int owner_free(struct owner_rig *r, const struct heap_owner *owner, u64 offset)
{
	bool foreign;
	u32 bad;

	return heap_owned_free(r->heap, owner, &offset, 1, 0, &bad, &foreign);
}

/* The id of who owns it; 0 for nobody, 1 if it is not live. */
static u64 owner_of(struct owner_rig *r, u64 offset)
{
	struct heap_object object;

	return heap_find(r->heap, offset, &object) ? 1 : object.owner;
}

static u32 mark_at(const struct owner_rig *r, u64 offset)
{
	return r->rig->map[offset >> PAGE_SHIFT];
}

static const char *owner_frees_its_own(void)
{
	static const u64 bytes[] = { 8, 100, 32768, 100000 };
	struct owner_rig r;
	u64 offset;
	u32 i;

	REQUIRE_NULL(owner_rig_make(&r, 1000));
	for (i = 0; i < 4; i++) {
		offset = owner_alloc(&r, r.one, bytes[i]);
		REQUIRE(offset && owner_of(&r, offset) == 101);
		REQUIRE(!owner_free(&r, r.two, offset) && !owner_free(&r, NULL, offset));
		REQUIRE(refused_count(r.heap, HEAP_BAD_OWNER) == 2 * (i + 1));
		REQUIRE(owner_of(&r, offset) == 101);
		REQUIRE(owner_free(&r, r.one, offset) == 1 && owner_of(&r, offset) == 1);
		REQUIRE(!owner_free(&r, r.two, offset));
	}
	REQUIRE(refused_count(r.heap, HEAP_BAD_NOT_LIVE) == 4);
	REQUIRE(!owner_alloc(&r, NULL, 8));
	return owner_rig_free(&r);
}

static const char *owners_share_no_slab(void)
{
	struct owner_rig r;
	u64 one, two;

	REQUIRE_NULL(owner_rig_make(&r, 1000));
	one = owner_alloc(&r, r.one, 8);
	two = owner_alloc(&r, r.two, 8);
	REQUIRE(one == P && two == 5 * P);
	REQUIRE(mark_at(&r, one) == HEAP_MARK(HEAP_KIND_SLAB, 1, 0, heap_owner_tag(r.one)));
	REQUIRE(mark_at(&r, two) == HEAP_MARK(HEAP_KIND_SLAB, 1, 0, heap_owner_tag(r.two)));
	REQUIRE(owner_alloc(&r, r.one, 8) == one + 8);
	return owner_rig_free(&r);
}

/* Given, offered, taken, and what the page map says meanwhile. */
static const char *owner_changes(u64 bytes)
{
	u32 one, two, kind = bytes > 32768 ? HEAP_KIND_SPAN : HEAP_KIND_MIXED;
	struct owner_rig r;
	u64 a;

	REQUIRE_NULL(owner_rig_make(&r, 1000));
	one = heap_owner_tag(r.one);
	two = heap_owner_tag(r.two);
	a = owner_alloc(&r, r.one, bytes);
	REQUIRE(heap_give(r.heap, r.two, a, r.one) == -EPERM);
	REQUIRE(heap_take(r.heap, r.two, a, r.one) == -EPERM);
	REQUIRE(heap_take(r.heap, r.two, a, NULL) == -EPERM);
	REQUIRE(heap_offer(r.heap, r.two, a) == -EPERM);
	REQUIRE(heap_offer(r.heap, r.one, a + 8) == -EINVAL);
	REQUIRE(!heap_offer(r.heap, r.one, a) && owner_of(&r, a) == 101);
	REQUIRE(HEAP_MARK_KIND(mark_at(&r, a)) == kind && HEAP_MARK_TAG(mark_at(&r, a)) == one);
	REQUIRE(!heap_take(r.heap, r.two, a, r.one) && owner_of(&r, a) == 102);
	REQUIRE(heap_take(r.heap, r.one, a, r.one) == -EPERM);
	REQUIRE(heap_take(r.heap, r.one, a, r.two) == -EPERM);
	REQUIRE(HEAP_MARK_TAG(mark_at(&r, a)) == (kind == HEAP_KIND_SPAN ? two : one));
	REQUIRE(!owner_free(&r, r.one, a));
	REQUIRE(!heap_give(r.heap, r.two, a, NULL) && !owner_of(&r, a));
	REQUIRE(!heap_take(r.heap, r.one, a, NULL) && owner_of(&r, a) == 101);
	REQUIRE(!heap_give(r.heap, r.one, a, r.two));
	REQUIRE(owner_free(&r, r.two, a) == 1 && owner_of(&r, a) == 1);
	REQUIRE(heap_give(r.heap, r.two, a, NULL) == -EINVAL);
	return owner_rig_free(&r);
}

static const char *owner_changes_slot(void)
{
	return owner_changes(100);
}

static const char *owner_changes_span(void)
{
	return owner_changes(100000);
}

/* A slot of each fate on one slab, and a span of each, when their owner ends. */
static const char *owner_ends(u64 bytes)
{
	struct owner_rig r;
	u64 kept, given, nobodys, offered, lent;

	REQUIRE_NULL(owner_rig_make(&r, 1000));
	kept = owner_alloc(&r, r.one, bytes);
	given = owner_alloc(&r, r.one, bytes);
	nobodys = owner_alloc(&r, r.one, bytes);
	offered = owner_alloc(&r, r.one, bytes);
	lent = owner_alloc(&r, r.two, bytes);
	REQUIRE(kept && given && nobodys && offered && lent);
	REQUIRE(!heap_give(r.heap, r.one, given, r.two));
	REQUIRE(!heap_give(r.heap, r.one, nobodys, NULL));
	REQUIRE(!heap_offer(r.heap, r.one, offered));
	REQUIRE(!heap_give(r.heap, r.two, lent, r.one));
	owner_end(&r, &r.one);
	REQUIRE_NULL(heap_check(r.heap));
	REQUIRE(owner_of(&r, kept) == 1 && owner_of(&r, offered) == 1);
	REQUIRE(owner_of(&r, lent) == 1);
	REQUIRE(owner_of(&r, given) == 102 && !owner_of(&r, nobodys));
	REQUIRE(owner_free(&r, r.two, given) == 1);
	REQUIRE(owner_free(&r, NULL, nobodys) == 1);
	return owner_rig_free(&r);
}

static const char *owner_ends_slots(void)
{
	return owner_ends(100) ?: owner_ends(16384);
}

static const char *owner_ends_spans(void)
{
	return owner_ends(100000);
}

/* Full slabs, which are on no list elsewhere, and many steps. */
static const char *owner_of_many(void)
{
	struct owner_rig r;
	struct heap_stat stat;
	u32 i;

	REQUIRE_NULL(owner_rig_make(&r, 1 << 16));
	for (i = 0; i < 100; i++) {
		struct heap_request request = { .bytes = 8 + i * 24, .owner = r.one };

		REQUIRE(heap_alloc(r.heap, &request, r.rig->reg, 64) == 64);
		REQUIRE(heap_alloc(r.heap, &request, r.rig->reg, 64) == 64);
		request.bytes = 40000;
		REQUIRE(heap_alloc(r.heap, &request, r.rig->reg, 1) == 1);
	}
	heap_get_stat(r.heap, &stat);
	REQUIRE(owner_end(&r, &r.one) >= stat.slabs / 8 + stat.spans);
	heap_get_stat(r.heap, &stat);
	REQUIRE(!stat.live_objects && !stat.taken_pages);
	return owner_rig_free(&r);
}

/* An object of each class in two groups; given to another, who frees it, or not. */
static const char *owner_uses_all(struct owner_rig *r, struct heap_owner *owner,
				  struct heap_owner *freer)
{
	u32 class, group;
	u64 offset;

	for (group = 0; group < 2; group++) {
		for (class = 1; class < CLASS_COUNT; class++) {
			struct heap_request request = { .bytes = class_table[class].slot_bytes,
							.group = group, .owner = owner };

			REQUIRE(heap_alloc(r->heap, &request, &offset, 1) == 1);
			if (!freer)
				continue;
			REQUIRE(!heap_give(r->heap, owner, offset, freer));
			REQUIRE(owner_free(r, freer, offset) == 1);
		}
	}
	return NULL;
}

/* What is left of an owner is what its last slot needs, whatever it had. */
static const char *owner_leaves_little(void)
{
	struct heap_stat before, after;
	struct owner_rig r;
	u64 left;

	REQUIRE_NULL(owner_rig_make(&r, 1 << 16));
	left = owner_alloc(&r, r.one, 8);
	REQUIRE(left && !heap_give(r.heap, r.one, left, r.two));
	REQUIRE_NULL(owner_uses_all(&r, r.two, NULL));
	heap_get_stat(r.heap, &before);
	REQUIRE_NULL(owner_uses_all(&r, r.one, r.two));
	owner_end(&r, &r.one);
	heap_trim(r.heap);
	heap_get_stat(r.heap, &after);
	/* Its shelves alone took 20,000; the directory has become higher. */
	REQUIRE(after.kernel_bytes < before.kernel_bytes + 8192);
	REQUIRE(after.requests == before.requests + 2 * (CLASS_COUNT - 1));
	REQUIRE(owner_of(&r, left) == 102 && !r.rig->owners_freed);
	REQUIRE(owner_free(&r, r.two, left) == 1);
	REQUIRE(owner_of(&r, left) == 1 && r.rig->owners_freed == 1);
	heap_get_stat(r.heap, &after);
	REQUIRE(after.frees == before.frees + 2 * (CLASS_COUNT - 1) + 1);
	return owner_rig_free(&r);
}

/* One slot that is left keeps the tag of its slab's owner from all others. */
static const char *owner_tags(void)
{
	struct owner_rig r;
	struct heap_owner *owner;
	u32 i, tag;
	u64 left;

	REQUIRE_NULL(owner_rig_make(&r, 1000));
	tag = heap_owner_tag(r.one);
	left = owner_alloc(&r, r.one, 8);
	REQUIRE(!heap_give(r.heap, r.one, left, NULL));
	owner_end(&r, &r.one);
	for (i = 0; i < OWNERS_MAX + 2; i++) {
		REQUIRE(!heap_owner_create(r.heap, i, r.rig, &owner));
		REQUIRE(heap_owner_tag(owner) != tag);
		owner_end(&r, &owner);
	}
	REQUIRE(owner_free(&r, r.two, left) == 1);
	for (i = 0; i < OWNERS_MAX; i++) {
		REQUIRE(!heap_owner_create(r.heap, i, r.rig, &owner));
		if (heap_owner_tag(owner) == tag)
			break;
		owner_end(&r, &owner);
	}
	REQUIRE(i < OWNERS_MAX);
	owner_end(&r, &owner);
	return owner_rig_free(&r);
}

/* What owners cost beyond what a heap without them has. */
static const char *owner_budget(void)
{
	struct heap_rig *plain = heap_rig_make(1 << 16);
	struct heap_request request = { .bytes = 24 };
	struct heap_stat before, after, owned;
	struct owner_rig r;
	u64 cost;
	u32 i;

	REQUIRE(plain && plain->heap);
	REQUIRE_NULL(owner_rig_make(&r, 1 << 16));
	heap_get_stat(plain->heap, &before);
	heap_get_stat(r.heap, &owned);
	cost = owned.kernel_bytes - before.kernel_bytes;
	for (i = 0; i < 1000; i++) {
		request.owner = NULL;
		REQUIRE(heap_alloc(plain->heap, &request, plain->reg, 64) == 64);
		request.owner = r.one;
		REQUIRE(heap_alloc(r.heap, &request, r.rig->reg, 64) == 64);
	}
	heap_get_stat(plain->heap, &after);
	heap_get_stat(r.heap, &owned);
	/* Shelves, of which an owner has its own, are a few hundred bytes. */
	REQUIRE(owned.kernel_bytes - after.kernel_bytes <=
		cost + 4 * owned.taken_pages + 4096);
	return heap_rig_free(plain) ?: owner_rig_free(&r);
}

static const struct core_case owner_cases[] = {
	{ "who does not own it cannot free it", owner_frees_its_own },
	{ "slots of two owners share no slab", owners_share_no_slab },
	{ "a slot changes its owner", owner_changes_slot },
	{ "a span changes its owner", owner_changes_span },
	{ "an owner ends, whose slots have all fates", owner_ends_slots },
	{ "an owner ends, whose spans have all fates", owner_ends_spans },
	{ "an owner of much ends in short steps", owner_of_many },
	{ "an owner that has ended keeps what its slots need", owner_leaves_little },
	{ "a tag is used again when nothing is left", owner_tags },
	{ "owners cost at most four bytes a page", owner_budget },
};
