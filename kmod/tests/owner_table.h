/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the heap's owners.
 */
#include "../core/heap_owner.h"

#define OWNERS_MAX	32766

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

/* Frees what goes with parents; returns how many batches that took. */
static u32 free_orphans(struct owner_rig *r, const struct heap_owner *owner)
{
	u32 n = 0;

	while (heap_free_orphans(r->heap, owner))
		n++;
	return n;
}

/* What is tied to what is not; every way in which it is refused, and nothing changed. */
static const char *owner_link_refused(u64 bytes)
{
	struct owner_rig r;
	u64 a, b, c, other;

	REQUIRE_NULL(owner_rig_make(&r, 4000));
	a = owner_alloc(&r, r.one, bytes);
	b = owner_alloc(&r, r.one, bytes);
	c = owner_alloc(&r, r.one, bytes);
	other = owner_alloc(&r, r.two, bytes);
	REQUIRE(a && b && c && other);
	REQUIRE(heap_link(r.heap, r.one, a, a) == -EINVAL);
	REQUIRE(heap_link(r.heap, r.one, a, b + 8) == -EINVAL);
	REQUIRE(heap_link(r.heap, r.one, a + 8, b) == -EINVAL);
	REQUIRE(heap_link(r.heap, r.one, a, 0) == -EINVAL);
	REQUIRE(heap_link(r.heap, r.one, a, other) == -EPERM);
	REQUIRE(heap_link(r.heap, r.one, other, a) == -EPERM);
	REQUIRE(heap_link(r.heap, r.two, a, b) == -EPERM);
	/* One that was a parent just now, and one that never was anything. */
	REQUIRE(heap_unlink(r.heap, r.one, a) == -EINVAL);
	REQUIRE(heap_unlink(r.heap, r.one, c) == -EINVAL);
	REQUIRE(!heap_link(r.heap, r.one, a, b));
	/* No chains, no cycles, one parent. */
	REQUIRE(heap_link(r.heap, r.one, b, a) == -EBUSY);
	REQUIRE(heap_link(r.heap, r.one, c, a) == -EBUSY);
	REQUIRE(heap_link(r.heap, r.one, b, c) == -EBUSY);
	REQUIRE(heap_link(r.heap, r.one, a, c) == -EBUSY);
	REQUIRE(heap_link(r.heap, r.one, a, b) == -EBUSY);
	REQUIRE(heap_link(r.heap, r.two, other, a) == -EPERM);
	REQUIRE(heap_link(r.heap, r.two, other, b) == -EPERM);
	REQUIRE(heap_link(r.heap, r.two, b, other) == -EPERM);
	REQUIRE(heap_unlink(r.heap, r.two, a) == -EPERM);
	REQUIRE(heap_unlink(r.heap, r.one, b) == -EINVAL);
	REQUIRE(heap_give(r.heap, r.one, a, r.two) == -EBUSY);
	REQUIRE(heap_offer(r.heap, r.one, a) == -EBUSY);
	REQUIRE(heap_give(r.heap, r.two, a, r.one) == -EPERM);
	REQUIRE(owner_of(&r, a) == 101 && owner_of(&r, b) == 101);
	REQUIRE(!owner_free(&r, r.two, a) && !owner_free(&r, r.two, b));
	REQUIRE_NULL(heap_check(r.heap));
	/* What has been a parent may be a child. */
	REQUIRE(!heap_unlink(r.heap, r.one, a));
	REQUIRE(!heap_link(r.heap, r.one, b, a));
	REQUIRE(owner_free(&r, r.one, b) == 1 && owner_of(&r, a) == 101);
	REQUIRE(owner_free(&r, r.one, a) == 1 && !free_orphans(&r, r.one));
	return owner_rig_free(&r);
}

static const char *owner_links_refused(void)
{
	return owner_link_refused(100) ?: owner_link_refused(100000);
}

/* Children go with their parent, whoever has it, and are nobody's to free by then. */
static const char *owner_parent(u64 bytes, u64 child_bytes)
{
	struct owner_rig r;
	u64 a, b, c, left;

	REQUIRE_NULL(owner_rig_make(&r, 4000));
	a = owner_alloc(&r, r.one, bytes);
	b = owner_alloc(&r, r.one, child_bytes);
	c = owner_alloc(&r, r.one, child_bytes);
	left = owner_alloc(&r, r.one, child_bytes);
	REQUIRE(!heap_link(r.heap, r.one, b, a) && !heap_link(r.heap, r.one, c, a));
	REQUIRE(!heap_link(r.heap, r.one, left, a) && !heap_unlink(r.heap, r.one, left));
	REQUIRE(!heap_offer(r.heap, r.one, a) && !heap_take(r.heap, r.two, a, r.one));
	REQUIRE(owner_of(&r, a) == 102 && owner_of(&r, b) == 102 && owner_of(&r, left) == 101);
	REQUIRE(!owner_free(&r, r.one, b) && !owner_free(&r, r.one, a));
	REQUIRE_NULL(heap_check(r.heap));
	/* They outlive who allocated them. */
	owner_end(&r, &r.one);
	REQUIRE_NULL(heap_check(r.heap));
	REQUIRE(owner_of(&r, b) == 102 && owner_of(&r, left) == 1);
	REQUIRE(owner_free(&r, r.two, b) == 1);
	REQUIRE(owner_free(&r, r.two, a) == 1 && owner_of(&r, a) == 1);
	REQUIRE(!owner_free(&r, r.two, c) && !owner_free(&r, NULL, c));
	REQUIRE(refused_count(r.heap, HEAP_BAD_NOT_LIVE) == 2);
	REQUIRE_NULL(heap_check(r.heap));
	REQUIRE(free_orphans(&r, r.two) == 1 && owner_of(&r, c) == 1);
	return owner_rig_free(&r);
}

