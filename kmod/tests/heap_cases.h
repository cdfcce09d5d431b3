/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the heap: scripts of steps.
 *
 * Objects are kept in registers. The page map that the heap asks its keeper to
 * keep is recorded, and checked at every change of it.
 */
#include "cases.h"
#include "../core/heap.h"
#include "../core/class.h"

#define P		PAGE_SIZE
#define HEAP_REGS	512
#define HEAP_MAP	8192	/* pages whose entries are recorded */
#define FREED		HEAP_REFUSALS

enum heap_op {
	HEAP_END,
	HEAP_ALLOC,	/* @n objects into registers from @reg; @want is returned */
	HEAP_FREE,	/* @n registers from @reg plus @bytes; all @want: the refusal */
	HEAP_FREE_SIZED,	/* @n registers from @reg as @bytes */
	HEAP_FREE_AT,	/* the offset @bytes */
	HEAP_AT,	/* register @reg is at @bytes */
	HEAP_ENTRY,	/* the page of @reg is marked with @bytes */
	HEAP_LIMIT,	/* set to @bytes pages */
	HEAP_TAKEN,	/* @bytes pages are taken */
	HEAP_TRIM,
	HEAP_AGE,	/* returns @want */
	HEAP_IDLE,	/* the first idle run from page @reg on: @n pages at @bytes */
	HEAP_NO_PREPARE,	/* the keeper answers with -@want from now on */
	HEAP_KERNEL,	/* kernel memory is at most @bytes */
};

struct heap_step {
	enum heap_op op;
	u32 reg;
	u32 n;
	u64 bytes;
	u32 align;
	u32 group;
	int want;
};

struct heap_script {
	u64 pages;
	u64 limit;
	struct heap_step step[CASE_STEPS];
};

/**
 * struct heap_rig - a heap and its keeper
 * @prepare: what prepare answers
 * @error: what the keeper has to complain of
 * @map: marks of pages
 * @prepared: pages that were prepared
 * @owners_freed: how often an owner was freed
 * @reg: offsets
 */
struct heap_rig {
	struct heap *heap;
	int prepare;
	const char *error;
	u32 map[HEAP_MAP];
	bool prepared[HEAP_MAP];
	u32 owners_freed;
	u64 reg[HEAP_REGS];
};

static int rig_prepare(void *keeper, u64 first, u64 n, u64 marked)
{
	struct heap_rig *rig = keeper;
	u64 i;

	if (marked > n)
		rig->error = "more is to be marked than there is";
	for (i = first; i < first + marked && i < HEAP_MAP && !rig->prepare; i++)
		rig->prepared[i] = true;
	return rig->prepare;
}

/* Of what is marked already: a slab becomes mixed, a span changes its owner. */
static bool rig_marks_anew(u32 from, u32 to)
{
	if (HEAP_MARK_KIND(to) == HEAP_KIND_MIXED)
		return HEAP_MARK_KIND(from) == HEAP_KIND_SLAB &&
		       HEAP_MARK_TAG(from) == HEAP_MARK_TAG(to);
	return HEAP_MARK_KIND(from) == HEAP_KIND_SPAN && HEAP_MARK_KIND(to) == HEAP_KIND_SPAN;
}

static void rig_mark(void *keeper, u64 first, u64 n, u32 mark)
{
	struct heap_rig *rig = keeper;
	u64 i;

	for (i = first; i < first + n && i < HEAP_MAP; i++) {
		if (!rig->prepared[i])
			rig->error = "a page was marked that was not prepared";
		if (!rig->map[i] == !mark && !rig_marks_anew(rig->map[i], mark))
			rig->error = mark ? "a page was marked twice" :
					     "a page was unmarked twice";
		rig->map[i] = mark;
	}
}

static void rig_owner_freed(void *keeper, void *payer)
{
	struct heap_rig *rig = keeper;

	if (payer != rig)
		rig->error = "an owner was freed that was never made";
	rig->owners_freed++;
}

static const struct heap_ops rig_ops = {
	.prepare = rig_prepare,
	.mark = rig_mark,
	.owner_freed = rig_owner_freed,
};

static u64 refused_count(struct heap *heap, u32 refusal)
{
	struct heap_stat stat;

	heap_get_stat(heap, &stat);
	return stat.refused[refusal];
}

static const char *rig_free_one(struct heap_rig *rig, u64 offset, u64 bytes, u32 want)
{
	struct heap_object object;
	u64 before = want < FREED ? refused_count(rig->heap, want) : 0;
	bool live = !heap_find(rig->heap, offset, &object);
	u32 bad = 77;
	int freed;

	freed = heap_free(rig->heap, &offset, 1, bytes, &bad);
	if (want == FREED) {
		REQUIRE(live);
		REQUIRE(freed == 1 && bad == 1);
		REQUIRE(heap_find(rig->heap, offset, &object));
		return NULL;
	}
	REQUIRE(!freed && !bad);
	REQUIRE(refused_count(rig->heap, want) == before + 1);
	REQUIRE(live == (want == HEAP_BAD_BYTES));
	REQUIRE(live == !heap_find(rig->heap, offset, &object));
	return NULL;
}

static const char *rig_alloc(struct heap_rig *rig, const struct heap_step *step)
{
	struct heap_request request = { step->bytes, step->align, step->group, 0 };
	struct heap_object object;
	int i;

	REQUIRE(heap_alloc(rig->heap, &request, rig->reg + step->reg, step->n) == step->want);
	for (i = 0; i < step->want; i++) {
		REQUIRE(!heap_find(rig->heap, rig->reg[step->reg + i], &object));
		REQUIRE(object.bytes >= step->bytes && object.group == step->group);
		REQUIRE(!step->align || object.offset % step->align == 0);
	}
	return NULL;
}

