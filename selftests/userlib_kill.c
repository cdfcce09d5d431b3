// SPDX-License-Identifier: GPL-2.0
/*
 * Allocating and freeing by the library, killed at each instruction, or at some of
 * them if that would take too long: with what is in the cache, with calls for more
 * and for less, with none. After each kill the zone can be used at once, nothing
 * is left in the caches of the dead, and what is lost is what it had in flight; in
 * owned zones nothing is, nor is anything left.
 *
 * The program that is killed writes down what it has when it is told, and strikes
 * out what it frees before it does: so what is lost to all records is all that its
 * call had in its hands. What is in the record others can free.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <shmzone.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"
#include "step.h"

/* For each sweep, unless SHMZONE_SWEEP_SECONDS says otherwise. */
#define SECONDS		1

#define ZONE_BYTES	(256 * MIB)
#define FEW		4		/* one by one, from the cache */
#define MANY		20		/* by one call */
#define CHECKED		(SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED)
#define RECORD		MANY

struct scene {
	int zone;
	__u64 lost;
	const char *wrong;
	void (*prepare)(struct shmz *z, struct scene *scene);
	void (*run)(struct shmz *z, struct scene *scene);
	unsigned int in_flight;
	bool owned;
	/* By the process that is killed. */
	__u64 client;
	uint64_t record[RECORD];
};

/* The records. */

static void write_down(struct shmz *z, struct scene *scene, unsigned int i, void *p)
{
	__atomic_store_n(&scene->record[i], shmz_offset(z, p), __ATOMIC_RELAXED);
}

static void *strike_out(struct shmz *z, struct scene *scene, unsigned int i)
{
	return shmz_pointer(z, __atomic_exchange_n(&scene->record[i], 0, __ATOMIC_RELAXED));
}

/* The scripts. */

static void alloc_one(struct shmz *z, struct scene *scene, unsigned int i, size_t bytes)
{
	write_down(z, scene, i, shmz_alloc(z, bytes));
}

static void free_one(struct shmz *z, struct scene *scene, unsigned int i)
{
	shmz_free(z, strike_out(z, scene, i));
}

/* A class in which there is one slot, and room for no more. */
static void warm_up(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 64);
	free_one(z, scene, 0);
}

static void hold_two(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 64);
	alloc_one(z, scene, 1, 64);
}

static void alloc_and_free(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 64);
	free_one(z, scene, 0);
}

static void ask_for_more(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 1000);
	alloc_one(z, scene, 1, 1000);
}

static void give_back(struct shmz *z, struct scene *scene)
{
	free_one(z, scene, 0);
	free_one(z, scene, 1);
}

static void use_a_group(struct shmz *z, struct scene *scene)
{
	write_down(z, scene, 0, shmz_alloc_group(z, 200, 3));
	free_one(z, scene, 0);
}

static void use_a_span(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 100 * KIB);
	free_one(z, scene, 0);
}

static void of_known_size(struct shmz *z, struct scene *scene)
{
	write_down(z, scene, 0, shmz_zalloc(z, 56));
	shmz_free_sized(z, strike_out(z, scene, 0), 56);
}

static void aligned(struct shmz *z, struct scene *scene)
{
	write_down(z, scene, 0, shmz_aligned_alloc(z, 256, 300));
	free_one(z, scene, 0);
}

static void wait_for_one(struct shmz *z, struct scene *scene)
{
	write_down(z, scene, 0, shmz_alloc_wait(z, 500, 1000));
	free_one(z, scene, 0);
}

static void move(struct shmz *z, struct scene *scene)
{
	void *p = strike_out(z, scene, 0);

	write_down(z, scene, 0, shmz_realloc(z, p, 200));
}

static void some_at_once(struct shmz *z, struct scene *scene, unsigned int n)
{
	void *p[RECORD];
	unsigned int i;
	ssize_t got = shmz_alloc_batch(z, 64, p, n);

	for (i = 0; (ssize_t)i < got; i++)
		write_down(z, scene, i, p[i]);
	for (i = 0; i < n; i++)
		p[i] = strike_out(z, scene, i);
	shmz_free_batch(z, p, n);
}

static void few(struct shmz *z, struct scene *scene)
{
	some_at_once(z, scene, FEW);
}

static void many(struct shmz *z, struct scene *scene)
{
	some_at_once(z, scene, MANY);
}

static void flush(struct shmz *z, struct scene *scene)
{
	shmz_cache_flush(z);
}

static int is_killed(void *arg)
{
	struct scene *scene = arg;
	struct shmz *z = shmz_adopt(scene->zone);
	long client = z ? _try_client(scene->zone) : -ENODEV;

	if (client < 0)
		return 1;
	scene->client = client;
	if (scene->prepare)
		scene->prepare(z, scene);
	step_here();
	scene->run(z, scene);
	return 0;
}

/* After each kill. */

static bool check(struct scene *scene, bool right, const char *what)
{
	if (!right && !scene->wrong)
		scene->wrong = what;
	return right;
}

static bool usable(int zone)
{
	__u64 offset;

	return _try_alloc(zone, 64, 1, &offset) == 1 && _try_free_at(zone, offset) == 1;
}

/* What others do who find the record. In owned zones all has gone with its owner. */
static void free_recorded(struct scene *scene)
{
	unsigned int i;

	for (i = 0; i < RECORD; i++) {
		if (scene->record[i] && !scene->owned)
			_try_free_at(scene->zone, scene->record[i]);
		scene->record[i] = 0;
	}
}

