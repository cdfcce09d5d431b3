// SPDX-License-Identifier: GPL-2.0
/*
 * Several threads on one heap: nothing is handed out twice, and the heap is
 * consistent at the end.
 */
#include "host.h"
#include "../../kmod/core/class.h"
#include "../../kmod/core/heap_impl.h"

#define THREADS		4
#define ROUNDS		12000
#define OBJECTS		600
#define PAGES		1500
#define GRAIN		8

#define ANARCHY_ROUNDS	20000
#define ANARCHY_PAGES	60
#define WITHIN_ROUNDS	200000

static struct heap *heap;
static _Atomic u8 owner_of[PAGES * 4096 / GRAIN];
static u32 map[PAGES];
static u8 releasing[PAGES];
static _Atomic u32 troubles;

/* Counts what is wrong, and says the first. */
static void require(const char *error)
{
	if (error && !troubles++)
		printf("# %s\n", error);
}

static int prepare(void *keeper, u64 first, u64 n, u64 marked)
{
	(void)keeper;
	(void)n;
	(void)marked;
	if (first % 16 == 0)
		sched_yield();
	return first % 97 ? 0 : -EIO;
}

static void mark(void *keeper, u64 first, u64 n, u32 entry)
{
	(void)keeper;
	for (; n--; first++) {
		require(!map[first] == !entry ? "a page is marked twice" : NULL);
		map[first] = entry;
	}
}

static const struct heap_ops ops = { .prepare = prepare, .mark = mark };

/* What ends is nobody's until it is released. */
static void release(void *keeper, u64 first, u64 n)
{
	u64 i, grains = 4096 / GRAIN;

	(void)keeper;
	for (i = first * grains; i < (first + n) * grains; i++)
		if (__atomic_load_n((u8 *)&owner_of[i], __ATOMIC_RELAXED))
			require("an object is on a page that is released");
	if (first % 8 == 0)
		sched_yield();
	for (i = first; i < first + n; i++) {
		if (heap_page(heap, i) != HEAP_PAGE_FREE)
			require("a page that is being released can be touched");
		if (__atomic_exchange_n(&releasing[i], 1, __ATOMIC_RELAXED))
			require("a page is released twice at once");
	}
	for (i = first; i < first + n; i++)
		__atomic_store_n(&releasing[i], 0, __ATOMIC_RELAXED);
}

static const struct heap_ops strict_ops = {
	.prepare = prepare,
	.mark = mark,
	.release = release,
};

