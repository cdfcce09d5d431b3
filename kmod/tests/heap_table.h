/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the heap: the tables, and cases that are functions.
 */
#include "heap_cases.h"

static struct heap_rig *heap_rig_make(u64 pages)
{
	struct heap_rig *rig = core_zalloc_array(1, sizeof(*rig));

	if (rig)
		rig->heap = heap_create(pages, pages, &rig_ops, rig);
	return rig;
}

static const char *heap_rig_free(struct heap_rig *rig)
{
	const char *error = rig->error ?: heap_check(rig->heap);

	heap_destroy(rig->heap);
	core_free_array(rig);
	return error;
}

static const char *heap_batch_wrong(void)
{
	struct heap_request request = { .bytes = 100 };
	struct heap_rig *rig = heap_rig_make(1000);
	struct heap_object object;
	u64 bad[10];
	u32 first;

	REQUIRE(rig && rig->heap);
	REQUIRE(heap_alloc(rig->heap, &request, rig->reg, 10) == 10);
	memcpy(bad, rig->reg, sizeof(bad));
	bad[6] = bad[2];
	bad[7] += 4;
	bad[8] += 8;
	REQUIRE(heap_free(rig->heap, bad, 10, 0, &first) == 7);
	REQUIRE(first == 6);
	REQUIRE(refused_count(rig->heap, HEAP_BAD_NOT_LIVE) == 1);
	REQUIRE(refused_count(rig->heap, HEAP_BAD_MISALIGNED) == 1);
	REQUIRE(refused_count(rig->heap, HEAP_BAD_INTERIOR) == 1);
	REQUIRE(heap_find(rig->heap, rig->reg[5], &object) == -EINVAL);
	REQUIRE(heap_find(rig->heap, rig->reg[9], &object) == -EINVAL);
	REQUIRE(!heap_find(rig->heap, rig->reg[6], &object));
	REQUIRE(!heap_find(rig->heap, rig->reg[8], &object));
	REQUIRE(heap_free(rig->heap, rig->reg + 6, 3, 200, &first) == 0 && first == 0);
	REQUIRE(refused_count(rig->heap, HEAP_BAD_BYTES) == 3);
	REQUIRE(heap_free(rig->heap, rig->reg + 6, 3, 100, &first) == 3 && first == 3);
	REQUIRE(heap_free(rig->heap, rig->reg, 0, 0, &first) == -EINVAL);
	REQUIRE(heap_free(rig->heap, rig->reg, HEAP_BATCH_MAX + 1, 0, &first) == -EINVAL);
	return heap_rig_free(rig);
}

/* A slab and a span that end within the batch, named again in it. */
static const char *heap_batch_again(void)
{
	struct heap_request slot = { .bytes = 16384 }, span = { .bytes = 9 * PAGE_SIZE };
	struct heap_rig *rig = heap_rig_make(1000);
	u32 first;

	REQUIRE(rig && rig->heap);
	REQUIRE(heap_alloc(rig->heap, &slot, rig->reg, 2) == 2);
	REQUIRE(heap_alloc(rig->heap, &span, rig->reg + 2, 1) == 1);
	memcpy(rig->reg + 3, rig->reg, 3 * sizeof(u64));
	REQUIRE(heap_free(rig->heap, rig->reg, 6, 0, &first) == 3 && first == 3);
	REQUIRE(refused_count(rig->heap, HEAP_BAD_NOT_LIVE) == 3);
	return heap_rig_free(rig);
}

static const char *heap_batch_mixed(void)
{
	static const u64 bytes[] = { 8, 5000, 100, 40000, 8, 32768, 64, 200000 };
	struct heap_rig *rig = heap_rig_make(8000);
	struct heap_stat stat;
	u32 i, bad;

	REQUIRE(rig && rig->heap);
	for (i = 0; i < 64; i++) {
		struct heap_request request = { .bytes = bytes[i % 8], .group = i % 3 };

		REQUIRE(heap_alloc(rig->heap, &request, rig->reg + i * 7 % 64, 1) == 1);
	}
	heap_get_stat(rig->heap, &stat);
	REQUIRE(stat.live_objects == 64 && stat.spans == 16);
	REQUIRE(heap_free(rig->heap, rig->reg, 64, 0, &bad) == 64 && bad == 64);
	heap_trim(rig->heap);
	heap_get_stat(rig->heap, &stat);
	REQUIRE(!stat.live_objects && !stat.live_bytes && !stat.slabs && !stat.spans);
	REQUIRE(!stat.taken_pages && stat.frees == 64 && stat.requests == 64);
	return heap_rig_free(rig);
}

