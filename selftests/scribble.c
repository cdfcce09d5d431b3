// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that write random bytes all over a zone and their own caches, again and
 * again, while others allocate and free in it, with caches and without. What is
 * promised then depends on the kind of the zone: the table of README.md.
 *
 * Nobody's data is safe from them, so the others look at none of theirs. Nor is it
 * certain in a plain zone that an object is still theirs when they free it, since
 * stale words in a cache free what they name: an error of one of these is none of the
 * test's. But all that can be allocated is allocated once, and adds up in the end.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "caches.h"
#include "crowd.h"

#define SECONDS		4
#define SECONDS_MORE	120
#define ROUNDS_MIN	20
#define ZONE_BYTES	(4 * MIB)
#define LIMIT_BYTES	(2 * MIB)
#define SCRIBBLERS	2
#define OTHERS		3
#define HELD		64

struct shared {
	int zone;
	bool end;
	__u64 ids[SCRIBBLERS + OTHERS];
	unsigned long rounds[SCRIBBLERS];
	unsigned long stores[SCRIBBLERS], faults[SCRIBBLERS];
	unsigned long operations[OTHERS], refused[OTHERS];
	struct wrong wrong;
};

static bool has_ended(const struct shared *shared)
{
	return __atomic_load_n(&shared->end, __ATOMIC_RELAXED) || shared->wrong.is;
}

/* Who scribbles. */

static sigjmp_buf after_fault;

static void on_fault(int signal)
{
	siglongjmp(after_fault, signal);
}

/* What a word may hold: anything, or what could be right. */
static __u64 random_word(__u64 *random)
{
	__u64 any = (__u64)next_random(random) << 32 | next_random(random);

	switch (next_random(random) % 4) {
	case 0:
		return any;
	case 1:
		return any % 4096;
	case 2:
		return any % ZONE_BYTES;
	default:
		return any % ZONE_BYTES & ~63ULL;
	}
}

/* Many pages of the data, as far as they let it. */
static void scribble_data(struct shared *shared, unsigned int number, char *data,
			  __u64 *random)
{
	volatile unsigned int i;

	for (i = 0; i < 256; i++) {
		__u64 *word = (__u64 *)data + next_random(random) % (ZONE_BYTES / 8);

		if (sigsetjmp(after_fault, 1)) {
			shared->faults[number]++;
			continue;
		}
		*(volatile __u64 *)word = random_word(random);
		shared->stores[number]++;
	}
}

/* Its cache: bins and words, by words, and by halves of them. */
static void scribble_cache(struct shmzone_cache *cache, __u64 *random)
{
	volatile __u64 *words = cache_words(cache);
	unsigned int i;

	for (i = 0; i < 512; i++)
		words[SHMZONE_CACHE_FIRST_WORD +
		      next_random(random) % ((SHMZONE_CACHE_BYTES - sizeof(*cache)) / 8)] =
			random_word(random);
	/* Where the bins are left as they are, the kernel takes the words for what they say. */
	for (i = 0; next_random(random) % 2 && i < 128; i++)
		((volatile __u32 *)cache)[next_random(random) % (sizeof(*cache) / 4)] =
			random_word(random);
	if (next_random(random) % 8)
		cache_be_idle(cache);
	else
		cache_be_busy(cache);
}

