// SPDX-License-Identifier: GPL-2.0
/*
 * The heap: the cases that it shares with KUnit, and what each of its
 * allocations of memory can lead to: it fails, or another thread does something
 * meanwhile.
 */
#include "cases_main.h"
#include "../../kmod/core/pages.h"
#include "../../kmod/tests/heap_table.h"
#include "../../kmod/tests/owner_table.h"

#define NTH_MAX	60

static const char *fail_create(void)
{
	struct heap_rig *rig = core_zalloc_array(1, sizeof(*rig));
	u32 nth;

	for (nth = 1; !rig->heap && nth < NTH_MAX; nth++) {
		u64 before = host_bytes();

		host_fail_nth(nth);
		rig->heap = heap_create(PAGES_MAX, PAGES_MAX, &rig_ops, rig);
		REQUIRE(host_failed() == !rig->heap);
		REQUIRE(rig->heap || host_bytes() == before);
	}
	REQUIRE(nth > 2 && nth < NTH_MAX);
	return heap_rig_free(rig);
}

/* The first objects of a heap, in a place where every node is missing. */
static const char *fail_first(u64 bytes, u64 before, u32 group)
{
	struct heap_request request = { .bytes = bytes, .group = group };
	struct heap_rig *rig = heap_rig_make(1ULL << 32);
	struct heap_stat stat;
	int got = -ENOMEM;
	u32 nth;

	REQUIRE(rig && rig->heap);
	if (before) {
		struct heap_request first = { .bytes = before };

		REQUIRE(heap_alloc(rig->heap, &first, rig->reg, 1) == 1);
	}
	for (nth = 1; got < 0 && nth < NTH_MAX; nth++) {
		host_fail_nth(nth);
		got = heap_alloc(rig->heap, &request, rig->reg + 1, 1);
		REQUIRE(host_failed() ? got == -ENOMEM : got == 1);
		REQUIRE_NULL(heap_check(rig->heap));
		heap_get_stat(rig->heap, &stat);
		REQUIRE(stat.failures == nth - (got > 0));
		REQUIRE(got > 0 || stat.taken_pages == before >> PAGE_SHIFT);
	}
	REQUIRE(nth > 2 && nth < NTH_MAX);
	return heap_rig_free(rig);
}

static const char *fail_first_slab(void)
{
	return fail_first(8, 0, 0);
}

static const char *fail_first_span(void)
{
	return fail_first(9 * PAGE_SIZE, 0, 3);
}

/* The run straddles leaves, chunks and top entries, and the row has to grow. */
static const char *fail_far_slab(void)
{
	return fail_first(8, ((1ULL << 25) - 3) << PAGE_SHIFT, 1);
}

static const char *fail_far_span(void)
{
	return fail_first(100 * PAGE_SIZE, ((1ULL << 31) - 50) << PAGE_SHIFT, 1);
}

static struct heap_rig *meanwhile_rig;
static struct heap_request meanwhile_request;

static void meanwhile_alloc(void)
{
	if (heap_alloc(meanwhile_rig->heap, &meanwhile_request, meanwhile_rig->reg + 2, 1) != 1)
		meanwhile_rig->error = "the request made meanwhile failed";
}

static void meanwhile_free(void)
{
	u32 bad;

	if (heap_free(meanwhile_rig->heap, meanwhile_rig->reg, 1, 0, &bad) != 1)
		meanwhile_rig->error = "the free made meanwhile failed";
}

/* Another thread does something at each moment at which it can. */
static const char *meanwhile(u64 bytes, u64 other, void (*call)(void))
{
	struct heap_request before = { .bytes = 600 * PAGE_SIZE };
	struct heap_request request = { .bytes = bytes };
	u32 nth;

	for (nth = 1; nth < 20; nth++) {
		struct heap_rig *rig = heap_rig_make(1ULL << 32);

		REQUIRE(rig && rig->heap);
		meanwhile_rig = rig;
		meanwhile_request.bytes = other;
		REQUIRE(heap_alloc(rig->heap, &before, rig->reg, 1) == 1);
		host_meanwhile(nth, call);
		REQUIRE(heap_alloc(rig->heap, &request, rig->reg + 1, 1) == 1);
		host_meanwhile(0, NULL);
		REQUIRE(rig->reg[1] != rig->reg[2]);
		REQUIRE_NULL(heap_rig_free(rig));
	}
	return NULL;
}

