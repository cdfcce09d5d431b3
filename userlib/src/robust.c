// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Robust mutexes, without what pthread's leave open: see robust.h.
 */
#include <errno.h>
#include <time.h>

#include "robust.h"

#define NS_PER_S	1000000000ULL

uint64_t time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

uint64_t deadline_after(uint64_t timeout_ns)
{
	uint64_t now;

	if (timeout_ns == 0 || timeout_ns == SHMZ_FOREVER)
		return timeout_ns ? NEVER : AT_ONCE;
	now = time_now();
	return timeout_ns < NEVER - now ? now + timeout_ns : NEVER;
}

struct timespec next_look(uint64_t deadline, uint64_t now, uint64_t look_ns)
{
	uint64_t at = deadline < now + look_ns ? deadline : now + look_ns;

	return (struct timespec){ at / NS_PER_S, at % NS_PER_S };
}

void robust_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;

	/* None of them fails: there is nothing to allocate. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
}

int robust_lock(pthread_mutex_t *mutex, uint64_t deadline)
{
	int ret = pthread_mutex_trylock(mutex);

	while (ret == EBUSY && deadline != AT_ONCE) {
		uint64_t now = time_now();
		struct timespec look;

		if (now >= deadline)
			return -ETIMEDOUT;
		look = next_look(deadline, now, SHMZ_LOCK_LOOK_NS);
		ret = pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &look);
		if (ret == ETIMEDOUT)
			ret = pthread_mutex_trylock(mutex);
	}
	if (ret == EOWNERDEAD)
		pthread_mutex_consistent(mutex);
	return -ret;
}

int robust_unlock(pthread_mutex_t *mutex)
{
	return -pthread_mutex_unlock(mutex);
}
