// SPDX-License-Identifier: GPL-2.0
/*
 * The library over the stand-in for the device: what one thread can see.
 */
#include "userlib.h"

static const struct class_info *row(u32 class)
{
	return &class_table[class];
}

/* Largest and smallest size of a class, in a group. */
static void try_class(struct shmz *z, u32 class, u32 group)
{
	size_t sizes[] = { row(class)->slot_bytes, row(class - 1)->slot_bytes + 1 };
	u8 *p[2];
	u32 i;

	for (i = 0; i < 2; i++) {
		p[i] = shmz_alloc_group(z, sizes[i], group);
		CHECK(p[i]);
		CHECK_EQ(shmz_usable_size(z, p[i]), row(class)->slot_bytes);
		CHECK_EQ(shmz_group_of(z, p[i]), group);
		CHECK_EQ((uintptr_t)p[i] % class_align(class), 0);
		CHECK_EQ(shmz_is_allocation(z, p[i]), 1);
		memset(p[i], class, sizes[i]);
	}
	CHECK(p[0] != p[1]);
	CHECK_EQ(shmz_free(z, p[0]), 0);
	CHECK_EQ(group ? shmz_free(z, p[1]) : shmz_free_sized(z, p[1], sizes[1]), 0);
}

static void every_class_and_group(void)
{
	struct shmz *z = zone_begin();
	u32 class, group, round;

	for (round = 0; round < 4; round++)
		for (class = 1; class < CLASS_COUNT; class++)
			for (group = 0; group < SHMZONE_GROUPS; group++)
				try_class(z, class, group);
	CHECK_EQ(zone_refused(z), 0);
	zone_end(z);
}

/* The library looks sizes up in a table; the kernel computes them. */
static void classes_are_the_kernels(void)
{
	struct shmz *z = zone_begin();
	size_t bytes, align;
	void *p;

	for (bytes = 1; bytes < 33000; bytes += bytes < 1100 ? 1 : 61) {
		size_t usable;

		p = shmz_alloc_at_least(z, bytes, &usable);
		CHECK_EQ(usable, class_table[class_for(bytes, 0)].slot_bytes ?:
			 class_span_pages(bytes) * PAGE_SIZE);
		CHECK_EQ(shmz_usable_size(z, p), usable);
		CHECK_EQ(shmz_free_sized(z, p, bytes), 0);
	}
	for (align = 8; align <= PAGE_SIZE; align *= 2)
		for (bytes = 1; bytes < 40000; bytes += bytes / 7 + 1) {
			p = shmz_aligned_alloc(z, align, bytes);
			CHECK_EQ((uintptr_t)p % align, 0);
			CHECK_EQ(shmz_usable_size(z, p),
				 class_table[class_for(bytes, align)].slot_bytes ?:
				 class_span_pages(bytes) * PAGE_SIZE);
			CHECK_EQ(shmz_free(z, p), 0);
		}
	zone_end(z);
}

static void without_calls(void)
{
	struct shmz *z = zone_begin();
	void *p[40];
	u64 before = 0;
	u32 round, i;

	for (round = 0; round < 1000; round++) {
		if (round == 10)
			before = device_calls();
		for (i = 0; i < 40; i++)
			p[i] = shmz_alloc_group(z, 8 + i, i % 2);
		for (i = 0; i < 40; i++)
			CHECK_EQ(shmz_free(z, p[i]), 0);
	}
	/* Everything is in the cache after a few rounds. */
	CHECK_EQ(device_calls(), before);
	zone_end(z);
}

/* Each way to allocate, as one; gives where the object is. */

static size_t usable;

static void *by_batch(struct shmz *z, size_t bytes, u32 group)
{
	void *p = NULL;

	CHECK_EQ(shmz_alloc_batch_group(z, bytes, &p, 1, group), 1);
	return p;
}

static void *by_form(struct shmz *z, u32 form, size_t bytes, u32 group)
{
	switch (form) {
	case 0:
		return shmz_alloc_group(z, bytes, group);
	case 1:
		return shmz_zalloc_group(z, bytes, group);
	case 2:
		return shmz_calloc_group(z, 1, bytes, group);
	case 3:
		return shmz_aligned_alloc_group(z, 64, bytes, group);
	case 4:
		return shmz_alloc_at_least_group(z, bytes, &usable, group);
	case 5:
		return shmz_alloc_wait_group(z, bytes, SHMZ_FOREVER, group);
	default:
		return by_batch(z, bytes, group);
	}
}