static const char *heap_class_figures(void)
{
	struct heap_request request = { .bytes = 64, .group = 5 };
	struct heap_rig *rig = heap_rig_make(1000);
	struct heap_class_stat stat;
	u32 bad;

	REQUIRE(rig && rig->heap);
	REQUIRE(heap_alloc(rig->heap, &request, rig->reg, 40) == 40);
	REQUIRE(heap_free(rig->heap, rig->reg, 10, 0, &bad) == 10);
	request.group = 6;
	REQUIRE(heap_alloc(rig->heap, &request, rig->reg, 1) == 1);
	request.bytes = 3000 * PAGE_SIZE;
	REQUIRE(heap_alloc(rig->heap, &request, rig->reg, 2) == -ENOMEM);
	request.bytes = 30 * PAGE_SIZE;
	REQUIRE(heap_alloc(rig->heap, &request, rig->reg, 2) == 2);

	heap_get_class_stat(rig->heap, 8, 5, &stat);
	REQUIRE(stat.slabs == 1 && stat.used == 30 && stat.total == class_table[8].slots);
	REQUIRE(stat.requests == 40 && !stat.failures && stat.frees == 10);
	heap_get_class_stat(rig->heap, 8, CLASS_GROUPS, &stat);
	REQUIRE(stat.slabs == 2 && stat.used == 31 && stat.requests == 41);
	heap_get_class_stat(rig->heap, CLASS_SPAN, 6, &stat);
	REQUIRE(stat.slabs == 2 && stat.used == 60 && stat.total == 60);
	REQUIRE(stat.requests == 4 && stat.failures == 2);
	heap_get_class_stat(rig->heap, CLASS_SPAN, 5, &stat);
	REQUIRE(!stat.slabs && !stat.requests);
	heap_get_class_stat(rig->heap, CLASS_COUNT, 0, &stat);
	REQUIRE(!stat.total);
	heap_get_class_stat(rig->heap, 8, CLASS_GROUPS + 1, &stat);
	REQUIRE(!stat.total);
	return heap_rig_free(rig);
}

/* Kernel bytes for each 100 KB live, with 4 bytes a page for the page map. */
static const char *heap_budget(u64 bytes, u64 most)
{
	struct heap_request request = { .bytes = bytes };
	struct heap_rig *rig = heap_rig_make(1 << 20);
	struct heap_stat empty, full;
	u32 i;

	REQUIRE(rig && rig->heap);
	heap_get_stat(rig->heap, &empty);
	for (i = 0; i < (32 << 20) / bytes / 64; i++)
		REQUIRE(heap_alloc(rig->heap, &request, rig->reg, 64) == 64);
	heap_get_stat(rig->heap, &full);
	REQUIRE((full.kernel_bytes - empty.kernel_bytes + 4 * full.taken_pages) * 100000 <=
		most * full.live_bytes);
	return heap_rig_free(rig);
}

static const char *heap_budget_8(void)
{
	return heap_budget(8, 2200);
}

static const char *heap_budget_32(void)
{
	return heap_budget(32, 950);
}

