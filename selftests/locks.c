// SPDX-License-Identifier: GPL-2.0
/*
 * Data under locks, see locks.h.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "locks.h"

struct under_locks *make_under_locks(uint64_t limit_ns)
{
	struct under_locks *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return NULL;
	shared->limit_ns = limit_ns;
	if (shmz_mutex_init(&shared->mutex) || shmz_cond_init(&shared->cond) ||
	    shmz_rwlock_init(&shared->rwlock, READERS))
		return NULL;
	return shared;
}

void goes_wrong(struct under_locks *shared, const char *what)
{
	const char *none = NULL;

	atomic_compare_exchange_strong(&shared->wrong, &none, what);
}

int dwell_loops;

static void dwell(void)
{
	volatile int i;

	for (i = 0; i < dwell_loops; i++)
		;
}

void write_pair(struct pair *pair)
{
	pair->a++;
	dwell();
	pair->b++;
}

/* Nobody writes meanwhile. */
static void read_pair(struct under_locks *shared, const struct pair *pair)
{
	uint64_t a = pair->a;

	dwell();
	if (pair->a != a || pair->b != a)
		goes_wrong(shared, "data was written while it was read");
}

bool look_after(struct under_locks *shared, struct pair *pair, int ret)
{
	if (ret == -ETIMEDOUT)
		goes_wrong(shared, "a lock was not had in time");
	else if (ret && ret != -EOWNERDEAD)
		goes_wrong(shared, strerror(-ret));
	if (ret && ret != -EOWNERDEAD)
		return false;
	if (ret)
		shared->told++;
	if (pair->a != pair->b) {
		shared->torn++;
		if (!ret)
			goes_wrong(shared, "data was torn, and nobody told");
		pair->b = pair->a;
	}
	return true;
}

void check(struct under_locks *shared, int ret, const char *what)
{
	if (ret)
		goes_wrong(shared, what);
}

void use_mutex(struct under_locks *shared)
{
	int ret = shmz_mutex_timedlock(&shared->mutex, shared->limit_ns);

	if (!look_after(shared, &shared->under_mutex, ret))
		return;
	if (ret)
		check(shared, shmz_mutex_consistent(&shared->mutex), "mutex not consistent");
	write_pair(&shared->under_mutex);
	check(shared, shmz_mutex_unlock(&shared->mutex), "mutex not unlocked");
}

void use_rwlock(struct under_locks *shared, bool write)
{
	struct shmz_rwlock *rw = &shared->rwlock;
	int ret;

	if (write)
		ret = shmz_rwlock_timedwrlock(rw, shared->limit_ns);
	else
		ret = shmz_rwlock_timedrdlock(rw, shared->limit_ns);
	if (!look_after(shared, &shared->under_rwlock, ret))
		return;
	if (ret)
		check(shared, shmz_rwlock_consistent(rw), "lock not consistent");
	if (ret || write)
		write_pair(&shared->under_rwlock);
	else
		read_pair(shared, &shared->under_rwlock);
	check(shared, shmz_rwlock_unlock(rw), "lock not unlocked");
}

void use_cond(struct under_locks *shared, uint64_t timeout_ns)
{
	int ret = shmz_mutex_timedlock(&shared->mutex, shared->limit_ns);

	if (!look_after(shared, &shared->under_mutex, ret))
		return;
	if (ret)
		check(shared, shmz_mutex_consistent(&shared->mutex), "mutex not consistent");
	ret = shmz_cond_timedwait(&shared->cond, &shared->mutex, timeout_ns);
	if (!look_after(shared, &shared->under_mutex, ret == -ETIMEDOUT ? 0 : ret))
		return;
	if (ret == -EOWNERDEAD)
		check(shared, shmz_mutex_consistent(&shared->mutex), "mutex not consistent");
	check(shared, shmz_mutex_unlock(&shared->mutex), "mutex not unlocked");
}