static bool all_is_well(void *arg, unsigned long at)
{
	struct scene *scene = arg;
	struct shmzone_stat stat;

	check(scene, usable(scene->zone), "it cannot be used");
	check(scene, !_try_sync(scene->zone, scene->client, 60000000000ULL),
	      "the client does not go");
	free_recorded(scene);
	check(scene, !_try_stat(scene->zone, &stat), "there are no figures");
	check(scene, !stat.out_cached_objects, "what was in its caches is not back");
	check(scene, !stat.out_bad_not_live && !stat.out_bad_interior &&
	      !stat.out_bad_outside && !stat.out_bad_misaligned && !stat.out_bad_bytes,
	      "something was freed that was not there");
	check(scene, !stat.out_bad_bins, "there are wrong bins");
	check(scene, stat.out_live_objects >= scene->lost, "what was lost has come back");
	check(scene, stat.out_live_objects <= scene->lost + scene->in_flight,
	      "more was lost than was in flight");
	check(scene, zone_consistent(scene->zone), "the allocator contradicts itself");
	scene->lost = stat.out_live_objects;
	return !scene->wrong;
}

FIXTURE(kill) {
	struct scene *scene;
};

FIXTURE_VARIANT(kill) {
	void (*prepare)(struct shmz *z, struct scene *scene);
	void (*run)(struct shmz *z, struct scene *scene);
	/* Objects that it may lose the record of at once. */
	unsigned int in_flight;
	__u32 kind;
};

#define SWEEP(name, ...)						\
FIXTURE_VARIANT_ADD(kill, name) {					\
	__VA_ARGS__							\
}

SWEEP(alloc_and_free, warm_up, alloc_and_free, 1);
SWEEP(refill, warm_up, ask_for_more, 1);
SWEEP(drain, hold_two, give_back, 1);
SWEEP(first_use, NULL, alloc_and_free, 1);
SWEEP(group, warm_up, use_a_group, 1);
SWEEP(span, warm_up, use_a_span, 1);
SWEEP(known_size, warm_up, of_known_size, 1);
SWEEP(aligned, warm_up, aligned, 1);
SWEEP(waiting, warm_up, wait_for_one, 1);
SWEEP(realloc, hold_two, move, 2);
SWEEP(few, warm_up, few, FEW);
SWEEP(many, warm_up, many, MANY);
SWEEP(flush, warm_up, flush, 0);
/* Where the kernel does something else in other kinds of zones. */
SWEEP(strict_refill, warm_up, ask_for_more, 1, SHMZONE_CREATE_STRICT);
SWEEP(strict_span, warm_up, use_a_span, 1, SHMZONE_CREATE_STRICT);
SWEEP(committed_refill, warm_up, ask_for_more, 1, SHMZONE_CREATE_COMMITTED);
SWEEP(committed_span, warm_up, use_a_span, 1, SHMZONE_CREATE_COMMITTED);
/* Where nothing is lost. */
SWEEP(owned_alloc_and_free, warm_up, alloc_and_free, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_refill, warm_up, ask_for_more, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_drain, hold_two, give_back, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_first_use, NULL, alloc_and_free, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_span, warm_up, use_a_span, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_many, warm_up, many, 0, SHMZONE_CREATE_OWNED);
SWEEP(checked_alloc_and_free, warm_up, alloc_and_free, 0, CHECKED);
SWEEP(checked_refill, warm_up, ask_for_more, 0, CHECKED);
SWEEP(checked_drain, hold_two, give_back, 0, CHECKED);
SWEEP(checked_flush, warm_up, flush, 0, CHECKED);

FIXTURE_SETUP(kill)
{
	struct scene *scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, scene);
	self->scene = scene;
	scene->zone = create_kind(control_fd(), variant->kind, ZONE_BYTES, 0);
	scene->prepare = variant->prepare;
	scene->run = variant->run;
	scene->in_flight = variant->in_flight;
	scene->owned = variant->kind & SHMZONE_CREATE_OWNED;
	/* Who has no caches cannot allocate there. */
	if (scene->owned)
		map_caches_ok(scene->zone, 1);
}

FIXTURE_TEARDOWN(kill)
{
	close(self->scene->zone);
}

static double sweep_seconds(void)
{
	const char *seconds = getenv("SHMZONE_SWEEP_SECONDS");

	return seconds ? atof(seconds) : SECONDS;
}

TEST_F_TIMEOUT(kill, at_each_instruction, 7200)
{
	struct scene *scene = self->scene;
	struct step_sweep sweep = {
		.function = is_killed,
		.arg = scene,
		.after = all_is_well,
		.seconds = sweep_seconds(),
		.steady = true,
	};
	bool ended = step_sweep(&sweep);

	TH_LOG("killed %lu times, at every %lu of %lu instructions: %llu objects lost, %lu strayed",
	       sweep.kills, sweep.stride, sweep.instructions, scene->lost, sweep.strays);
	if (scene->wrong)
		TH_LOG("wrong: %s", scene->wrong);
	ASSERT_EQ(NULL, scene->wrong);
	ASSERT_TRUE(ended);
	/* A slow machine takes back the stock of the slow; not that of all. */
	ASSERT_GE(sweep.kills / 4, sweep.strays);
	/* Somewhere on its way it has told nobody yet. */
	if (scene->in_flight && sweep.stride == 1)
		ASSERT_LT(0, scene->lost);
}

TEST_HARNESS_MAIN