static void claim(u64 offset, u64 bytes, u8 from, u8 to)
{
	u64 i;

	for (i = offset / GRAIN; i < (offset + bytes) / GRAIN; i++)
		if (!__atomic_compare_exchange_n((u8 *)&owner_of[i], &(u8){ from }, to, false,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			require("an object overlaps another");
}

static u32 make(struct heap_object *object, u32 count, u64 *seed, u8 id)
{
	u64 offsets[HEAP_BATCH_MAX];
	struct heap_request request = {
		.bytes = 1 + host_random(seed) % (1 << host_random(seed) % 17),
		.group = host_random(seed) % 2,
		.hint = id,
	};
	u32 n = 1 + host_random(seed) % (OBJECTS - count);
	int i, got;

	got = heap_alloc(heap, &request, offsets, min(n, request.bytes < 500 ? 64U : 4U));
	for (i = 0; i < got; i++) {
		require(heap_find(heap, offsets[i], &object[count + i]) ?
			"a live object is not found" : NULL);
		claim(offsets[i], object[count + i].bytes, 0, id);
		require(heap_is_taken(heap, offsets[i] >> PAGE_SHIFT) ?
			NULL : "a page of a live object cannot be touched");
	}
	return max(got, 0);
}

static void drop(const struct heap_object *object, u8 id)
{
	u32 bad;

	claim(object->offset, object->bytes, id, 0);
	require(heap_free(heap, &object->offset, 1, object->bytes, &bad) == 1 ?
		NULL : "a live object is not freed");
}

/* Offsets of nobody: none may be freed, whatever the others are doing. */
static void wild(u64 *seed)
{
	u64 offsets[HEAP_BATCH_MAX], page = 0, n;
	u32 i, bad;

	for (i = 0; i < HEAP_BATCH_MAX; i++)
		offsets[i] = (host_random(seed) % (PAGES * 4096)) | 4;
	require(heap_free(heap, offsets, HEAP_BATCH_MAX, 0, &bad) || bad ?
		"something is freed that is no object" : NULL);
	for (i = 0; i < 20 && heap_find_idle(heap, &page, &n); i++)
		page += n;
}

static void *work(void *arg)
{
	struct heap_object object[OBJECTS];
	u8 id = (uintptr_t)arg;
	u64 seed = id;
	u32 round, i, count = 0;

	for (round = 0; round < ROUNDS; round++) {
		if (count < OBJECTS && host_random(&seed) % 2)
			count += make(object, count, &seed, id);
		for (i = host_random(&seed) % 40; i && count; i--) {
			u32 victim = host_random(&seed) % count;

			drop(&object[victim], id);
			object[victim] = object[--count];
		}
		if (host_random(&seed) % 256 == 0)
			heap_trim(heap);
		if (host_random(&seed) % 64 == 0)
			heap_age(heap);
		if (host_random(&seed) % 64 == 0)
			wild(&seed);
		if (host_random(&seed) % 1024 == 0)
			require(heap_check(heap));
	}
	while (count--)
		drop(&object[count], id);
	return NULL;
}

/*
 * Everybody frees whatever begins on any page, so that what one has looked up
 * another has freed and used for something else before it is locked.
 */
static void *anarchy(void *arg)
{
	u64 seed = (uintptr_t)arg, offsets[HEAP_BATCH_MAX];
	u32 round, i, bad;

	for (round = 0; round < ANARCHY_ROUNDS; round++) {
		struct heap_request request = {
			.bytes = host_random(&seed) % 2 ? 9 * PAGE_SIZE : 4096,
			.hint = seed,
		};

		heap_alloc(heap, &request, offsets, 4);
		for (i = 0; i < 16; i++)
			offsets[i] = host_random(&seed) % ANARCHY_PAGES * PAGE_SIZE;
		heap_free(heap, offsets, 16, 0, &bad);
		if (round % 256 == 0)
			require(heap_check(heap));
	}
	return NULL;
}

static void begin(u64 pages, u64 limit, u32 shards,
		  const struct heap_ops *heap_ops)
{
	memset(map, 0, sizeof(map));
	heap_shards = shards;
	heap = heap_create(pages, limit, heap_ops, NULL);
}

static void run_threads(void *(*function)(void *arg))
{
	pthread_t thread[THREADS];
	uintptr_t i;

	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, function, (void *)(i + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	CHECK_NULL(heap_check(heap));
	CHECK_EQ(troubles, 0);
}

static void be_anarchic(void)
{
	begin(ANARCHY_PAGES, ANARCHY_PAGES, 2, &strict_ops);
	run_threads(anarchy);
	heap_destroy(heap);
}

static _Atomic u32 within;

/*
 * Looks, as a request does before it locks, whether the shard has room, as often
 * as it can: it is never to seem full, not even for a moment.
 */
static void look_within(void)
{
	const bool *room = &heap_shelf(&heap->nobody, 8, 0)->shard[0]->slots.room;

	while (within)
		require(READ_ONCE(*room) ? NULL : "a slab with room is not counted for a moment");
}

/*
 * There is one slab, more than half of it free, and the limit allows for no
 * other: whoever asks for a slot gets one, however the slab is moved about.
 */
static void *stay_within(void *arg)
{
	struct heap_request request = { .bytes = 64 };
	u64 offsets[4];
	u32 round, i, bad;

	if ((uintptr_t)arg == THREADS) {
		look_within();
		return NULL;
	}
	for (round = 0; round < WITHIN_ROUNDS; round++) {
		for (i = 0; i < 4; i++)
			require(heap_alloc(heap, &request, offsets + i, 1) == 1 ?
				NULL : "a slab with room was overlooked");
		heap_free(heap, offsets, 4, 0, &bad);
	}
	within--;
	return NULL;
}

static void be_modest(void)
{
	struct heap_request request = { .bytes = 64 };
	u64 offsets[HEAP_BATCH_MAX];

	begin(PAGES, class_table[8].slab_pages, 1, &ops);
	/* Near the edge of a bucket, so that the slab is moved all the time. */
	CHECK_EQ(heap_alloc(heap, &request, offsets, 62), 62);
	within = THREADS - 1;
	run_threads(stay_within);
	heap_destroy(heap);
}

static void share(u32 shards, const struct heap_ops *heap_ops)
{
	struct heap_stat stat;

	begin(PAGES, PAGES - 100, shards, heap_ops);
	run_threads(work);
	heap_trim(heap);
	heap_get_stat(heap, &stat);
	CHECK_EQ(stat.taken_pages, 0);
	CHECK_EQ(stat.live_objects, 0);
	heap_destroy(heap);
}

int main(void)
{
	host_plan(5);
	share(1, &ops);
	host_result("threads share a heap");
	share(1, &strict_ops);
	host_result("threads share a heap that releases what ends");
	host_contend(3);
	share(4, &strict_ops);
	host_result("threads share a heap of many shards");
	be_anarchic();
	host_result("threads free what others have freed and used again");
	be_modest();
	host_result("a slab with room is not overlooked");
	return host_done();
}