static const char *meanwhile_same_slot(void)
{
	return meanwhile(8, 8, meanwhile_alloc);
}

static const char *meanwhile_same_span(void)
{
	return meanwhile(9 * PAGE_SIZE, 9 * PAGE_SIZE, meanwhile_alloc);
}

static const char *meanwhile_huge_span(void)
{
	return meanwhile(8, 1ULL << 40, meanwhile_alloc);
}

static const char *meanwhile_freed(void)
{
	return meanwhile(8, 0, meanwhile_free) ?: meanwhile(9 * PAGE_SIZE, 0, meanwhile_free);
}

/*
 * Two threads both need a longer top row: while one allocates it, the other has
 * reserved its run and is about to prepare it.
 */
static pthread_barrier_t row_reserved, row_go_on;
static pthread_t row_thread;
static _Thread_local bool row_stops;

static int row_prepare(void *keeper, u64 first, u64 n, u64 marked)
{
	if (row_stops) {
		row_stops = false;
		pthread_barrier_wait(&row_reserved);
		pthread_barrier_wait(&row_go_on);
	}
	return rig_prepare(keeper, first, n, marked);
}

static const struct heap_ops row_ops = { .prepare = row_prepare, .mark = rig_mark };

static void *row_other(void *arg)
{
	struct heap_request request = { .bytes = 1ULL << 37 };
	struct heap_rig *rig = arg;

	row_stops = true;
	if (heap_alloc(rig->heap, &request, rig->reg + 1, 1) != 1)
		rig->error = "the other thread's request failed";
	return NULL;
}

static void row_meanwhile(void)
{
	pthread_create(&row_thread, NULL, row_other, meanwhile_rig);
	pthread_barrier_wait(&row_reserved);
}

static const char *row_by_two(void)
{
	struct heap_request request = { .bytes = 1ULL << 37 };
	u32 nth;

	pthread_barrier_init(&row_reserved, NULL, 2);
	pthread_barrier_init(&row_go_on, NULL, 2);
	for (nth = 1; nth < 8; nth++) {
		struct heap_rig *rig = core_zalloc_array(1, sizeof(*rig));

		rig->heap = heap_create(PAGES_MAX, PAGES_MAX, &row_ops, rig);
		meanwhile_rig = rig;
		row_thread = 0;
		host_meanwhile(nth, row_meanwhile);
		REQUIRE(heap_alloc(rig->heap, &request, rig->reg, 1) == 1);
		host_meanwhile(0, NULL);
		if (row_thread) {
			pthread_barrier_wait(&row_go_on);
			pthread_join(row_thread, NULL);
		}
		REQUIRE_NULL(heap_rig_free(rig));
	}
	return NULL;
}

static void lower_limit(void)
{
	heap_set_limit(meanwhile_rig->heap, 10);
}

static const char *meanwhile_lowered(void)
{
	struct heap_request request = { .bytes = 1ULL << 37 };
	u32 nth;

	for (nth = 1; nth < 8; nth++) {
		struct heap_rig *rig = heap_rig_make(PAGES_MAX);
		int got;

		REQUIRE(rig && rig->heap);
		meanwhile_rig = rig;
		host_meanwhile(nth, lower_limit);
		got = heap_alloc(rig->heap, &request, rig->reg, 1);
		host_meanwhile(0, NULL);
		REQUIRE(got == 1 || got == -ENOMEM);
		REQUIRE_NULL(heap_rig_free(rig));
	}
	return NULL;
}

/* What is to be tied changes while there is an allocation for that. */
static struct owner_rig tie;
static u64 tie_parent, tie_child, tie_other;
static bool tie_changed;

