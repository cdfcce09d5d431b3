/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the page bitmap: scripts of steps, and comparison with an
 * array of bytes.
 */
#include "cases.h"
#include "../core/pages.h"

#define NONE	PAGES_NONE

/* What a step does; each is followed by pages_check(). */
enum pages_op {
	PAGES_END,
	PAGES_FIND,	/* a run of @n is found at @page */
	PAGES_TAKE,	/* ... and taken */
	PAGES_TAKE_AT,	/* take @n at @page, wherever the first fit is */
	PAGES_GIVE,
	PAGES_GIVE_CLEAN,
	PAGES_OBJECTS,	/* the tree has @n nodes and @page chunks */
	PAGES_DIRTY,	/* pages [@page, @page + @n) are dirty */
	PAGES_CLEAN,	/* they are not */
};

struct pages_step {
	enum pages_op op;
	u64 n;
	u64 page;
};

struct pages_script {
	u64 count;
	struct pages_step step[CASE_STEPS];
};

/**
 * struct pages_rig - a bitmap with its memory
 * @objects: nodes and chunks in the tree
 * @needless: those that pages_wants() asked for and nothing took
 */
struct pages_rig {
	struct pages pages;
	struct pages_reserve reserve;
	u64 objects[PAGES_KINDS];
	u64 needless;
};

static void pages_rig_empty(struct pages_rig *rig)
{
	enum pages_kind kind;
	void *object;

	for (kind = 0; kind < PAGES_KINDS; kind++)
		while ((object = pages_next_spare(&rig->reserve, kind))) {
			core_free(object);
			rig->objects[kind]--;
		}
	while ((object = pages_next_dead(&rig->reserve, &kind))) {
		core_free(object);
		rig->objects[kind]--;
	}
	core_free_array(rig->reserve.row);
	core_free_array(rig->reserve.old_row);
	rig->reserve.row = NULL;
	rig->reserve.old_row = NULL;
	rig->reserve.row_len = 0;
}

/* Takes a run with exactly the memory that pages_wants() asks for. */
static void pages_rig_take(struct pages_rig *rig, u64 first, u64 n)
{
	struct pages_want want = pages_wants(&rig->pages, first, n);
	enum pages_kind kind;

	if (want.row_len) {
		rig->reserve.row = core_zalloc_array(want.row_len, sizeof(struct pages_entry));
		rig->reserve.row_len = want.row_len;
	}
	for (kind = 0; kind < PAGES_KINDS; kind++)
		for (; want.objects[kind]; want.objects[kind]--) {
			pages_add_spare(&rig->reserve, kind, core_zalloc(pages_bytes(kind)));
			rig->objects[kind]++;
		}
	pages_take(&rig->pages, first, n, &rig->reserve);
	rig->needless += rig->reserve.spares[PAGES_CHUNK] + rig->reserve.spares[PAGES_NODE];
	pages_rig_empty(rig);
}

static void pages_rig_give(struct pages_rig *rig, u64 first, u64 n, bool clean)
{
	if (clean)
		pages_give_clean(&rig->pages, first, n, &rig->reserve);
	else
		pages_give(&rig->pages, first, n, &rig->reserve);
	pages_rig_empty(rig);
}

static const char *pages_rig_done(struct pages_rig *rig)
{
	pages_destroy(&rig->pages, &rig->reserve);
	pages_rig_empty(rig);
	REQUIRE(!rig->objects[PAGES_CHUNK] && !rig->objects[PAGES_NODE]);
	REQUIRE(!rig->needless);
	return NULL;
}

static const char *pages_look(const struct pages_rig *rig, const struct pages_step *step)
{
	u64 i;

	for (i = step->page; i < step->page + step->n; i++)
		REQUIRE(pages_is_dirty(&rig->pages, i) == (step->op == PAGES_DIRTY));
	return NULL;
}

