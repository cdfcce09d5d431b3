// SPDX-License-Identifier: GPL-2.0
/*
 * Rounds in random order, and the median with what is known of it.
 */
#include "guest.h"
#include "host.h"

#include <math.h>

/* Sides compared with each other at most. */
#define SIDES_MAX	16

/* The median is outside the interval at most this often, on either side. */
#define TAIL		0.025

u32 rounds_wanted = 25;

static void shuffle(u32 *order, u32 n, u64 *seed)
{
	u32 i, j;

	for (i = 0; i < n; i++)
		order[i] = i;
	for (i = n; i > 1; i--) {
		j = host_random(seed) % i;
		swap(order[i - 1], order[j]);
	}
}

static void measure(const struct side *side, struct sample *sample, u32 round)
{
	struct watch watch = {};

	side->round(&watch, side->arg);
	BENCH_ASSERT(watch.ops);
	sample->ns[round] = watch.ns / watch.ops;
	sample->instructions[round] = watch_counts() ? watch.instructions / watch.ops : NAN;
	if (guest_counted)
		sample->instructions[round] = sample->ns[round];
}

void rounds_run(const struct side *sides, struct sample *samples, u32 n)
{
	u32 order[SIDES_MAX], round, i;
	u64 seed = 1;

	BENCH_ASSERT(n <= SIDES_MAX);
	for (round = 0; round <= rounds_wanted; round++) {
		shuffle(order, n, &seed);
		/* The round to warm up is overwritten by the first that counts. */
		for (i = 0; i < n; i++)
			measure(&sides[order[i]], &samples[order[i]], round ? round - 1 : 0);
	}
	for (i = 0; i < n; i++)
		samples[i].rounds = rounds_wanted;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * How many values may be cut off at either end. That fewer than k of n values
 * lie below the true median is as likely as fewer than k heads in n throws.
 */
static u32 interval_cut(u32 n)
{
	double chance = pow(0.5, n), sum = 0;
	u32 cut;

	for (cut = 0; cut < n / 2; cut++) {
		sum += chance;
		if (sum > TAIL)
			break;
		chance *= (double)(n - cut) / (cut + 1);
	}
	return cut ? cut - 1 : 0;
}

struct estimate estimate_of(const double *values, u32 n)
{
	double sorted[ROUNDS_MAX];
	struct estimate estimate;
	u32 cut = interval_cut(n);

	BENCH_ASSERT(n && n <= ROUNDS_MAX);
	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), compare);
	estimate.median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
	estimate.min = sorted[0];
	estimate.low = sorted[cut];
	estimate.high = sorted[n - 1 - cut];
	return estimate;
}

struct estimate estimate_ratio(const double *values, const double *peer_values, u32 n)
{
	double ratios[ROUNDS_MAX];
	u32 i;

	BENCH_ASSERT(n && n <= ROUNDS_MAX);
	for (i = 0; i < n; i++)
		ratios[i] = values[i] / peer_values[i];
	return estimate_of(ratios, n);
}

struct estimate estimate_exact(double value)
{
	return (struct estimate){ value, value, value, value };
}

struct estimate estimate_none(void)
{
	return estimate_exact(NAN);
}