static const char *rig_free(struct heap_rig *rig, const struct heap_step *step)
{
	u64 delta = step->op == HEAP_FREE ? step->bytes : 0;
	u64 sized = step->op == HEAP_FREE_SIZED ? step->bytes : 0;
	u32 i;

	for (i = step->reg; i < step->reg + step->n; i++)
		REQUIRE_NULL(rig_free_one(rig, rig->reg[i] + delta, sized, step->want));
	return NULL;
}

static const char *rig_idle(struct heap_rig *rig, const struct heap_step *step)
{
	u64 first = step->reg, n;

	REQUIRE(heap_find_idle(rig->heap, &first, &n) == !!step->n);
	REQUIRE(n == step->n);
	REQUIRE(!n || first == step->bytes);
	return NULL;
}

static const char *heap_play_step(struct heap_rig *rig, const struct heap_step *step)
{
	struct heap_stat stat;

	switch (step->op) {
	case HEAP_ALLOC:
		return rig_alloc(rig, step);
	case HEAP_FREE:
	case HEAP_FREE_SIZED:
		return rig_free(rig, step);
	case HEAP_FREE_AT:
		return rig_free_one(rig, step->bytes, 0, step->want);
	case HEAP_AT:
		REQUIRE(rig->reg[step->reg] == step->bytes);
		return NULL;
	case HEAP_ENTRY:
		REQUIRE(rig->map[rig->reg[step->reg] >> PAGE_SHIFT] == step->bytes);
		return NULL;
	case HEAP_LIMIT:
		heap_set_limit(rig->heap, step->bytes);
		return NULL;
	case HEAP_TRIM:
		heap_trim(rig->heap);
		return NULL;
	case HEAP_AGE:
		REQUIRE(heap_age(rig->heap) == step->want);
		REQUIRE(heap_is_ageing(rig->heap) == step->want);
		return NULL;
	case HEAP_IDLE:
		return rig_idle(rig, step);
	case HEAP_NO_PREPARE:
		rig->prepare = step->want;
		return NULL;
	default:
		heap_get_stat(rig->heap, &stat);
		if (step->op == HEAP_TAKEN)
			REQUIRE(stat.taken_pages == step->bytes);
		else
			REQUIRE(stat.kernel_bytes <= step->bytes);
		return NULL;
	}
}

static const char *heap_play(const void *data)
{
	const struct heap_script *script = data;
	const struct heap_step *step;
	struct heap_rig *rig = core_zalloc_array(1, sizeof(*rig));
	const char *error = NULL;

	REQUIRE(rig);
	rig->heap = heap_create(script->pages, script->limit, &rig_ops, rig);
	REQUIRE(rig->heap);
	for (step = script->step; step->op != HEAP_END && !error; step++)
		error = heap_play_step(rig, step) ?: rig->error ?: heap_check(rig->heap);
	heap_destroy(rig->heap);
	core_free_array(rig);
	return error;
}

#define ALLOC(reg, bytes, want)		{ HEAP_ALLOC, reg, 1, bytes, 0, 0, want }
#define ALLOC_N(reg, n, bytes, want)	{ HEAP_ALLOC, reg, n, bytes, 0, 0, want }
#define ALLOC_ALIGN(reg, bytes, align, want)	{ HEAP_ALLOC, reg, 1, bytes, align, 0, want }
#define ALLOC_GROUP(reg, bytes, group, want)	{ HEAP_ALLOC, reg, 1, bytes, 0, group, want }
#define FREE(reg, want)			{ HEAP_FREE, reg, 1, 0, 0, 0, want }
#define FREE_N(reg, n)			{ HEAP_FREE, reg, n, 0, 0, 0, FREED }
#define FREE_INSIDE(reg, delta, want)	{ HEAP_FREE, reg, 1, delta, 0, 0, want }
#define FREE_SIZED(reg, bytes, want)	{ HEAP_FREE_SIZED, reg, 1, bytes, 0, 0, want }
#define FREE_AT(offset, want)		{ HEAP_FREE_AT, 0, 1, offset, 0, 0, want }
#define AT(reg, offset)			{ HEAP_AT, reg, 0, offset, 0, 0, 0 }
#define ENTRY(reg, class, group, kind)	\
	{ HEAP_ENTRY, reg, 0, HEAP_MARK(kind, class, group, 0), 0, 0, 0 }
#define NO_ENTRY(reg)			{ HEAP_ENTRY, reg, 0, 0, 0, 0, 0 }
#define LIMIT(pages)			{ HEAP_LIMIT, 0, 0, pages, 0, 0, 0 }
#define TAKEN(pages)			{ HEAP_TAKEN, 0, 0, pages, 0, 0, 0 }
#define TRIM				{ HEAP_TRIM, 0, 0, 0, 0, 0, 0 }
#define AGE(more)			{ HEAP_AGE, 0, 0, 0, 0, 0, more }
#define IDLE(from, first, n)		{ HEAP_IDLE, from, n, first, 0, 0, 0 }
#define PREPARE(answer)			{ HEAP_NO_PREPARE, 0, 0, 0, 0, 0, answer }
#define KERNEL(bytes)			{ HEAP_KERNEL, 0, 0, bytes, 0, 0, 0 }

#define HEAP_SCRIPT(title, pages, limit, ...)	\
	{ title, NULL, &(const struct heap_script){ pages, limit, { __VA_ARGS__ } } }
