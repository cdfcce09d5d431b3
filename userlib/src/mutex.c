// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The mutex: a robust mutex, and a word on the data it is for.
 *
 * Its owner alone writes that word:
 *
 *	FINE	nobody died with the mutex, or the data was found to be in order
 *	TORN	one did, and its owner now, if any, was told and has not said so
 *	GONE	it was unlocked while TORN
 *
 * Invariant: if a thread died with the mutex since the data was last in order,
 * the next to lock it is told by robust_lock() or by a word that is not FINE.
 *
 * A kill, and what the next one sees:
 *
 *	before it owns the mutex	nothing
 *	owns it, told of no death	EOWNERDEAD of robust_lock()
 *	told of one, not yet TORN	the same: it died itself
 *	TORN				the same
 *	says consistent			FINE or not, EOWNERDEAD: it died itself
 *	GONE, not yet unlocked		GONE, which goes before EOWNERDEAD
 *	unlocked, waiter not yet woken	nothing; the kernel wakes one
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "mutex.h"

int shmz_mutex_init(struct shmz_mutex *m)
{
	struct mutex *mutex = (struct mutex *)m;

	if (!lock_is_aligned(m))
		return -EINVAL;
	memset(m, 0, sizeof(*m));
	robust_init(&mutex->robust);
	mutex->magic = MUTEX_MAGIC;
	return 0;
}

int mutex_lock(struct mutex *mutex, uint64_t deadline)
{
	int ret;

	if (mutex->magic != MUTEX_MAGIC)
		return -EINVAL;
	ret = robust_lock(&mutex->robust, deadline);
	if (ret && ret != -EOWNERDEAD)
		return ret;
	if (mutex->data == DATA_GONE) {
		robust_unlock(&mutex->robust);
		return -ENOTRECOVERABLE;
	}
	if (!ret && mutex->data == DATA_FINE)
		return 0;
	mutex->data = DATA_TORN;
	return -EOWNERDEAD;
}

int shmz_mutex_lock(struct shmz_mutex *m)
{
	return mutex_lock((struct mutex *)m, NEVER);
}

int shmz_mutex_trylock(struct shmz_mutex *m)
{
	return mutex_lock((struct mutex *)m, AT_ONCE);
}

int shmz_mutex_timedlock(struct shmz_mutex *m, uint64_t timeout_ns)
{
	return mutex_lock((struct mutex *)m, deadline_after(timeout_ns));
}

/*
 * Whether this thread has it. Not for the usual case: who does not have it may
 * get it for a moment.
 */
static bool is_mine(struct mutex *mutex)
{
	int ret = mutex_lock(mutex, AT_ONCE);

	/* What it told is not lost: the data is TORN. */
	if (!ret || ret == -EOWNERDEAD)
		robust_unlock(&mutex->robust);
	return ret == -EDEADLK;
}

int shmz_mutex_unlock(struct shmz_mutex *m)
{
	struct mutex *mutex = (struct mutex *)m;

	if (mutex->magic != MUTEX_MAGIC)
		return -EINVAL;
	if (mutex->data != DATA_FINE) {
		if (!is_mine(mutex))
			return -EPERM;
		mutex->data = DATA_GONE;
	}
	return robust_unlock(&mutex->robust);
}

int shmz_mutex_consistent(struct shmz_mutex *m)
{
	struct mutex *mutex = (struct mutex *)m;

	if (mutex->magic != MUTEX_MAGIC || mutex->data != DATA_TORN || !is_mine(mutex))
		return -EINVAL;
	mutex->data = DATA_FINE;
	return 0;
}

int shmz_mutex_destroy(struct shmz_mutex *m)
{
	struct mutex *mutex = (struct mutex *)m;
	int ret;

	if (mutex->magic != MUTEX_MAGIC)
		return -EINVAL;
	ret = robust_lock(&mutex->robust, AT_ONCE);
	if (ret == -EDEADLK)
		return -EBUSY;
	if (ret && ret != -EOWNERDEAD)
		return ret;
	mutex->magic = 0;
	/* Off the robust list, before the memory becomes something else. */
	return robust_unlock(&mutex->robust);
}