static int scribbles(struct shared *shared, unsigned int number)
{
	char *data = map_data(shared->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	struct shmzone_cache *caches = map_caches(shared->zone, 1);
	struct sigaction action = { .sa_handler = on_fault };
	__u64 random = number + 100;
	int i;

	if (data == MAP_FAILED || caches == MAP_FAILED)
		return 1;
	shared->ids[number] = _try_client(shared->zone);
	sigaction(SIGBUS, &action, NULL);
	while (!has_ended(shared)) {
		scribble_data(shared, number, data, &random);
		for (i = 0; i < 8; i++) {
			scribble_cache(caches, &random);
			/* And uses it, so that the kernel looks at what stands there. */
			_try_anything(shared->zone, 0, &random);
		}
		shared->rounds[number]++;
	}
	/* Its end is one more look at it, in whatever state it is. */
	kill(getpid(), SIGKILL);
	return 2;
}

/* The others. */

static int use_the_zone(struct shared *shared, unsigned int number)
{
	struct shmzone_cache *caches = map_caches(shared->zone, 1);
	__u64 held[HELD] = { 0 }, random = number;
	__u32 class = class_of(shared->zone, 64);
	struct shmzone_cache_drain told;
	int zone = shared->zone, error;
	unsigned int i;

	if (caches == MAP_FAILED)
		return 1;
	shared->ids[SCRIBBLERS + number] = _try_client(zone);
	while (!has_ended(shared)) {
		__u64 *object = &held[next_random(&random) % HELD];

		error = 0;
		i = next_random(&random) % 2;
		if (*object) {
			error = i ? cache_free(zone, caches, 0, class, *object) :
				    _try_free_at(zone, *object);
			shared->refused[number] += error < 0;
			*object = 0;
		} else if (i) {
			*object = cache_alloc(zone, caches, 0, class, &error);
		} else {
			error = _try_alloc(zone, 64, 1, object);
		}
		/* Scribblers leave slots behind, and free what is not theirs. */
		if (error < 0 && error != -ENOMEM && error != -EINVAL)
			note_wrong(&shared->wrong, "one of the others gets an error", error);
		if (*object >= ZONE_BYTES)
			note_wrong(&shared->wrong, "what was allocated is not there", *object);
		shared->operations[number]++;
	}
	/* Of those that waited. */
	if (_try_drain_told(zone, 0, &told))
		return 2;
	shared->refused[number] += told.out_refused;
	return 0;
}

FIXTURE(scribble) {
	struct shared *shared;
	__u64 zones;
	int control;
};

FIXTURE_VARIANT(scribble) {
	__u32 kind;
	/* Pages that are not allocated are out of reach. */
	bool bounded;
	bool owned;
};

FIXTURE_VARIANT_ADD(scribble, plain) {
	.kind = 0,
};

FIXTURE_VARIANT_ADD(scribble, strict) {
	.kind = SHMZONE_CREATE_STRICT,
	.bounded = true,
};

FIXTURE_VARIANT_ADD(scribble, committed) {
	.kind = SHMZONE_CREATE_COMMITTED,
};

/* Objects of others cannot be freed, nor is anything left of those who end. */
FIXTURE_VARIANT_ADD(scribble, owned) {
	.kind = SHMZONE_CREATE_OWNED,
	.owned = true,
};

FIXTURE_VARIANT_ADD(scribble, checked) {
	.kind = SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED,
	.owned = true,
};

FIXTURE_SETUP(scribble)
{
	struct shmzone_info args;

	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	self->control = control_fd();
	info(self->control, &args);
	self->zones = args.out_zones;
	self->shared->zone = create_kind(self->control, variant->kind, ZONE_BYTES, LIMIT_BYTES);
}

FIXTURE_TEARDOWN(scribble)
{
	close(self->shared->zone);
	EXPECT_TRUE(zones_become(self->control, self->zones));
	close(self->control);
}

/* Whatever is there, whoever has it: what scribblers have lost in the first place. */
static void free_much(int zone)
{
	static __u64 offsets[SHMZONE_BATCH_MAX];
	__u64 at = 0;
	unsigned int n;

	while (at < ZONE_BYTES) {
		for (n = 0; n < SHMZONE_BATCH_MAX && at < ZONE_BYTES; n++, at += 64)
			offsets[n] = at;
		_try_free_all(zone, offsets, n);
	}
}

/* So many rounds that some of what was scribbled was looked at, on whatever machine. */
static bool is_much(const struct shared *shared)
{
	unsigned long rounds = 0;
	int i;

	for (i = 0; i < SCRIBBLERS; i++)
		rounds += __atomic_load_n(&shared->rounds[i], __ATOMIC_RELAXED);
	return rounds >= ROUNDS_MIN;
}

/* All the while, and in every state. */
static void look_on(struct shared *shared)
{
	double end = now() + seconds_of("SHMZONE_SCRIBBLE_SECONDS", SECONDS);
	double latest = end + SECONDS_MORE;
	struct shmzone_stat stat;
	__u64 offset;

	while (!shared->wrong.is &&
	       (now() < end || (now() < latest && !is_much(shared)))) {
		if (!zone_consistent(shared->zone))
			note_wrong(&shared->wrong, "the allocator contradicts itself", 0);
		if (_try_stat(shared->zone, &stat) ||
		    stat.out_taken_bytes > stat.out_limit_bytes)
			note_wrong(&shared->wrong, "the figures make no sense", 0);
		/* What is free can be had, and what is had can be freed. */
		if (_try_alloc_in(shared->zone, 9, 200, 1, &offset) == 1)
			_try_free_at(shared->zone, offset);
		else
			free_much(shared->zone);
		usleep(5000);
	}
}

TEST_F_TIMEOUT(scribble, over_data_and_caches, 3600)
{
	pid_t scribblers[SCRIBBLERS], others[OTHERS];
	unsigned long rounds = 0, operations = 0, refused = 0, stores = 0, faults = 0;
	struct shared *shared = self->shared;
	struct shmzone_stat stat;
	int i;

	for (i = 0; i < SCRIBBLERS; i++) {
		scribblers[i] = fork();
		if (!scribblers[i])
			_exit(scribbles(shared, i));
	}
	for (i = 0; i < OTHERS; i++) {
		others[i] = fork();
		if (!others[i])
			_exit(use_the_zone(shared, i));
	}
	look_on(shared);
	shared->end = true;
	for (i = 0; i < OTHERS; i++) {
		EXPECT_EQ(0, end_child(others[i]));
		operations += shared->operations[i];
		refused += shared->refused[i];
	}
	for (i = 0; i < SCRIBBLERS; i++) {
		EXPECT_EQ(-SIGKILL, end_child(scribblers[i]));
		rounds += shared->rounds[i];
		stores += shared->stores[i];
		faults += shared->faults[i];
	}
	for (i = 0; i < SCRIBBLERS + OTHERS; i++)
		EXPECT_EQ(0, _try_sync(shared->zone, shared->ids[i], 60000000000ULL));
	stat = stat_of(shared->zone);
	TH_LOG("%lu rounds, %lu stores, %lu faults; %lu operations of others, %lu refused",
	       rounds, stores, faults, operations, refused);
	TH_LOG("%llu bad bins, %llu bad frees, %llu live", stat.out_bad_bins,
	       stat.out_bad_not_live + stat.out_bad_outside + stat.out_bad_interior +
	       stat.out_bad_misaligned, stat.out_live_objects);
	if (shared->wrong.is)
		TH_LOG("wrong: %s", shared->wrong.what);
	ASSERT_FALSE(shared->wrong.is);
	ASSERT_LT(0, rounds);
	ASSERT_LT(0, operations);
	ASSERT_LT(0, stat.out_bad_bins);
	ASSERT_EQ(variant->bounded, faults > 0);
	if (variant->owned) {
		ASSERT_EQ(0, refused);
		ASSERT_EQ(0, stat.out_live_objects);
	}
	ASSERT_LE(stat.out_resident_bytes, variant->bounded ? LIMIT_BYTES : ZONE_BYTES);
	ASSERT_EQ(0, stat.out_cached_objects);
	ASSERT_EQ(stat.out_requests - stat.out_failures - stat.out_frees,
		  stat.out_live_objects);
	ASSERT_TRUE(zone_consistent(shared->zone));
}

TEST_HARNESS_MAIN