static void tie_give_parent(void)
{
	tie_changed = !heap_give(tie.heap, tie.one, tie_parent, tie.two);
}

static void tie_free_parent(void)
{
	tie_changed = owner_free(&tie, tie.one, tie_parent) == 1;
}

static void tie_tie_parent(void)
{
	tie_changed = !heap_link(tie.heap, tie.one, tie_parent, tie_other);
}

static void tie_give_child(void)
{
	tie_changed = !heap_give(tie.heap, tie.one, tie_child, tie.two);
}

static const char *tie_meanwhile(u64 bytes, bool kin, void (*call)(void), int want)
{
	u32 nth, changes = 0;
	int ret;

	for (nth = 1; nth < 8; nth++) {
		REQUIRE_NULL(owner_rig_make(&tie, 1000));
		tie_parent = owner_alloc(&tie, tie.one, bytes);
		tie_child = owner_alloc(&tie, tie.one, bytes);
		tie_other = owner_alloc(&tie, tie.one, bytes);
		if (kin)
			REQUIRE(!heap_link(tie.heap, tie.one, tie_other, tie_child) &&
				!heap_unlink(tie.heap, tie.one, tie_other));
		tie_changed = false;
		host_meanwhile(nth, call);
		ret = heap_link(tie.heap, tie.one, tie_child, tie_parent);
		host_meanwhile(0, NULL);
		REQUIRE(ret == (tie_changed ? want : 0));
		changes += tie_changed;
		REQUIRE_NULL(heap_check(tie.heap));
		REQUIRE_NULL(owner_rig_free(&tie));
	}
	/* Once for each of the two at least. */
	REQUIRE(changes >= 2);
	return NULL;
}

static const char *tie_slots_and_spans(void (*call)(void), int want)
{
	return tie_meanwhile(100, false, call, want) ?: tie_meanwhile(100, true, call, want) ?:
	       tie_meanwhile(100000, false, call, want) ?:
	       tie_meanwhile(100000, true, call, want);
}

static const char *meanwhile_parent_given(void)
{
	return tie_slots_and_spans(tie_give_parent, -EPERM);
}

static const char *meanwhile_parent_freed(void)
{
	return tie_slots_and_spans(tie_free_parent, -EINVAL);
}

static const char *meanwhile_parent_tied(void)
{
	return tie_slots_and_spans(tie_tie_parent, -EBUSY);
}

static const char *meanwhile_child_given(void)
{
	return tie_slots_and_spans(tie_give_child, -EPERM);
}

static const struct core_case host_cases[] = {
	{ "two threads make the top row longer at the same time", row_by_two },
	{ "the limit is lowered meanwhile", meanwhile_lowered },
	{ "another takes a slot of the class meanwhile", meanwhile_same_slot },
	{ "another takes a span of the length meanwhile", meanwhile_same_span },
	{ "another takes most of the heap meanwhile", meanwhile_huge_span },
	{ "another frees what lies before meanwhile", meanwhile_freed },
	{ "a parent is given away meanwhile", meanwhile_parent_given },
	{ "a parent is freed meanwhile", meanwhile_parent_freed },
	{ "a parent is tied to another meanwhile", meanwhile_parent_tied },
	{ "a child is given away meanwhile", meanwhile_child_given },
	{ "creating a heap while memory fails", fail_create },
	{ "the first slab while memory fails", fail_first_slab },
	{ "the first span while memory fails", fail_first_span },
	{ "a slab across far boundaries while memory fails", fail_far_slab },
	{ "a span across far boundaries while memory fails", fail_far_span },
};

int main(void)
{
	host_plan(ARRAY_SIZE(heap_cases) + ARRAY_SIZE(owner_cases) + ARRAY_SIZE(host_cases));
	host_run_cases(heap_cases, ARRAY_SIZE(heap_cases), heap_play);
	host_run_cases(owner_cases, ARRAY_SIZE(owner_cases), NULL);
	host_run_cases(host_cases, ARRAY_SIZE(host_cases), NULL);
	return host_done();
}