static const char *owner_parents(void)
{
	return owner_parent(100, 100) ?: owner_parent(100000, 100) ?: owner_parent(8, 100000) ?:
	       owner_parent(100000, 100000);
}

/* Of a thousand children, some go before; the end of the owner or its free. */
static const char *owner_many_children(bool ends)
{
	struct owner_rig r;
	u64 a, offset;
	u32 i, freed = 0;

	REQUIRE_NULL(owner_rig_make(&r, 1 << 16));
	a = owner_alloc(&r, r.one, 8);
	for (i = 0; i < 1000; i++) {
		offset = owner_alloc(&r, r.one, i % 100 ? 8 + i % 500 : 100000);
		REQUIRE(offset && !heap_link(r.heap, r.one, offset, a));
		if (i % 3)
			continue;
		REQUIRE(owner_free(&r, r.one, offset) == 1);
		freed++;
	}
	REQUIRE_NULL(heap_check(r.heap));
	if (ends) {
		REQUIRE(owner_end(&r, &r.one) > (1000 - freed) / HEAP_BATCH_MAX);
	} else {
		REQUIRE(owner_free(&r, r.one, a) == 1);
		REQUIRE(free_orphans(&r, r.one) == DIV_ROUND_UP(1000 - freed, HEAP_BATCH_MAX));
	}
	REQUIRE_NULL(heap_check(r.heap));
	return owner_rig_free(&r);
}

static const char *owner_children_go(void)
{
	return owner_many_children(false) ?: owner_many_children(true);
}

/* Who frees a parent sees to its children, whoever's it was; or all are looked for. */
static const char *owner_orphans_of(struct owner_rig *r, bool one, bool all)
{
	struct heap_owner *freer = one ? r->one : NULL;
	u64 a[2], offset;
	u32 i, n = 0;

	for (i = 0; i < 200; i++) {
		offset = owner_alloc(r, r->two, 64);
		if (i < 2)
			a[i] = offset;
		else
			REQUIRE(!heap_link(r->heap, r->two, offset, a[i % 2]));
	}
	for (i = 0; i < 2; i++)
		REQUIRE(!heap_give(r->heap, r->two, a[i], NULL));
	while (heap_age(r->heap))
		;
	REQUIRE(owner_free(r, freer, a[0]) == 1 && owner_free(r, freer, a[1]) == 1);
	REQUIRE(heap_is_ageing(r->heap));
	REQUIRE(!heap_free_orphans(r->heap, r->two));
	REQUIRE(!heap_free_orphans(r->heap, one ? NULL : r->one));
	/* Longer than for anything else. */
	for (i = 0; i < 10; i++)
		REQUIRE(heap_age(r->heap) && heap_is_ageing(r->heap));
	while (all ? heap_free_all_orphans(r->heap) : heap_free_orphans(r->heap, freer))
		n++;
	/* 99 of each. */
	REQUIRE(n == 4 && !heap_free_all_orphans(r->heap));
	return heap_check(r->heap);
}

static const char *owner_orphans(void)
{
	struct owner_rig r;

	REQUIRE_NULL(owner_rig_make(&r, 1000));
	REQUIRE_NULL(owner_orphans_of(&r, true, true));
	REQUIRE_NULL(owner_orphans_of(&r, false, true));
	REQUIRE_NULL(owner_orphans_of(&r, true, false));
	REQUIRE_NULL(owner_orphans_of(&r, false, false));
	return owner_rig_free(&r);
}

/* As its parent may be given away, the mark of a span that is tied names nobody. */
static const char *owner_tied_span(void)
{
	struct owner_rig r;
	u64 a, span, tag;

	REQUIRE_NULL(owner_rig_make(&r, 1000));
	a = owner_alloc(&r, r.one, 64);
	span = owner_alloc(&r, r.one, 100000);
	tag = heap_owner_tag(r.one);
	REQUIRE(HEAP_MARK_TAG(mark_at(&r, span)) == tag);
	REQUIRE(!heap_link(r.heap, r.one, span, a));
	REQUIRE(!HEAP_MARK_TAG(mark_at(&r, span)));
	REQUIRE(!heap_unlink(r.heap, r.one, span));
	REQUIRE(HEAP_MARK_TAG(mark_at(&r, span)) == tag);
	return owner_rig_free(&r);
}

/* A heap that ends while much is tied, and parents were freed. */
static const char *owner_kin_at_the_end(void)
{
	struct owner_rig r;
	u64 a[3], offset;
	u32 i;

	REQUIRE_NULL(owner_rig_make(&r, 1000));
	for (i = 0; i < 3; i++)
		a[i] = owner_alloc(&r, r.one, 64);
	for (i = 0; i < 300; i++) {
		offset = owner_alloc(&r, r.one, 64);
		REQUIRE(offset && !heap_link(r.heap, r.one, offset, a[i % 3]));
	}
	REQUIRE(owner_free(&r, r.one, a[1]) == 1);
	REQUIRE(!heap_give(r.heap, r.one, a[2], NULL));
	return heap_rig_free(r.rig);
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
	{ "what cannot be tied to what", owner_links_refused },
	{ "what is tied to a parent goes with it", owner_parents },
	{ "children by the hundred go in batches", owner_children_go },
	{ "who frees a parent sees to its children", owner_orphans },
	{ "a span that is tied", owner_tied_span },
	{ "a heap ends in which much is tied", owner_kin_at_the_end },
	{ "owners cost at most four bytes a page", owner_budget },
};
