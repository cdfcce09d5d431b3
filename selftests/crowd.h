/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs share in which several processes do anything at random in one
 * zone, for some time: chance, a clock, figures from outside, and what went wrong.
 */
#ifndef SHMZONE_SELFTESTS_CROWD_H
#define SHMZONE_SELFTESTS_CROWD_H

#include "utils.h"

/* The same numbers for the same state. */
__u32 next_random(__u64 *state);

/* Seconds since some moment. */
double now(void);

/* What a variable of the environment says. */
unsigned long number_of(const char *name, unsigned long otherwise);
double seconds_of(const char *name, double otherwise);

/* What went wrong first, in memory that all share. */
struct wrong {
	bool is;
	char what[160];
};

void note_wrong(struct wrong *wrong, const char *what, long ret);

#endif /* SHMZONE_SELFTESTS_CROWD_H */
