/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the locks of shmzone_lock.h are made of: robust mutexes, and time.
 *
 * A robust mutex is pthread's: process-shared, robust, error-checking. Its word
 * holds the owner's TID, and it is on the robust list of the thread that has it.
 * When a thread ends, by whatever death, the kernel walks that list, and the one
 * lock that the thread is about to get or to give ("pending"), sets
 * FUTEX_OWNER_DIED in the word if the TID is the thread's, and wakes one waiter.
 * Reused TIDs play no part in it: the mark is made by the dying thread itself.
 *
 * Three things are not as one would like, and are dealt with in robust.c alone:
 *
 *  - A waiter is woken by an unlock, which has set the word to 0. Another thread
 *    gets the lock before it, without the mark that there are waiters, and then
 *    the woken one is killed. The kernel sees an owner and wakes nobody, and so
 *    does the unlock: further waiters would sleep for ever. So no sleep is longer
 *    than SHMZ_LOCK_LOOK_NS; then the word is looked at anew and marked.
 *  - A lock call of glibc that times out leaves its mutex pending. Were its memory
 *    freed, the kernel would look at a word that is none any more. A trylock
 *    follows each sleep that timed out, and leaves nothing pending.
 *  - A trylock of glibc of what cannot be recovered says so and keeps the mutex,
 *    as nobody's: everyone else hangs. So no mutex ever becomes ENOTRECOVERABLE
 *    for glibc: it is made consistent at once, and whether the data is, is told by
 *    words beside it, which only the owner of the mutex writes.
 */
#ifndef LIBSHMZONE_ROBUST_H
#define LIBSHMZONE_ROBUST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "shmzone_lock.h"

/* In the first four bytes of each kind of lock: what it is. */
#define MUTEX_MAGIC	0x6d7a6d01
#define RWLOCK_MAGIC	0x6d7a7201
#define COND_MAGIC	0x6d7a6301

/* Instants of CLOCK_MONOTONIC in nanoseconds; these two are none. */
#define AT_ONCE		0
#define NEVER		UINT64_MAX

uint64_t time_now(void);

/* The instant @timeout_ns from now; 0 is AT_ONCE, SHMZ_FOREVER is NEVER. */
uint64_t deadline_after(uint64_t timeout_ns);

/* The earlier of @deadline and @look_ns from @now. */
struct timespec next_look(uint64_t deadline, uint64_t now, uint64_t look_ns);

void robust_init(pthread_mutex_t *mutex);

/*
 * Lock by @deadline. With the lock: 0, or -EOWNERDEAD if its owner died. Without:
 * -EBUSY (AT_ONCE), -ETIMEDOUT, -EDEADLK, or whatever glibc makes of a word that
 * was scribbled over.
 */
int robust_lock(pthread_mutex_t *mutex, uint64_t deadline);

/* 0, or -EPERM if this thread does not have it. */
int robust_unlock(pthread_mutex_t *mutex);

static inline bool lock_is_aligned(const void *lock)
{
	return (uintptr_t)lock % SHMZ_LOCK_ALIGN == 0;
}

#endif
