// SPDX-License-Identifier: GPL-2.0
/*
 * Two processes.
 *
 * scale2: both replace random ones of their objects of 8 to 1024 bytes, in one
 * zone, beside the same two with a zone each.
 *
 * vs_boost2: the same in one zone, beside one segment of Boost.Interprocess.
 *
 * prodcon2: one allocates and writes objects of 64 bytes, the other reads and
 * frees them, beside Boost.Interprocess.
 *
 * The processes are made anew for each round, as children of one that has the
 * zone, so pointers mean the same in both. Time is from when both are ready to
 * when the last is done, for each object of both.
 */
#include "allocator.h"
#include "guest.h"
#include "rows.h"

#include <math.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES	2U
#define OBJECTS		500U
#define REPLACED	20000U
#define RING		1024U
#define HANDFUL		32U
#define SPINS		100U

/**
 * struct meeting - what the processes of a round have in common
 * @ready: how many are
 * @go: they may begin
 * @end_ns: when each was done
 * @made: objects put into the ring
 * @used: objects taken out of it
 * @ring: pointers
 */
struct meeting {
	_Atomic u32 ready;
	_Atomic u32 go;
	double end_ns[PROCESSES];
	_Alignas(128) _Atomic u32 made;
	_Alignas(128) _Atomic u32 used;
	_Alignas(128) void *ring[RING];
};

struct team {
	const struct allocator *from[PROCESSES];
	const struct step *steps;
	struct meeting *meeting;
};

/* Waits until a count is another one; gives the new one. */
static u32 await_change(_Atomic u32 *count, u32 old)
{
	u32 now, spins = 0;

	while ((now = atomic_load(count)) == old)
		if (++spins % SPINS == 0)
			sched_yield();
	return now;
}

static void team_round(struct watch *watch, struct team *team,
		       void (*work)(struct team *team, u32 which))
{
	struct meeting *meeting = team->meeting;
	double start, end = 0;
	int status;
	u32 i;

	memset(meeting, 0, sizeof(*meeting));
	for (i = 0; i < PROCESSES; i++) {
		switch (fork()) {
		case -1:
			bench_die("no process");
		case 0:
			atomic_fetch_add(&meeting->ready, 1);
			await_change(&meeting->go, 0);
			work(team, i);
			meeting->end_ns[i] = watch_now();
			_exit(0);
		}
	}
	for (i = 0; i < PROCESSES;)
		i = await_change(&meeting->ready, i);
	start = watch_now();
	atomic_store(&meeting->go, 1);
	for (i = 0; i < PROCESSES; i++)
		if (wait(&status) < 0 || status)
			bench_die("a process of a round failed");
	for (i = 0; i < PROCESSES; i++)
		end = max(end, meeting->end_ns[i]);
	watch->ns = end - start;
	watch->ops = PROCESSES * REPLACED;
}

static __always_inline void replace(struct team *team, u32 which, const bool zone)
{
	const struct allocator *from = team->from[which];
	const struct step *step = team->steps + which * STEPS / PROCESSES;
	void *object[OBJECTS] = {};
	u32 i, place;

	for (i = 0; i < REPLACED; i++, step++) {
		place = step->place % OBJECTS;
		if (object[place]) {
			look(object[place]);
			drop(from, object[place], zone);
		}
		object[place] = take(from, step->bytes, zone);
		touch(object[place], step->bytes);
	}
	for (i = 0; i < OBJECTS; i++)
		if (object[i])
			drop(from, object[i], zone);
}

static void replace_peer(struct team *team, u32 which)
{
	replace(team, which, false);
}

static void replace_zone(struct team *team, u32 which)
{
	replace(team, which, true);
}

static void replaced_round(struct watch *watch, void *arg)
{
	struct team *team = arg;

	team_round(watch, team, team->from[0]->zone ? replace_zone : replace_peer);
}

static __always_inline void hand_over(struct team *team, u32 which, const bool zone)
{
	const struct allocator *from = team->from[which];
	struct meeting *meeting = team->meeting;
	u32 i, seen = 0;
	void *object;

	for (i = 0; i < PROCESSES * REPLACED; i++) {
		if (which) {
			while (i == seen)
				seen = await_change(&meeting->made, seen);
			look(meeting->ring[i % RING]);
			drop(from, meeting->ring[i % RING], zone);
			if ((i + 1) % HANDFUL == 0)
				atomic_store(&meeting->used, i + 1);
			continue;
		}
		object = take(from, 64, zone);
		touch(object, 64);
		while (i - seen == RING)
			seen = await_change(&meeting->used, seen);
		meeting->ring[i % RING] = object;
		if ((i + 1) % HANDFUL == 0)
			atomic_store(&meeting->made, i + 1);
	}
	if (!which)
		atomic_store(&meeting->made, i);
}

static void hand_over_peer(struct team *team, u32 which)
{
	hand_over(team, which, false);
}

static void hand_over_zone(struct team *team, u32 which)
{
	hand_over(team, which, true);
}

static void handed_round(struct watch *watch, void *arg)
{
	struct team *team = arg;

	team_round(watch, team, team->from[0]->zone ? hand_over_zone : hand_over_peer);
}

static struct team team_of(const struct allocator *first, const struct allocator *second)
{
	void *meeting = mmap(NULL, sizeof(struct meeting), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (meeting == MAP_FAILED)
		bench_die("out of memory");
	return (struct team){ { first, second }, steps_make(), meeting };
}

static const struct allocator *the_zone(void)
{
	const struct allocator *zone = allocator_load(0, 1);

	if (!zone)
		bench_die("the library cannot be loaded");
	return zone;
}

static void report_pair(const char *what, const char *beside, const struct sample *samples,
			double bar)
{
	struct figure figure = figure_of(guest_where(what), &samples[0]);

	figure_beside(&figure, &samples[0], beside, &samples[1]);
	if (!guest_counted) {
		/* Those of the parent. */
		figure.instructions = NAN;
		figure.peer_instructions = NAN;
	}
	figure_bar(&figure, BAR_OF_RATIO, bar);
	report(&figure);
}

void vm_scale2(u64 arg)
{
	const struct allocator *one = the_zone();
	struct allocator other = *one;
	struct team same = team_of(one, one), apart = team_of(one, &other);
	struct side sides[] = { { replaced_round, &same }, { replaced_round, &apart } };
	struct sample samples[ARRAY_SIZE(sides)];

	(void)arg;
	other.zone = allocator_zone(0);
	rounds_run(sides, samples, ARRAY_SIZE(sides));
	report_pair("8 to 1024 bytes", "a zone each", samples, 1 / 0.95);
}

static void beside_boost(const char *what, void (*round)(struct watch *watch, void *arg),
			 double bar)
{
	const struct allocator *zone = the_zone(), *boost = allocator_boost();
	struct team ours, theirs;
	struct side sides[] = { { round, &ours }, { round, &theirs } };
	struct sample samples[ARRAY_SIZE(sides)];
	struct figure figure;

	if (!boost) {
		figure = figure_none(guest_where(what), watch_unit());
		figure.peer = "boost";
		figure.lacks = "boost is not there";
		return report(&figure);
	}
	ours = team_of(zone, zone);
	theirs = team_of(boost, boost);
	rounds_run(sides, samples, ARRAY_SIZE(sides));
	report_pair(what, boost->name, samples, bar);
}

void vm_vs_boost2(u64 arg)
{
	(void)arg;
	beside_boost("8 to 1024 bytes", replaced_round, 0.1);
}

void vm_prodcon2(u64 arg)
{
	(void)arg;
	beside_boost("64 bytes", handed_round, 0.2);
}