static const struct core_case heap_cases[] = {
	{ "a batch of frees goes on past the wrong ones", heap_batch_wrong },
	{ "objects named twice in a batch are freed once", heap_batch_again },
	{ "a batch of frees may name anything", heap_batch_mixed },
	{ "figures are kept by class and group", heap_class_figures },
	{ "kernel memory of 8-byte objects is at most 2.2 %", heap_budget_8 },
	{ "kernel memory of 32-byte objects is at most 0.95 %", heap_budget_32 },
	HEAP_SCRIPT("malformed requests are refused", 100, 100,
		    ALLOC(0, 0, -EINVAL), ALLOC_N(0, 0, 8, -EINVAL), ALLOC_N(0, 65, 8, -EINVAL),
		    ALLOC_ALIGN(0, 8, 3, -EINVAL), ALLOC_ALIGN(0, 8, 2 * P, -EINVAL),
		    ALLOC_ALIGN(0, 8, 1U << 31, -EINVAL), ALLOC_GROUP(0, 8, 16, -EINVAL),
		    ALLOC_GROUP(0, 8, 0xffffffff, -EINVAL), TAKEN(0), ALLOC_GROUP(0, 8, 15, 1)),
	HEAP_SCRIPT("more bytes than there are, up to the largest number", 100, 100,
		    ALLOC(0, ~0ULL, -ENOMEM), ALLOC(0, ~0ULL - P, -ENOMEM),
		    ALLOC(0, 1ULL << 63, -ENOMEM), ALLOC(0, (1ULL << 44) + 1, -ENOMEM),
		    ALLOC(0, 100 * P, -ENOMEM), ALLOC(0, 99 * P + 1, -ENOMEM),
		    ALLOC(0, 99 * P, 1), AT(0, P), TAKEN(99), ALLOC(1, 8, -ENOMEM),
		    FREE(0, FREED), ALLOC(1, 8, 1)),
	HEAP_SCRIPT("offset 0, page 0 and beyond", 100, 100,
		    FREE_AT(0, HEAP_BAD_OUTSIDE), FREE_AT(4, HEAP_BAD_MISALIGNED),
		    FREE_AT(8, HEAP_BAD_NOT_LIVE), FREE_AT(P, HEAP_BAD_NOT_LIVE),
		    FREE_AT(100 * P - 8, HEAP_BAD_NOT_LIVE), FREE_AT(100 * P, HEAP_BAD_OUTSIDE),
		    FREE_AT(~0ULL, HEAP_BAD_OUTSIDE), FREE_AT(1ULL << 44, HEAP_BAD_OUTSIDE),
		    FREE_AT((1ULL << 44) + P, HEAP_BAD_OUTSIDE)),
	HEAP_SCRIPT("five ways to free a slot wrongly", 100, 100,
		    ALLOC_N(0, 3, 48, 3), FREE_INSIDE(0, 4, HEAP_BAD_MISALIGNED),
		    FREE_INSIDE(0, 1, HEAP_BAD_MISALIGNED), FREE_INSIDE(0, 8, HEAP_BAD_INTERIOR),
		    FREE_INSIDE(2, 40, HEAP_BAD_INTERIOR), FREE_INSIDE(2, 48, HEAP_BAD_NOT_LIVE),
		    FREE_INSIDE(2, 56, HEAP_BAD_INTERIOR), FREE_SIZED(0, 49, HEAP_BAD_BYTES),
		    FREE_SIZED(0, 32, HEAP_BAD_BYTES), FREE(0, FREED), FREE(1, FREED)),
	HEAP_SCRIPT("freed twice: beside live ones, in a held slab, in none", 100, 100,
		    ALLOC_N(0, 2, 1000, 2), FREE(0, FREED), FREE(0, HEAP_BAD_NOT_LIVE),
		    FREE(1, FREED), FREE(0, HEAP_BAD_NOT_LIVE), FREE(1, HEAP_BAD_NOT_LIVE),
		    TAKEN(4), TRIM, TAKEN(0), FREE(1, HEAP_BAD_NOT_LIVE), NO_ENTRY(0)),
	HEAP_SCRIPT("a span freed wrongly, rightly and twice", 100, 100,
		    ALLOC(0, 10 * P, 1), ALLOC(1, 10 * P, 1), AT(1, 11 * P),
		    FREE_INSIDE(0, 8, HEAP_BAD_INTERIOR), FREE_INSIDE(0, P, HEAP_BAD_INTERIOR),
		    FREE_INSIDE(0, 10 * P - 8, HEAP_BAD_INTERIOR),
		    FREE_INSIDE(1, 10 * P, HEAP_BAD_NOT_LIVE), FREE_SIZED(0, 9 * P, HEAP_BAD_BYTES),
		    FREE_SIZED(0, 10 * P + 1, HEAP_BAD_BYTES), FREE_SIZED(0, ~0ULL, HEAP_BAD_BYTES),
		    FREE_SIZED(0, 9 * P + 1, FREED), FREE(0, HEAP_BAD_NOT_LIVE),
		    FREE_INSIDE(0, P, HEAP_BAD_NOT_LIVE), FREE(1, FREED), TAKEN(0), NO_ENTRY(0)),
	HEAP_SCRIPT("the inside of a span of terabytes", 1ULL << 32, 1ULL << 32,
		    ALLOC(0, 15ULL << 40, 1), AT(0, P), TAKEN(15ULL << 28),
		    FREE_AT(P + 8, HEAP_BAD_INTERIOR), FREE_AT(2 * P, HEAP_BAD_INTERIOR),
		    FREE_AT(8ULL << 40, HEAP_BAD_INTERIOR), FREE_AT(15ULL << 40, HEAP_BAD_INTERIOR),
		    FREE_AT((15ULL << 40) + P, HEAP_BAD_NOT_LIVE), KERNEL(128 << 10),
		    FREE(0, FREED), TAKEN(0)),
	HEAP_SCRIPT("an empty heap of the largest size is small", 1ULL << 32, 1ULL << 32,
		    KERNEL(8192)),
	HEAP_SCRIPT("a heap of one usable page", 2, 2,
		    ALLOC(0, 8, -ENOMEM), ALLOC(0, 2 * P, -ENOMEM), ALLOC(0, 32769, -ENOMEM),
		    FREE_AT(P, HEAP_BAD_NOT_LIVE)),
	HEAP_SCRIPT("up to the limit and not a page more", 1000, 20,
		    ALLOC(0, 21 * P, -ENOMEM), ALLOC(0, 20 * P, 1), ALLOC(1, 8, -ENOMEM),
		    FREE(0, FREED), ALLOC(0, 17 * P, 1), ALLOC(1, 8, -ENOMEM), LIMIT(21),
		    ALLOC(1, 8, 1), TAKEN(21), LIMIT(5), ALLOC(2, 8, 1), ALLOC(2, 24, -ENOMEM),
		    FREE(0, FREED), TAKEN(4), ALLOC(0, 2048, -ENOMEM), LIMIT(0),
		    ALLOC(0, 9 * P, -ENOMEM), FREE(1, FREED)),
	HEAP_SCRIPT("a slab held back makes way for another class", 1000, 4,
		    ALLOC(0, 8, 1), ENTRY(0, 1, 0, 1), FREE(0, FREED), TAKEN(4),
		    ALLOC_GROUP(1, 64, 7, 1), TAKEN(4), AT(1, P), ENTRY(1, 8, 7, 1),
		    FREE(1, FREED), ALLOC(0, 8, 1)),
	HEAP_SCRIPT("slabs held back make way for a span", 26, 26,
		    ALLOC(0, 8, 1), ALLOC(1, 64, 1), ALLOC_GROUP(2, 64, 1, 1), ALLOC(3, 10 * P, 1),
		    FREE_N(0, 3), TAKEN(22), ALLOC(4, 12 * P, 1), AT(4, P), TAKEN(22)),
	HEAP_SCRIPT("a request that can never fit lets nothing go", 100, 50,
		    ALLOC(0, 8, 1), FREE(0, FREED), ALLOC(1, 51 * P, -ENOMEM), TAKEN(4),
		    ALLOC(1, 50 * P, 1), TAKEN(50)),
	HEAP_SCRIPT("groups never share a page", 1000, 1000,
		    ALLOC_GROUP(0, 8, 0, 1), ALLOC_GROUP(1, 8, 1, 1), ALLOC_GROUP(2, 8, 0, 1),
		    AT(0, P), AT(1, 5 * P), AT(2, P + 8), ENTRY(1, 1, 1, 1),
		    ALLOC_GROUP(3, 9 * P, 15, 1), ENTRY(3, CLASS_SPAN, 15, 2)),
	HEAP_SCRIPT("a batch ends where memory does", 1000, 40,
		    ALLOC_N(0, 64, 16384, 10), TAKEN(40), ALLOC_N(10, 2, 16384, -ENOMEM),
		    FREE_N(3, 1), ALLOC_N(3, 2, 16384, 1), FREE_N(0, 10), TAKEN(4),
		    ALLOC_N(0, 64, 9 * P, 4), TAKEN(36)),
	HEAP_SCRIPT("a batch larger than a slab", 1000, 1000,
		    ALLOC_N(0, 64, 1024, 64), TAKEN(16), AT(0, P), AT(63, 17 * P - 1024),
		    FREE_N(0, 64), TAKEN(4)),
	HEAP_SCRIPT("the keeper cannot prepare", 1000, 1000,
		    PREPARE(-EIO), ALLOC(0, 8, -EIO), TAKEN(0), ALLOC_N(0, 3, 10 * P, -EIO),
		    TAKEN(0),
		    FREE_AT(P, HEAP_BAD_NOT_LIVE), PREPARE(0), ALLOC(0, 8, 1), AT(0, P)),
	HEAP_SCRIPT("objects are as aligned as asked", 1000, 1000,
		    ALLOC_ALIGN(0, 24, P, 1), ALLOC_ALIGN(1, 5000, 64, 1),
		    ALLOC_ALIGN(2, 30000, P, 1), ALLOC_ALIGN(3, 50, 16, 1),
		    ALLOC_ALIGN(4, 1, 1, 1), ALLOC_ALIGN(5, 40000, P, 1),
		    FREE_SIZED(0, 24, FREED), FREE_SIZED(1, 5000, FREED),
		    FREE_SIZED(2, 30000, FREED),
		    FREE_SIZED(3, 50, FREED), FREE_SIZED(4, 1, FREED), FREE_SIZED(5, 40000, FREED)),
	HEAP_SCRIPT("what was freed is used again from the lowest", 1000, 1000,
		    ALLOC(0, 20 * P, 1), ALLOC(1, 20 * P, 1), ALLOC(2, 20 * P, 1), FREE(0, FREED),
		    FREE(1, FREED), ALLOC(3, 41 * P, 1), AT(3, 61 * P), ALLOC(4, 40 * P, 1),
		    AT(4, P)),
	HEAP_SCRIPT("what is held back is let go at the second look", 1000, 1000,
		    AGE(0), ALLOC(0, 8, 1), AGE(0), FREE(0, FREED), TAKEN(4), AGE(1), TAKEN(4),
		    ALLOC(0, 8, 1), FREE(0, FREED), AGE(1), TAKEN(4), AGE(0), TAKEN(0), AGE(0)),
	HEAP_SCRIPT("directory nodes go when they are empty", 1 << 20, 1 << 20,
		    ALLOC(0, 9 * P, 1), FREE(0, FREED), AGE(0), KERNEL(6000),
		    ALLOC(0, 9 * P, 1), AGE(0), FREE(0, FREED)),
	HEAP_SCRIPT("idle are freed spans, and pages of slabs once used", 1000, 1000,
		    IDLE(0, 0, 0), ALLOC(0, 10 * P, 1), ALLOC_N(1, 5, 4096, 5), IDLE(0, 0, 0),
		    FREE(0, FREED), IDLE(0, 1, 10), IDLE(5, 5, 6), FREE(2, FREED),
		    IDLE(11, 12, 1), FREE_N(3, 2), IDLE(11, 12, 3), IDLE(13, 13, 2),
		    FREE(5, FREED), IDLE(15, 15, 1), IDLE(16, 0, 0), TRIM, IDLE(11, 12, 3),
		    IDLE(15, 15, 1), IDLE(16, 0, 0)),
	HEAP_SCRIPT("a slab whose first page is idle", 1000, 1000,
		    ALLOC_N(0, 64, 64, 64), ALLOC_N(64, 64, 64, 64), FREE_N(0, 64),
		    IDLE(0, 1, 1), IDLE(2, 0, 0), ALLOC(0, 64, 1), AT(0, P), IDLE(0, 0, 0)),
	HEAP_SCRIPT("a trimmed heap holds next to nothing", 1 << 20, 1 << 20,
		    ALLOC_N(0, 64, 100, 64), ALLOC_N(64, 64, 50000, 64), FREE_N(0, 128), TRIM,
		    TAKEN(0), KERNEL(16 << 10)),
};
