// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The condition: a number that each signal makes another one, and a futex on it.
 *
 * Who waits notes the number while it has the mutex, unlocks, and sleeps only if
 * the number is still the same. Whoever signals changes it first and wakes then.
 * So no signal is missed that comes after the mutex was unlocked, and nothing is
 * ever owned: there is no state of waiters in memory that a kill could leave half
 * changed. That is why this is no pthread_cond_t, whose groups of waiters it does.
 *
 * What kills leave:
 *
 *	waiter, anywhere	it stays counted: signals cost a system call for ever
 *	signaller, before the number changed	no signal
 *	signaller, before it woke	a number that changed; who sleeps is not woken
 *	waiter that was woken	the signal is lost, which another waiter may need
 *	who changed the data, before its signal	no signal
 *
 * The last four are alike to those who sleep: the data has changed and nobody says
 * so. No futex can tell, so no sleep is longer than SHMZ_COND_LOOK_NS, after which
 * the wait ends, with the mutex, as if there was a signal. The mutex tells if it
 * was unlocked by a death. Should the number come round to the same while a waiter
 * goes to sleep, it sleeps that long too.
 */
#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mutex.h"

struct cond {
	_Atomic uint32_t magic;
	_Atomic uint32_t number;
	/* At least those who sleep or are about to; more after kills. */
	_Atomic uint32_t waiters;
};

static_assert(sizeof(struct cond) <= sizeof(struct shmz_cond), "fits, with room");
static_assert(sizeof(struct shmz_cond) == 64, "part of the ABI");

int shmz_cond_init(struct shmz_cond *c)
{
	struct cond *cond = (struct cond *)c;

	if (!lock_is_aligned(c))
		return -EINVAL;
	memset(c, 0, sizeof(*c));
	cond->magic = COND_MAGIC;
	return 0;
}

/* Until woken, or for other reasons; -ETIMEDOUT once @deadline is over. */
static int sleep_while(struct cond *cond, uint32_t number, uint64_t deadline)
{
	uint64_t now = time_now();
	struct timespec look = next_look(deadline, now, SHMZ_COND_LOOK_NS);

	if (now < deadline)
		syscall(SYS_futex, &cond->number, FUTEX_WAIT_BITSET, number, &look, NULL,
			FUTEX_BITSET_MATCH_ANY);
	if (cond->number != number || deadline == NEVER)
		return 0;
	return time_now() < deadline ? 0 : -ETIMEDOUT;
}

static int wait_until(struct cond *cond, struct shmz_mutex *m, uint64_t deadline)
{
	uint32_t number;
	int ret, slept;

	if (cond->magic != COND_MAGIC)
		return -EINVAL;
	cond->waiters++;
	number = cond->number;
	ret = shmz_mutex_unlock(m);
	if (ret) {
		cond->waiters--;
		return ret;
	}
	slept = sleep_while(cond, number, deadline);
	cond->waiters--;
	ret = mutex_lock((struct mutex *)m, NEVER);
	return ret ? ret : slept;
}

int shmz_cond_wait(struct shmz_cond *c, struct shmz_mutex *m)
{
	return wait_until((struct cond *)c, m, NEVER);
}

int shmz_cond_timedwait(struct shmz_cond *c, struct shmz_mutex *m, uint64_t timeout_ns)
{
	return wait_until((struct cond *)c, m, deadline_after(timeout_ns));
}

static int wake(struct cond *cond, int how_many)
{
	if (cond->magic != COND_MAGIC)
		return -EINVAL;
	cond->number++;
	if (cond->waiters)
		syscall(SYS_futex, &cond->number, FUTEX_WAKE, how_many, NULL, NULL, 0);
	return 0;
}

int shmz_cond_signal(struct shmz_cond *c)
{
	return wake((struct cond *)c, 1);
}

int shmz_cond_broadcast(struct shmz_cond *c)
{
	return wake((struct cond *)c, INT32_MAX);
}

int shmz_cond_destroy(struct shmz_cond *c)
{
	struct cond *cond = (struct cond *)c;

	if (cond->magic != COND_MAGIC)
		return -EINVAL;
	cond->magic = 0;
	return 0;
}