#define FORMS	7

/* errno stays as it is, whatever has to be done for it. */
static void every_form(void)
{
	static const size_t sizes[] = { 1, 100, 5000, 32768, 32769, 200000 };
	struct shmz *z = zone_begin();
	u32 form, group, i;
	u8 *p;

	errno = EXDEV;
	for (form = 0; form < FORMS; form++)
		for (group = 0; group < SHMZONE_GROUPS; group++)
			for (i = 0; i < ARRAY_SIZE(sizes); i++) {
				p = by_form(z, form, sizes[i], group);
				CHECK(p);
				CHECK_EQ(shmz_group_of(z, p), group);
				CHECK(shmz_usable_size(z, p) >= sizes[i]);
				if (form == 1 || form == 2)
					CHECK(!p[0] && !memcmp(p, p + 1, sizes[i] - 1));
				if (form == 3)
					CHECK_EQ((uintptr_t)p % 64, 0);
				if (form == 4)
					CHECK_EQ(usable, shmz_usable_size(z, p));
				memset(p, form + 1, sizes[i]);
				p = shmz_realloc(z, p, sizes[i] * 2);
				CHECK_EQ(shmz_group_of(z, p), group);
				CHECK_EQ(p[sizes[i] - 1], form + 1);
				CHECK_EQ(shmz_free(z, p), 0);
				CHECK_EQ(errno, EXDEV);
			}
	CHECK_EQ(zone_refused(z), 0);
	zone_end(z);
	CHECK_EQ(errno, EXDEV);
}

static void wrong_groups(void)
{
	struct shmz *z = zone_begin();
	void *p;
	u32 form;

	for (form = 0; form < FORMS - 1; form++) {
		errno = 0;
		CHECK(!by_form(z, form, 100, SHMZONE_GROUPS));
		CHECK_EQ(errno, EINVAL);
		errno = 0;
		CHECK(!by_form(z, form, 100, UINT32_MAX));
		CHECK_EQ(errno, EINVAL);
	}
	CHECK_EQ(shmz_alloc_batch_group(z, 100, &p, 1, SHMZONE_GROUPS), -EINVAL);
	CHECK_EQ(shmz_alloc_batch_group(z, 100, &p, 1, UINT32_MAX), -EINVAL);
	CHECK_EQ(strcmp(shmz_strversion(), "host"), 0);
	zone_end(z);
}

static void wrong_frees(void)
{
	struct shmz *z = zone_begin();
	char *slot = shmz_alloc(z, 100), *span = shmz_alloc(z, 100000), local[8];

	CHECK_EQ(shmz_free(z, NULL), 0);
	CHECK_EQ(shmz_free_sized(z, NULL, 5), 0);
	CHECK_EQ(shmz_free(z, slot + 1), -EINVAL);
	CHECK_EQ(shmz_free_sized(z, slot + 4, 100), -EINVAL);
	CHECK_EQ(shmz_free(z, local), -EINVAL);
	CHECK_EQ(shmz_free(z, shmz_base(z)), -EINVAL);
	CHECK_EQ(shmz_free(z, span + 4096), -EINVAL);
	CHECK_EQ(shmz_free(z, span + ZONE_BYTES / 2), -EINVAL);
	CHECK_EQ(zone_refused(z), 6);
	CHECK_EQ(shmz_free_sized(z, span, 100000), 0);
	/* What the cache cannot know the heap finds out. */
	CHECK_EQ(shmz_free(z, slot), 0);
	CHECK_EQ(shmz_free(z, slot), 0);
	CHECK_EQ(shmz_cache_flush(z), 0);
	CHECK_EQ(zone_refused(z), 7);
	zone_end(z);
}

static void uncached(void)
{
	struct shmz_options opts = { .size = sizeof(opts), .flags = SHMZ_UNCACHED };
	struct shmz *z = shmz_create(NULL, ZONE_BYTES, &opts);
	char *p = shmz_alloc(z, 100);
	u64 before = device_calls();

	CHECK_EQ(shmz_free(z, p + 8), -EINVAL);
	CHECK_EQ(shmz_free_sized(z, p, 1000), -EINVAL);
	CHECK_EQ(shmz_free(z, p), 0);
	CHECK_EQ(shmz_free(z, p), -EINVAL);
	CHECK_EQ(device_calls(), before + 4);
	CHECK_EQ(shmz_cache_flush(z), 0);
	zone_end(z);
}