static const char *pages_play_step(struct pages_rig *rig, const struct pages_step *step)
{
	u64 taken = rig->pages.taken;

	switch (step->op) {
	case PAGES_FIND:
	case PAGES_TAKE:
		REQUIRE(pages_find(&rig->pages, step->n) == step->page);
		if (step->op == PAGES_FIND)
			break;
		fallthrough;
	case PAGES_TAKE_AT:
		REQUIRE(!pages_count(&rig->pages, step->page, step->n));
		pages_rig_take(rig, step->page, step->n);
		REQUIRE(pages_count(&rig->pages, step->page, step->n) == step->n);
		REQUIRE(rig->pages.taken == taken + step->n);
		break;
	case PAGES_GIVE:
	case PAGES_GIVE_CLEAN:
		pages_rig_give(rig, step->page, step->n, step->op == PAGES_GIVE_CLEAN);
		REQUIRE(!pages_count(&rig->pages, step->page, step->n));
		REQUIRE(rig->pages.taken == taken - step->n);
		break;
	case PAGES_OBJECTS:
		REQUIRE(rig->objects[PAGES_NODE] == step->n);
		REQUIRE(rig->objects[PAGES_CHUNK] == step->page);
		break;
	default:
		REQUIRE_NULL(pages_look(rig, step));
	}
	return pages_check(&rig->pages);
}

static const char *pages_play(const void *data)
{
	const struct pages_script *script = data;
	const struct pages_step *step;
	struct pages_rig rig = {};

	pages_init(&rig.pages, script->count);
	for (step = script->step; step->op != PAGES_END; step++)
		REQUIRE_NULL(pages_play_step(&rig, step));
	return pages_rig_done(&rig);
}

#define FIND(n, at)		{ PAGES_FIND, n, at }
#define TAKE(n, at)		{ PAGES_TAKE, n, at }
#define TAKE_AT(at, n)		{ PAGES_TAKE_AT, n, at }
#define GIVE(at, n)		{ PAGES_GIVE, n, at }
#define GIVE_CLEAN(at, n)	{ PAGES_GIVE_CLEAN, n, at }
#define OBJECTS(nodes, chunks)	{ PAGES_OBJECTS, nodes, chunks }
#define DIRTY(at, n)		{ PAGES_DIRTY, n, at }
#define CLEAN(at, n)		{ PAGES_CLEAN, n, at }
#define M			(1ULL << 20)

#define PAGES_SCRIPT(title, pages, ...)	\
	{ title, NULL, &(const struct pages_script){ pages, { __VA_ARGS__ } } }

/* Everything against an array of bytes: 1 = taken, 2 = dirty. */
#define NAIVE_PAGES	2600

static u64 naive_find(const u8 *map, u64 n)
{
	u64 i, run = 0;

	for (i = 0; i < NAIVE_PAGES; i++) {
		run = map[i] & 1 ? 0 : run + 1;
		if (run == n)
			return i + 1 - n;
	}
	return NONE;
}

/* Each byte stands for @unit pages. */
static const char *naive_compare(const struct pages_rig *rig, const u8 *map, u64 unit)
{
	u64 i, last;

	for (i = 0; i < NAIVE_PAGES; i++) {
		last = i * unit + unit - 1;
		REQUIRE(pages_is_taken(&rig->pages, i * unit) == (map[i] & 1));
		REQUIRE(pages_is_dirty(&rig->pages, i * unit) == map[i] >> 1);
		REQUIRE(pages_is_taken(&rig->pages, last) == (map[i] & 1));
		REQUIRE(pages_is_dirty(&rig->pages, last) == map[i] >> 1);
	}
	return pages_check(&rig->pages);
}

struct naive_run {
	u64 first;
	u64 n;
};

#define NAIVE_RUNS	200
#define NAIVE_ROUNDS	6000

