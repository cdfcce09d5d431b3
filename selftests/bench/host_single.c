// SPDX-License-Identifier: GPL-2.0
/*
 * One thread.
 *
 * pair64: an object of 64 bytes is allocated, written and freed. Some others live:
 * the first of a page is unlike the rest, as processors compare the places in
 * pages of what is stored and loaded, and much begins where a page does.
 *
 * live: 10,000 objects of 8 to 1024 bytes are live, a random one of which is
 * replaced by one of random size, again and again; live_sized: with the size told
 * when it is freed. All memory has been touched before.
 *
 * live with first-touch faults: as many objects are allocated and written by a
 * process that has not allocated before, a new one each round. The kernel's
 * time for the pages is in it, which a zone's processes share and a peer's do
 * not.
 */
#include "allocator.h"
#include "guest.h"
#include "pattern.h"
#include "rows.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS		100000U
#define OTHERS		5U

struct pair {
	const struct allocator *from;
	size_t bytes;
};

static __always_inline void pair(struct watch *watch, void *arg, const bool zone)
{
	const struct pair *pair = arg;
	const struct allocator *from = pair->from;
	size_t bytes = pair->bytes;
	u32 i, n = guest_fewer(PAIRS);
	void *object;

	watch_start(watch);
	for (i = 0; i < n; i++) {
		object = take(from, bytes, zone);
		touch(object, bytes);
		drop(from, object, zone);
	}
	watch_stop(watch, n);
}

BOTH(pair);

static void *pair_begin(const struct allocator *allocator, u64 bytes)
{
	struct pair *pair = bench_calloc(1, sizeof(*pair));
	u32 i;

	*pair = (struct pair){ allocator, bytes };
	for (i = 0; i < OTHERS; i++)
		BENCH_ASSERT(allocator->zone ? take(allocator, bytes, true) :
					       take(allocator, bytes, false));
	return pair;
}

/* Of an emulated guest's times there is nothing to be asked. */
static void guest_contest(struct contest *contest)
{
	contest_beside_tcmalloc(contest, guest_counted || guest_is_native() ? 1 : 0);
	contest->fewer_instructions = false;
}

void host_pair64(u64 charge)
{
	struct contest contest = {
		.where = contest_where("64 bytes", charge),
		.rounds = pair_rounds,
		.begin = pair_begin,
		.arg = 64,
		.charge = charge,
		.bars = { 1, 1, 0.9, 1 },
		.fewer_instructions = true,
		.pool = true,
	};

	if (in_guest)
		guest_contest(&contest);
	contest_run(&contest);
}

#define LIVE_OPS	STEPS

struct live {
	const struct allocator *from;
	const struct step *steps;
	void *object[PLACES];
	u32 bytes[PLACES];
};

static __always_inline void fill(struct live *live, const bool zone)
{
	u32 i;

	for (i = 0; i < PLACES; i++) {
		live->bytes[i] = live->steps[i].bytes;
		live->object[i] = take(live->from, live->bytes[i], zone);
		touch(live->object[i], live->bytes[i]);
	}
}

static __always_inline void replace(struct watch *watch, struct live *live, const bool sized,
				    const bool zone)
{
	const struct allocator *from = live->from;
	const struct step *step = live->steps;
	u32 i, n = guest_fewer(LIVE_OPS);

	if (!live->object[0])
		fill(live, zone);
	watch_start(watch);
	for (i = 0; i < n; i++, step++) {
		look(live->object[step->place]);
		if (sized)
			drop_sized(from, live->object[step->place], live->bytes[step->place], zone);
		else
			drop(from, live->object[step->place], zone);
		live->bytes[step->place] = step->bytes;
		live->object[step->place] = take(from, step->bytes, zone);
		touch(live->object[step->place], step->bytes);
	}
	watch_stop(watch, n);
}

static __always_inline void replaced(struct watch *watch, void *arg, const bool zone)
{
	replace(watch, arg, false, zone);
}

static __always_inline void replaced_sized(struct watch *watch, void *arg, const bool zone)
{
	replace(watch, arg, true, zone);
}

BOTH(replaced);
BOTH(replaced_sized);

static void *live_begin(const struct allocator *allocator, u64 arg)
{
	struct live *live = bench_calloc(1, sizeof(*live));

	(void)arg;
	live->from = allocator;
	live->steps = steps_make();
	return live;
}

static u64 live_bytes(const void *arg)
{
	const struct live *live = arg;
	u64 sum = 0;
	u32 i;

	for (i = 0; i < PLACES; i++)
		sum += live->bytes[i];
	return sum;
}

const struct pattern pattern_live = {
	.rounds = replaced_rounds,
	.begin = live_begin,
	.live_bytes = live_bytes,
};

/* What a round needs, and the process that has it. */
struct fresh {
	u32 index;
	u64 charge;
	struct watch *watch;	/* shared with the process */
	struct live *live;
};

static void fresh_child(const struct fresh *fresh)
{
	const struct allocator *allocator = allocator_load(fresh->index, fresh->charge);
	struct watch watch = {};

	if (!allocator)
		_exit(0);
	fresh->live->from = allocator;
	watch_init();
	watch_start(&watch);
	if (fresh->index)
		fill(fresh->live, false);
	else
		fill(fresh->live, true);
	watch_stop(&watch, PLACES);
	*fresh->watch = watch;
	_exit(0);
}

static void fresh_round(struct watch *watch, void *arg)
{
	const struct fresh *fresh = arg;
	pid_t pid;

	memset(fresh->watch, 0, sizeof(*fresh->watch));
	pid = fork();
	if (pid < 0)
		bench_die("no process");
	if (!pid)
		fresh_child(fresh);
	waitpid(pid, NULL, 0);
	*watch = *fresh->watch;
	/* Of one that is not there. */
	if (!watch->ops)
		watch->ops = 1;
}

static void live_fresh(u64 charge)
{
	struct watch *watch = mmap(NULL, sizeof(*watch), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct live *live = live_begin(NULL, 0);
	struct contest contest = { .where = "native, with first-touch faults" };
	struct sample samples[ALLOCATORS];
	struct side sides[ALLOCATORS];
	struct fresh fresh[ALLOCATORS];
	u32 i;

	if (watch == MAP_FAILED)
		bench_die("out of memory");
	for (i = 0; i < ALLOCATORS; i++) {
		fresh[i] = (struct fresh){ i, charge, watch, live };
		sides[i] = (struct side){ fresh_round, &fresh[i] };
	}
	rounds_run(sides, samples, ALLOCATORS);
	for (i = 0; i < ALLOCATORS; i++)
		if (!samples[i].ns[0])
			samples[i].rounds = 0;
	contest_report(&contest, samples);
}

void host_live(u64 charge)
{
	struct contest contest = {
		.where = contest_where("8 to 1024 bytes", charge),
		.rounds = replaced_rounds,
		.begin = live_begin,
		.charge = charge,
		.bars = { 0, 0, 1.03, 0 },
	};

	/* First, while none is there. */
	if (charge == 1 && !in_guest)
		live_fresh(charge);
	if (in_guest)
		guest_contest(&contest);
	contest_run(&contest);
}

void host_live_sized(u64 charge)
{
	struct contest contest = {
		.where = contest_where("8 to 1024 bytes", charge),
		.rounds = replaced_sized_rounds,
		.begin = live_begin,
		.charge = charge,
		.bars = { 0, 0, 0.95, 0 },
	};

	contest_run(&contest);
}
