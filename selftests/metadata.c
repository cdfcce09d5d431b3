// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel memory that zones cost is charged to the memory cgroup of who
 * causes it, whoever that is, and bounded by it: by ENOMEM, without anybody being
 * killed.
 */
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "caches.h"
#include "group.h"
#include "utils.h"

/* Slots that cost much for the little that it takes to have them. */
#define SLOT_BYTES	(32 * KIB)
#define BATCHES		12
#define CACHES		256

FIXTURE(metadata) {
	int control;
	int zone;
	__u64 *offsets;
};

FIXTURE_VARIANT(metadata) {
	struct identity who;
};

FIXTURE_VARIANT_ADD(metadata, root) {};

FIXTURE_VARIANT_ADD(metadata, user) {
	.who.uid = STRANGER,
};

/* Of user and IPC namespaces of their own. */
FIXTURE_VARIANT_ADD(metadata, root_inside) {
	.who.inside = true,
};

FIXTURE_VARIANT_ADD(metadata, user_inside) {
	.who.uid = STRANGER,
	.who.inside = true,
};

static int is_anyone(void *arg)
{
	return be(arg) ? 0 : 1;
}

FIXTURE_SETUP(metadata)
{
	self->control = control_fd();
	if (in_child(is_anyone, (void *)&variant->who))
		SKIP(return, "no user namespaces");
	self->zone = create(self->control, 64 * GIB);
	self->offsets = calloc(BATCHES, SHMZONE_BATCH_MAX * sizeof(__u64));
	/* The process's own memory is there before. */
	memset(self->offsets, 1, BATCHES * SHMZONE_BATCH_MAX * sizeof(__u64));
}

FIXTURE_TEARDOWN(metadata)
{
	free(self->offsets);
	close(self->zone);
	close(self->control);
	end_group();
}

static __u64 kernel_bytes(int zone)
{
	struct shmzone_stat stat = {};

	_try_stat(zone, &stat);
	return stat.out_kernel_bytes;
}

static int alloc_much(FIXTURE_DATA(metadata) *self)
{
	int i;

	for (i = 0; i < BATCHES; i++)
		if (_try_alloc(self->zone, SLOT_BYTES, SHMZONE_BATCH_MAX,
			       self->offsets + i * SHMZONE_BATCH_MAX) != SHMZONE_BATCH_MAX)
			return 1;
	return 0;
}

static int fill_caches(FIXTURE_DATA(metadata) *self)
{
	char *caches = (char *)map_caches(self->zone, CACHES);
	size_t at;

	if (caches == MAP_FAILED)
		return 1;
	for (at = 0; at < (size_t)CACHES * SHMZONE_CACHE_BYTES; at += page_bytes())
		if (touch_write(caches + at))
			return 2;
	return 0;
}

struct spending {
	FIXTURE_DATA(metadata) *self;
	const struct identity *who;
	int (*spend)(FIXTURE_DATA(metadata) *self);
};

/* That the group pays for what the zone says it costs, but for what is rounded. */
static int spend_in_group(void *arg)
{
	struct spending *s = arg;
	__u64 before = kernel_bytes(s->self->zone), cost;
	long long paid;

	if (!join_group_as(s->who))
		return 255;
	paid = group_kernel_bytes();
	if (paid < 0 || s->spend(s->self))
		return 1;
	cost = kernel_bytes(s->self->zone) - before;
	paid = group_kernel_bytes() - paid;
	/* Enough that what the kernel counts late does not matter. */
	if (cost < 4 * MIB)
		return 2;
	if (paid < (long long)(cost - cost / 8)) {
		fprintf(stderr, "# it costs %llu, of which %lld are paid\n", cost, paid);
		return 3;
	}
	return 0;
}

TEST_F(metadata, of_objects_is_charged)
{
	struct spending spending = { self, &variant->who, alloc_much };

	if (!make_group(0))
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, in_child(spend_in_group, &spending));
}

TEST_F(metadata, of_caches_is_charged)
{
	struct spending spending = { self, &variant->who, fill_caches };

	if (!make_group(0))
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, in_child(spend_in_group, &spending));
}

/* Few enough at once that the call itself needs no memory. */
#define FEW		32

static int alloc_few(FIXTURE_DATA(metadata) *self, int at)
{
	return _try_alloc(self->zone, SLOT_BYTES, FEW, self->offsets + at);
}

static int free_few(FIXTURE_DATA(metadata) *self, int at)
{
	return _try_free_all(self->zone, self->offsets + at, FEW);
}

/* Objects nobody ever touches: it is their bookkeeping that there is no room for. */
static int alloc_until_none(FIXTURE_DATA(metadata) *self)
{
	int got, ret, max = BATCHES * SHMZONE_BATCH_MAX;

	for (got = 0; got < max; got += FEW) {
		ret = alloc_few(self, got);
		if (ret != FEW)
			break;
	}
	if (got == max)
		return 1;
	/* The last may have been given less. */
	if (ret < 0 && ret != -ENOMEM)
		return 2;
	/* All of it can be given back, and then there is room again. */
	while (got) {
		got -= FEW;
		if (free_few(self, got) != FEW)
			return 3;
	}
	return alloc_few(self, 0) == FEW ? 0 : 4;
}

/* What the process itself needs for that is there before it joins. */
static int run_short_in_group(void *arg)
{
	struct spending *s = arg;

	/* Pages that a fork shares, too. */
	if (mlockall(MCL_CURRENT) || !join_group_as(s->who))
		return 255;
	return s->spend(s->self);
}

TEST_F(metadata, shortage_of_a_group_is_enomem)
{
	struct spending spending = { self, &variant->who, alloc_until_none };

	if (!make_group(3 * MIB))
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(0, in_child(run_short_in_group, &spending));
	ASSERT_EQ(0, group_kills());
	ASSERT_TRUE(zone_consistent(self->zone));
}

TEST_HARNESS_MAIN
