// SPDX-License-Identifier: GPL-2.0
/* Chance, a clock, figures from outside, and what went wrong: see crowd.h. */
#include <stdlib.h>
#include <time.h>

#include "crowd.h"

__u32 next_random(__u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

unsigned long number_of(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

double seconds_of(const char *name, double otherwise)
{
	const char *text = getenv(name);

	return text && *text ? atof(text) : otherwise;
}

void note_wrong(struct wrong *wrong, const char *what, long ret)
{
	if (!__atomic_exchange_n(&wrong->is, true, __ATOMIC_SEQ_CST))
		snprintf(wrong->what, sizeof(wrong->what), "%s: %ld", what, ret);
}