static const char *naive_rounds(struct pages_rig *rig, u8 *map, struct naive_run *runs, u64 unit)
{
	u32 round, i, count = 0;
	u64 seed = 88172645463325252ULL;

	for (round = 0; round < NAIVE_ROUNDS; round++) {
		u64 n = 1 + (case_random(&seed) >> 8) % (case_random(&seed) % 8 ? 12 : 1100);
		u64 first = naive_find(map, n);
		bool clean = case_random(&seed) % 4 == 0;

		REQUIRE(pages_find(&rig->pages, n * unit) == (first == NONE ? NONE : first * unit));
		if (first != NONE && count < NAIVE_RUNS && case_random(&seed) % 2) {
			memset(map + first, 3, n);
			pages_rig_take(rig, first * unit, n * unit);
			runs[count++] = (struct naive_run){ first, n };
		} else if (count) {
			i = case_random(&seed) % count;
			memset(map + runs[i].first, clean ? 0 : 2, runs[i].n);
			pages_rig_give(rig, runs[i].first * unit, runs[i].n * unit, clean);
			runs[i] = runs[--count];
		}
		if (round % (16 * unit) == 0)
			REQUIRE_NULL(naive_compare(rig, map, unit));
	}
	REQUIRE_NULL(naive_compare(rig, map, unit));
	while (count--)
		pages_rig_give(rig, runs[count].first * unit, runs[count].n * unit, true);
	return NULL;
}

static const char *naive_with(u64 unit)
{
	struct pages_rig rig = {};
	u8 *map = core_zalloc(NAIVE_PAGES);
	struct naive_run *runs = core_zalloc(NAIVE_RUNS * sizeof(*runs));
	const char *error;

	pages_init(&rig.pages, NAIVE_PAGES * unit);
	error = map && runs ? naive_rounds(&rig, map, runs, unit) : "no memory";
	core_free(map);
	core_free(runs);
	return error ? error : pages_rig_done(&rig);
}

static const char *pages_naive(void)
{
	return naive_with(1);
}

/* Runs across nodes, and across entries of the row. */
static const char *pages_naive_long(void)
{
	return naive_with(101) ?: naive_with(1000);
}

/* Single chunks against counting bit by bit. */

static u32 chunk_find_naive(const u64 *map, u32 n)
{
	u32 i, run = 0;

	for (i = 0; i < BITS_CHUNK; i++) {
		run = bits_test(map, i) ? 0 : run + 1;
		if (run == n)
			return i + 1 - n;
	}
	return BITS_CHUNK;
}

static const char *chunk_compare(const u64 *map)
{
	u32 start = 0, end = 0, longest = 0, n;
	u64 sum = bits_sum(map);

	while (start < BITS_CHUNK && !bits_test(map, start))
		start++;
	while (end < BITS_CHUNK && !bits_test(map, BITS_CHUNK - 1 - end))
		end++;
	for (n = 1; n <= BITS_CHUNK; n++) {
		u32 first = chunk_find_naive(map, n);

		REQUIRE(bits_find(map, n) == first);
		if (first < BITS_CHUNK)
			longest = n;
	}
	REQUIRE(sum_start(sum) == start);
	REQUIRE(sum_end(sum) == end);
	REQUIRE(sum_longest(sum) == longest);
	return NULL;
}

/* A run is taken, and given back. */
static const char *chunk_give(const u64 *map, u32 first, u32 n)
{
	u64 given[BITS_CHUNK_WORDS], sum;

	memcpy(given, map, sizeof(given));
	bits_set(given, first, n);
	sum = bits_sum(given);
	bits_clear(given, first, n);
	REQUIRE(bits_sum_given(given, sum, first, n) == bits_sum(given));
	return NULL;
}

static const char *pages_chunks(void)
{
	u64 map[BITS_CHUNK_WORDS] = {}, seed = 4101842887655102017ULL;
	u32 round, i;

	REQUIRE_NULL(chunk_compare(map));
	for (round = 0; round < 400; round++) {
		u32 first = case_random(&seed) % BITS_CHUNK;
		u32 n = 1 + case_random(&seed) % min(BITS_CHUNK - first, 1U << round % 10);
		u32 before = bits_count(map, 0, BITS_CHUNK);
		u32 inside = bits_count(map, first, n);

		REQUIRE_NULL(chunk_give(map, first, n));
		REQUIRE_NULL(chunk_give(map, first, BITS_CHUNK - first));
		REQUIRE_NULL(chunk_give(map, 0, n));
		if (case_random(&seed) % 2) {
			bits_set(map, first, n);
			REQUIRE(bits_count(map, 0, BITS_CHUNK) == before + n - inside);
		} else {
			bits_clear(map, first, n);
			REQUIRE(bits_count(map, 0, BITS_CHUNK) == before - inside);
		}
		for (i = 0; i < BITS_CHUNK; i += 37)
			REQUIRE(bits_count(map, i, 1) == bits_test(map, i));
		REQUIRE_NULL(chunk_compare(map));
	}
	return NULL;
}