static void batches(void)
{
	struct shmz *z = zone_begin();
	void *p[100];
	u32 n, i;

	for (n = 1; n <= 100; n += 3) {
		for (i = 0; i + 1 < n; i++)
			p[i] = shmz_alloc_group(z, 1 + i * 331, i % 5);
		p[n - 1] = NULL;
		CHECK_EQ(shmz_free_batch(z, p, n), n > 1 ? (int)n - 1 : -EINVAL);
		CHECK_EQ(shmz_alloc_batch_group(z, 8 * n, p, n, n % 3), n);
		for (i = 0; i < n; i++)
			memset(p[i], i, 8 * n);
		for (i = 0; i < n; i++)
			CHECK_EQ(*(u8 *)p[i], i);
		CHECK_EQ(shmz_free_batch(z, p, n), n);
	}
	CHECK_EQ(zone_refused(z), 34);
	zone_end(z);
}

/* Calls that so many rounds of batches need, after as many to begin with. */
static u64 calls_of(struct shmz *z, u32 n, size_t bytes, u32 groups)
{
	void *p[1000];
	u64 before = 0;
	u32 round, i;

	for (round = 0; round < 200; round++) {
		if (round == 100)
			before = device_calls();
		for (i = 0; i < groups; i++)
			CHECK_EQ(shmz_alloc_batch_group(z, bytes, p + i * n, n, i), n);
		CHECK_EQ(shmz_free_batch(z, p, n * groups), n * groups);
	}
	return device_calls() - before;
}

static void batches_without_calls(void)
{
	struct shmz *z = zone_begin();
	u32 n;

	/* The cache grows until it has enough, without any other calls. */
	for (n = 1; n <= 64; n++) {
		CHECK_EQ(calls_of(z, n, 1 + n * 8, 1), 0);
		CHECK_EQ(shmz_cache_flush(z), 0);
	}
	CHECK_EQ(calls_of(z, 16, 48, 4), 0);
	/* Spans have none, and what is beyond the cache is one call more. */
	CHECK_EQ(calls_of(z, 4, 100000, 1), 200);
	CHECK(calls_of(z, 1000, 8, 1) <= 600);
	CHECK_EQ(zone_refused(z), 0);
	zone_end(z);
}

static void random_objects(void)
{
	struct shmz *z = zone_begin();
	struct held held[500] = { 0 };
	u64 seed = 1;
	u32 round, i;

	for (round = 0; round < 200000; round++) {
		i = host_random(&seed) % ARRAY_SIZE(held);
		if (held[i].p)
			CHECK(let_go(z, &held[i], &seed, i));
		else
			hold(z, &held[i], &seed, i);
		if (round % 20000 == 0)
			CHECK_EQ(shmz_cache_flush(z), 0);
	}
	for (i = 0; i < ARRAY_SIZE(held); i++)
		if (held[i].p)
			CHECK(let_go(z, &held[i], &seed, i));
	CHECK_EQ(zone_refused(z), 0);
	zone_end(z);
}

/* The pointers to caches outlive the zones. */
static void zones_come_and_go(void)
{
	struct shmz *z[40];
	u32 round, i, n;
	void *p[40];

	for (round = 0; round < 30; round++) {
		n = round % 2 ? 40 : 3;
		for (i = 0; i < n; i++)
			z[i] = zone_begin();
		for (i = 0; i < n; i++) {
			p[i] = shmz_alloc(z[i], 64);
			CHECK(shmz_offset(z[i], p[i]));
			CHECK_EQ(shmz_free(z[i], p[i]), 0);
			CHECK_EQ(!shmz_alloc(z[i], 64), false);
			CHECK_EQ(shmz_free(z[i], p[i]), 0);
		}
		/* In another order than that in which they came. */
		for (i = 0; i < n; i += 2)
			zone_end(z[i]);
		for (i = 1; i < n; i += 2)
			zone_end(z[i]);
	}
}

int main(void)
{
	host_plan(11);
	every_class_and_group();
	host_result("every class and group");
	classes_are_the_kernels();
	host_result("classes are the kernel's");
	without_calls();
	host_result("what is in the cache needs no call");
	every_form();
	host_result("every form to allocate, in every group");
	wrong_groups();
	host_result("groups that there are not");
	wrong_frees();
	host_result("wrong frees");
	uncached();
	host_result("a handle without caches");
	batches();
	host_result("batches");
	batches_without_calls();
	host_result("batches that the cache serves");
	random_objects();
	host_result("random objects");
	zones_come_and_go();
	host_result("zones come and go");
	return host_done();
}
