// SPDX-License-Identifier: GPL-2.0
/*
 * All allocators at one pattern, and what is reported of it: a line for each
 * peer, and one for what the pattern takes with no allocator at work. Where a bar is
 * set for the best peer, that is the one with the smallest median.
 */
#include "allocator.h"
#include "guest.h"
#include "host.h"

#include <math.h>

/* The index of tcmalloc among the peers. */
#define TCMALLOC	2

const struct step *steps_make(void)
{
	struct step *steps = bench_calloc(STEPS, sizeof(*steps));
	u64 seed = 1, random;
	u32 i;

	for (i = 0; i < STEPS; i++) {
		random = host_random(&seed);
		steps[i].place = (u32)random % PLACES;
		steps[i].bytes = BYTES_MIN + (random >> 32) % (BYTES_MAX - BYTES_MIN + 1);
	}
	return steps;
}

const char *contest_where(const char *what, u64 charge)
{
	static char where[64];
	int n = snprintf(where, sizeof(where), "%s", in_guest ? guest_where(what) : "native, ");

	if (!in_guest)
		n += snprintf(where + n, sizeof(where) - n, "%s", what);

	if (charge > 1)
		snprintf(where + n, sizeof(where) - n, ", ioctl x%llu", (unsigned long long)charge);
	return where;
}

void contest_beside_tcmalloc(struct contest *contest, double bar)
{
	memset(contest->bars, 0, sizeof(contest->bars));
	contest->bars[TCMALLOC] = bar;
}

/* After the peers come the pool, and nothing. */
#define POOL			ALLOCATORS
#define NOTHING			(POOL + 1)
#define CONTESTANTS_MAX		(NOTHING + 1)

static u32 contestants(const struct contest *contest)
{
	return contest->pool ? CONTESTANTS_MAX : ALLOCATORS;
}

static const struct allocator *load(const struct contest *contest, u32 index)
{
	if (index < ALLOCATORS)
		return allocator_load(index, contest->charge);
	return index == POOL ? allocator_pool() : allocator_nothing();
}

static const char *name_of(u32 index)
{
	if (index < ALLOCATORS)
		return peers[index - 1].name;
	return index == POOL ? "rte_mempool" : "nothing";
}

/* Returns an index of samples, or 0 if no peer was there. */
static u32 best_peer(const struct contest *contest, const struct sample *samples)
{
	double median, least = INFINITY;
	u32 i, best = 0;

	for (i = 1; i < contestants(contest); i++) {
		if (!samples[i].rounds || i == NOTHING)
			continue;
		median = estimate_of(samples[i].ns, samples[i].rounds).median;
		if (median >= least)
			continue;
		least = median;
		best = i;
	}
	return best;
}

static void report_lack(const struct contest *contest, u32 index)
{
	struct figure figure = figure_none(contest->where, watch_unit());

	figure.peer = index ? name_of(index) : NULL;
	figure.lacks = allocator_lacks(index);
	report(&figure);
}

static void report_instructions(const struct contest *contest, const struct sample *samples)
{
	struct figure figure = figure_none(contest->where, "instr");
	const struct sample *zone = &samples[0], *peer = &samples[1 + TCMALLOC];

	if (!watch_counts() || !peer->rounds)
		return;
	figure.value = estimate_of(zone->instructions, zone->rounds);
	figure.peer = peers[TCMALLOC].name;
	figure.peer_value = estimate_of(peer->instructions, peer->rounds);
	figure.ratio = estimate_ratio(zone->instructions, peer->instructions, zone->rounds);
	figure.rounds = zone->rounds;
	figure_bar(&figure, BAR_OF_RATIO, 1);
	report(&figure);
}

void contest_report(const struct contest *contest, const struct sample *samples)
{
	bool barred = contest->charge <= 1 || contest->always;
	u32 i, best = best_peer(contest, samples);
	struct figure figure;
	double bar;

	if (!samples[0].rounds)
		return report_lack(contest, 0);
	for (i = 1; i < contestants(contest); i++) {
		if (!samples[i].rounds) {
			report_lack(contest, i);
			continue;
		}
		figure = figure_of(contest->where, &samples[0]);
		figure_beside(&figure, &samples[0], name_of(i), &samples[i]);
		bar = i < ALLOCATORS ? contest->bars[i - 1] : 0;
		if (i == best && contest->best_bar)
			bar = contest->best_bar;
		if (bar && barred)
			figure_bar(&figure, BAR_OF_RATIO, bar);
		report(&figure);
	}
	if (barred && contest->fewer_instructions)
		report_instructions(contest, samples);
}

void contest_run(const struct contest *contest)
{
	struct sample samples[CONTESTANTS_MAX] = {}, measured[CONTESTANTS_MAX];
	struct side sides[CONTESTANTS_MAX];
	const struct allocator *allocator;
	u32 index[CONTESTANTS_MAX], n = 0, i;

	if (!allocator_load(0, contest->charge))
		return report_lack(contest, 0);
	for (i = 0; i < contestants(contest); i++) {
		allocator = load(contest, i);
		if (!allocator)
			continue;
		sides[n].round = contest->rounds[!i];
		sides[n].arg = contest->begin(allocator, contest->arg);
		index[n++] = i;
	}
	rounds_run(sides, measured, n);
	for (i = 0; i < n; i++)
		samples[index[i]] = measured[i];
	contest_report(contest, samples);
}