/* Behind many chunks without a free and dirty page there is a run of them. */
static const char *pages_dirty_far(void)
{
	struct pages_rig rig = {};
	u64 i, page = 0, n = 0, calls = 0, last, end = 1 << 17;

	pages_init(&rig.pages, PAGES_MAX);
	for (i = 0; i < end; i++)
		pages_rig_take(&rig, i, 1);
	pages_rig_give(&rig, end - 3, 1, false);
	pages_rig_give(&rig, end - 2, 1, false);
	do {
		last = page;
		REQUIRE(pages_next_dirty(&rig.pages, &page, &n));
		REQUIRE(n || page > last);
		calls++;
	} while (!n);
	REQUIRE(page == end - 3 && n == 2);
	REQUIRE(calls > 2);	/* no call looks at all of it */
	for (page = end - 1; pages_next_dirty(&rig.pages, &page, &n);)
		REQUIRE(!n);
	REQUIRE_NULL(pages_check(&rig.pages));
	return pages_rig_done(&rig);
}

static const struct core_case pages_cases[] = {
	{ "dirty pages far away are found in steps", pages_dirty_far },
	{ "chunks agree with counting bit by bit", pages_chunks },
	{ "any sequence agrees with an array of bytes", pages_naive },
	{ "any sequence of long runs agrees with an array of bytes", pages_naive_long },
	PAGES_SCRIPT("an empty heap fits its own size and no more", 5000,
		     FIND(1, 0), FIND(5000, 0), FIND(5001, NONE), FIND(0, NONE), OBJECTS(0, 0),
		     FIND(~0ULL, NONE), FIND(1ULL << 32, NONE), FIND((1ULL << 32) + 1, NONE)),
	PAGES_SCRIPT("first fit takes the lowest hole", 4096,
		     TAKE(10, 0), TAKE(10, 10), TAKE(10, 20), TAKE(10, 30),
		     GIVE(10, 10), GIVE(30, 10),
		     FIND(10, 10), FIND(11, 30), TAKE(4, 10), TAKE(6, 14), FIND(1, 30)),
	PAGES_SCRIPT("freeing below everything is found again at once", 4096,
		     TAKE(2000, 0), TAKE(1, 2000), GIVE(0, 2000), FIND(1, 0), TAKE(1, 0),
		     FIND(1, 1), FIND(1999, 1), FIND(2000, 2001)),
	PAGES_SCRIPT("a hole between takes does not move the search past it", 4096,
		     TAKE_AT(0, 5), TAKE_AT(6, 5), FIND(1, 5), TAKE_AT(20, 2), FIND(1, 5),
		     TAKE(1, 5), FIND(1, 11), FIND(10, 22), FIND(9, 11)),
	PAGES_SCRIPT("straddles a chunk boundary", 4096,
		     TAKE_AT(0, 500), TAKE_AT(530, 100), FIND(30, 500), FIND(31, 630),
		     TAKE(30, 500), GIVE(500, 30), FIND(30, 500)),
	PAGES_SCRIPT("exhaust chunk minus three", 2048,
		     TAKE_AT(0, 509), TAKE_AT(512, 512), FIND(3, 509), FIND(4, 1024),
		     TAKE(3, 509), FIND(1, 1024)),
	PAGES_SCRIPT("straddles a node boundary", 1 << 17,
		     TAKE_AT(0, 32763), TAKE_AT(32773, 20), FIND(10, 32763), FIND(11, 32793),
		     TAKE(10, 32763), GIVE(32763, 10), FIND(10, 32763), GIVE(0, 32763),
		     FIND(32773, 0), FIND(32774, 32793)),
	PAGES_SCRIPT("covers whole eights, and ends inside of one", 32768,
		     TAKE_AT(0, 4000), TAKE_AT(20000, 12768), FIND(16000, 4000),
		     FIND(16001, NONE), TAKE(16000, 4000), FIND(1, NONE)),
	PAGES_SCRIPT("ends in two chunks share the node above", 1 << 20,
		     TAKE_AT(0, 1), OBJECTS(2, 1), TAKE_AT(33268, 100), OBJECTS(3, 3)),
	PAGES_SCRIPT("a hole at an edge of a chunk, all else in its eights taken", 8192,
		     TAKE_AT(0, 511), TAKE_AT(511, 2), TAKE_AT(513, 511), TAKE_AT(1024, 3072),
		     TAKE_AT(4096, 4096), GIVE(511, 2), FIND(2, 511), TAKE(1, 511), FIND(2, NONE),
		     TAKE(1, 512), FIND(1, NONE), GIVE(512, 1), FIND(1, 512), FIND(2, NONE),
		     TAKE(1, 512), GIVE(511, 1), FIND(1, 511), FIND(2, NONE)),
	PAGES_SCRIPT("straddles boundaries of every level at once", 4 * M,
		     TAKE_AT(0, 2 * M - 1), TAKE_AT(2 * M + 1, 7), FIND(2, 2 * M - 1),
		     TAKE(2, 2 * M - 1), GIVE(2 * M - 1, 2), FIND(2, 2 * M - 1),
		     FIND(3, 2 * M + 8), OBJECTS(4, 2)),
	PAGES_SCRIPT("a run across the largest boundary needs a path at either end", 4 * M,
		     TAKE_AT(2 * M - 1, 2), OBJECTS(4, 2), GIVE_CLEAN(2 * M - 1, 2), OBJECTS(0, 0)),
	PAGES_SCRIPT("run across the top entries", 16 * M,
		     TAKE_AT(0, 3 * M), TAKE_AT(9 * M, M), FIND(6 * M, 3 * M),
		     FIND(6 * M + 1, NONE), FIND(5 * M, 3 * M), TAKE(6 * M, 3 * M),
		     FIND(6 * M, 10 * M), GIVE(3 * M, 6 * M), GIVE(0, 3 * M), FIND(9 * M, 0)),
	PAGES_SCRIPT("a heap of the largest size, taken whole", PAGES_MAX,
		     TAKE(PAGES_MAX, 0), FIND(1, NONE), OBJECTS(0, 0), GIVE(0, PAGES_MAX),
		     DIRTY(0, 2), DIRTY(PAGES_MAX - 2, 2), FIND(PAGES_MAX, 0),
		     TAKE(PAGES_MAX, 0), GIVE_CLEAN(0, PAGES_MAX), CLEAN(PAGES_MAX - 2, 2)),
	PAGES_SCRIPT("the far end of the largest heap", PAGES_MAX,
		     TAKE_AT(PAGES_MAX - 1, 1), FIND(PAGES_MAX - 1, 0), FIND(PAGES_MAX, NONE),
		     OBJECTS(2, 1), GIVE_CLEAN(PAGES_MAX - 1, 1), OBJECTS(0, 0)),
	PAGES_SCRIPT("tail of a heap not a multiple of a chunk", 1000,
		     TAKE(999, 0), FIND(2, NONE), TAKE(1, 999), FIND(1, NONE),
		     GIVE(0, 999), FIND(999, 0), FIND(1000, NONE), GIVE(999, 1), FIND(1000, 0)),
	PAGES_SCRIPT("smallest heap", 2,
		     TAKE(1, 0), TAKE(1, 1), FIND(1, NONE), GIVE(1, 1), FIND(1, 1),
		     FIND(2, NONE)),
	PAGES_SCRIPT("a chunk taken by one run needs no bitmap", 1 << 20,
		     TAKE_AT(512, 512), OBJECTS(2, 0), GIVE(512, 512), DIRTY(512, 512),
		     CLEAN(511, 1), CLEAN(1024, 1), TAKE_AT(512, 1), OBJECTS(2, 1),
		     GIVE_CLEAN(512, 1), CLEAN(512, 1), DIRTY(513, 511)),
	PAGES_SCRIPT("a chunk taken by two runs that meet keeps its bitmap", 1 << 20,
		     TAKE(200, 0), TAKE(312, 200), OBJECTS(2, 1), GIVE(0, 200), FIND(200, 0),
		     GIVE(200, 312), OBJECTS(2, 0), FIND(1 << 20, 0)),
	PAGES_SCRIPT("a node taken by eight runs is freed one by one", 32768,
		     TAKE(4096, 0), TAKE(4096, 4096), TAKE(4096, 8192), TAKE(4096, 12288),
		     TAKE(4096, 16384), TAKE(4096, 20480), TAKE(4096, 24576), TAKE(4096, 28672),
		     FIND(1, NONE), OBJECTS(2, 0), GIVE(4096, 4096), GIVE(20480, 4096),
		     FIND(4097, NONE), GIVE(28672, 4096), GIVE(8192, 4096), FIND(8192, 4096),
		     GIVE(0, 4096), GIVE(12288, 4096), GIVE(24576, 4096), GIVE(16384, 4096),
		     OBJECTS(1, 0), DIRTY(0, 32768), FIND(32768, 0)),
	PAGES_SCRIPT("holes inside of chunks, all else in the eight taken", 4096,
		     TAKE_AT(0, 600), TAKE_AT(600, 10), TAKE_AT(610, 500), TAKE_AT(1110, 5),
		     TAKE_AT(1115, 2981), FIND(1, NONE), GIVE(600, 10), FIND(10, 600),
		     FIND(11, NONE), TAKE(10, 600), FIND(1, NONE), GIVE(1110, 5),
		     GIVE(600, 10), FIND(10, 600), TAKE(10, 600), FIND(5, 1110), GIVE(600, 10),
		     TAKE_AT(1110, 5), FIND(10, 600), FIND(11, NONE), TAKE(10, 600),
		     FIND(1, NONE)),
	PAGES_SCRIPT("straddles eights of chunks and of nodes", 1 << 19,
		     TAKE_AT(0, 4090), TAKE_AT(4100, 4092), FIND(10, 4090), FIND(11, 8192),
		     TAKE(10, 4090), TAKE_AT(8192, 253942), TAKE_AT(262154, 10),
		     FIND(20, 262134), FIND(21, 262164), TAKE(20, 262134), GIVE(4090, 10),
		     FIND(10, 4090), FIND(11, 262164), GIVE(262134, 20), FIND(11, 262134)),
	PAGES_SCRIPT("a run over dirty and clean chunks detaches what is below", 8 * M,
		     TAKE(1, 0), GIVE(0, 1), TAKE_AT(M, 1), GIVE(M, 1), TAKE_AT(3 * M, 1),
		     GIVE(3 * M, 1), OBJECTS(5, 3), TAKE(4 * M, 0), OBJECTS(0, 0), GIVE(0, 4 * M),
		     DIRTY(4 * M - 1, 1), CLEAN(4 * M, 1), TAKE(1, 0), OBJECTS(2, 1)),
	PAGES_SCRIPT("neighbours merge in any order", 4096,
		     TAKE(100, 0), TAKE(100, 100), TAKE(100, 200), TAKE(3000, 300),
		     GIVE(0, 100), GIVE(200, 100), FIND(101, 3300), GIVE(100, 100),
		     FIND(300, 0)),
	PAGES_SCRIPT("dirty stays until it is punched", 1 << 20,
		     CLEAN(0, 600), TAKE(600, 0), DIRTY(0, 600), GIVE(0, 600), DIRTY(0, 600),
		     CLEAN(600, 1), TAKE(300, 0), DIRTY(0, 600), GIVE_CLEAN(0, 300),
		     CLEAN(0, 300), DIRTY(300, 300), TAKE_AT(300, 300), GIVE_CLEAN(300, 300),
		     CLEAN(0, 1000), OBJECTS(0, 0)),
};
