/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A race of allocating with a partner that frees: there is one object, which the
 * partner frees a little after it was told of it, while the test allocates.
 */
#ifndef SHMZONE_SELFTESTS_RACE_H
#define SHMZONE_SELFTESTS_RACE_H

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "utils.h"

/* Enough that some are close. */
#define RACE_ROUNDS	2000

/* The zone's only object, which the partner is to free at once; 0: not yet. */
struct race {
	int zone;
	__u64 object;
};

/* In memory that the partner shares. */
static struct race *make_race(void)
{
	return mmap(NULL, sizeof(struct race), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void dawdle(unsigned int *seed)
{
	volatile int i = rand_r(seed) % 3000;

	while (i)
		i--;
}

static int free_each(void *arg)
{
	struct race *race = arg;
	unsigned int seed = 1;
	__u64 object;
	int i;

	for (i = 0; i < RACE_ROUNDS; i++) {
		while (!(object = __atomic_exchange_n(&race->object, 0, __ATOMIC_SEQ_CST)))
			sched_yield();
		dawdle(&seed);
		if (_try_free_at(race->zone, object) != 1)
			return 1;
	}
	return 0;
}

#endif /* SHMZONE_SELFTESTS_RACE_H */
