/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libshmzone: locks for the data that processes share.
 *
 * A zone's allocator cannot be damaged by a process that is killed; the data in
 * it can, if nobody else is told. These locks tell: a *mutex*, a *reader-writer
 * lock* and a *condition* that lie in shared memory, in a zone or any other, and
 * that a process may be killed in at any instruction, or its thread end.
 *
 * Death. Whoever gets a lock next after its holder died while it could write is
 * told -EOWNERDEAD: it *has* the lock, alone, and may look after the data. If
 * that is in order, it says so by the lock's consistent function and goes on; if
 * it unlocks without, the lock cannot be had any more, -ENOTRECOVERABLE. If it
 * dies on its part, the next one is told -EOWNERDEAD. A reader that dies leaves
 * nothing half written, so its place is free again and nobody is told.
 *
 * No hang. The kernel wakes who waits for a holder that died. Deaths that no
 * kernel notices, as that of a process that has been woken but has not got the
 * lock, are made up for by the other waiters, who look for themselves: at least
 * every SHMZ_LOCK_LOOK_NS nanoseconds at locks, SHMZ_COND_LOOK_NS at conditions.
 * Against a holder that lives and does not unlock, stopped ones too, there are
 * the calls with a time limit.
 *
 * Memory. A lock needs SHMZ_LOCK_ALIGN alignment, which shmz_aligned_alloc()
 * gives, and its memory must stay allocated and mapped, by the handle by which it
 * was locked, for as long as any thread has it or waits for it: a thread's locks
 * are linked with each other through themselves. So unlock all of them before
 * shmz_close() and before freeing their memory, of strict zones above all. A lock
 * may be mapped at different addresses in different processes. The processes that
 * use it must be in one PID namespace, and have the zone mapped for writing, to
 * read as well. At most 2000 locks at once are recovered from a thread that dies.
 *
 * Who scribbles over a lock breaks it: it may be had by several or by none, and
 * processes that have it may crash when they next lock or unlock. Functions that
 * see it return -EINVAL.
 *
 * Threads and fork. All functions may be called by any number of threads and
 * processes at once, but for the init and destroy functions, which must be the
 * first and the last use of a lock. Locks belong to threads: only the thread that
 * locked unlocks, and the child of a fork(2) has none of its parent's locks. Not
 * to be called by signal handlers. Signals do not end a wait. No cancellation.
 *
 * Results. 0 or a negative errno value; errno itself may change. Time limits are
 * in nanoseconds from now, of CLOCK_MONOTONIC; SHMZ_FOREVER is none.
 */
#ifndef SHMZONE_LOCK_H
#define SHMZONE_LOCK_H

#include <shmzone.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define SHMZ_MUST_CHECK	__attribute__((warn_unused_result))

#define SHMZ_LOCK_ALIGN		64
#define SHMZ_LOCK_LOOK_NS	50000000ULL
#define SHMZ_COND_LOOK_NS	500000000ULL

/*
 * Mutex
 */

struct shmz_mutex {
	uint64_t opaque[8];
} __attribute__((aligned(SHMZ_LOCK_ALIGN)));

/*
 * Make the memory at @m, whatever is in it, an unlocked mutex. Before others know
 * of it: the init function of shmz_root_init() is a good place.
 *
 * Returns 0, or -EINVAL if @m is not aligned.
 */
SHMZ_MUST_CHECK int shmz_mutex_init(struct shmz_mutex *m);

/*
 * Lock. shmz_mutex_timedlock() waits @timeout_ns at most; with 0 it is
 * shmz_mutex_trylock(), which does not wait.
 *
 * With the lock, return 0 or -EOWNERDEAD. Without: -EBUSY (trylock: another
 * thread has it), -ETIMEDOUT, -EDEADLK (this thread has it), -ENOTRECOVERABLE,
 * -EINVAL (no mutex).
 */
SHMZ_MUST_CHECK int shmz_mutex_lock(struct shmz_mutex *m);
SHMZ_MUST_CHECK int shmz_mutex_trylock(struct shmz_mutex *m);
SHMZ_MUST_CHECK int shmz_mutex_timedlock(struct shmz_mutex *m, uint64_t timeout_ns);

/* Unlock. Returns 0, -EPERM (this thread does not have it) or -EINVAL. */
int shmz_mutex_unlock(struct shmz_mutex *m);

/*
 * After -EOWNERDEAD, by the thread that has the lock: the data is in order.
 *
 * Returns 0, or -EINVAL if it was not told -EOWNERDEAD or has not the lock.
 */
int shmz_mutex_consistent(struct shmz_mutex *m);

/*
 * Make it no mutex any more; its memory can be freed then. Also what cannot be
 * recovered can be destroyed, and be made a mutex anew.
 *
 * Returns 0, -EBUSY (a thread has it) or -EINVAL.
 */
int shmz_mutex_destroy(struct shmz_mutex *m);

/*
 * Reader-writer lock
 *
 * Any number of threads have it for reading, up to the one it was made for, or
 * one has it for writing. Who wants to write goes before those who want to read.
 * Reading takes one of the lock's slots, which are a cache line each, so readers
 * do not disturb one another; writing looks at all slots.
 */

/* Followed by the slots. */
struct shmz_rwlock {
	uint64_t opaque[16];
} __attribute__((aligned(SHMZ_LOCK_ALIGN)));

#define SHMZ_RWLOCK_READERS_MAX		1024

/* The size in bytes of a lock for up to @readers readers at once. */
#define SHMZ_RWLOCK_BYTES(readers)					\
	(sizeof(struct shmz_rwlock) + 64 * (size_t)(readers))

/*
 * Make the SHMZ_RWLOCK_BYTES(readers) at @rw an unlocked lock for @readers, 1 to
 * SHMZ_RWLOCK_READERS_MAX, that read at once; more of them wait for each other.
 *
 * Returns 0, or -EINVAL (bad number; @rw is not aligned).
 */
SHMZ_MUST_CHECK
int shmz_rwlock_init(struct shmz_rwlock *rw, unsigned int readers);

/*
 * Lock for reading, or for writing. The calls with a time limit wait @timeout_ns
 * at most; with 0 they are the try calls, which do not wait. A thread must not
 * lock what it has; it is told -EDEADLK only where that is seen.
 *
 * With the lock, return 0; or -EOWNERDEAD if a writer died, and then the lock is
 * had for writing, whatever was asked for. Without: -EBUSY (the try calls),
 * -ETIMEDOUT, -EDEADLK, -ENOTRECOVERABLE, -EINVAL (no such lock).
 */
SHMZ_MUST_CHECK int shmz_rwlock_rdlock(struct shmz_rwlock *rw);
SHMZ_MUST_CHECK int shmz_rwlock_tryrdlock(struct shmz_rwlock *rw);
SHMZ_MUST_CHECK
int shmz_rwlock_timedrdlock(struct shmz_rwlock *rw, uint64_t timeout_ns);

SHMZ_MUST_CHECK int shmz_rwlock_wrlock(struct shmz_rwlock *rw);
SHMZ_MUST_CHECK int shmz_rwlock_trywrlock(struct shmz_rwlock *rw);
SHMZ_MUST_CHECK
int shmz_rwlock_timedwrlock(struct shmz_rwlock *rw, uint64_t timeout_ns);

/* As those of the mutex. After shmz_rwlock_consistent() it is a writer's lock. */
int shmz_rwlock_unlock(struct shmz_rwlock *rw);
int shmz_rwlock_consistent(struct shmz_rwlock *rw);
int shmz_rwlock_destroy(struct shmz_rwlock *rw);

/*
 * Condition
 *
 * Threads that have a mutex wait for others to change something. As with any
 * condition, a wait may end without a signal, and does at least every
 * SHMZ_COND_LOOK_NS: wait in a loop that looks at the data. So nobody hangs even
 * if who changed the data was killed before its signal, or who got the signal
 * before it did anything about it.
 */

struct shmz_cond {
	uint64_t opaque[8];
} __attribute__((aligned(SHMZ_LOCK_ALIGN)));

/* As shmz_mutex_init(). */
SHMZ_MUST_CHECK int shmz_cond_init(struct shmz_cond *c);

/*
 * Unlock @m, which this thread has, wait for a signal, @timeout_ns at most, and
 * lock @m again, however long that takes. No signal is missed that is sent by
 * one who locked @m after it was unlocked here. After -EOWNERDEAD from @m, say
 * that it is consistent before waiting: the wait unlocks it.
 *
 * With the mutex, return 0, -ETIMEDOUT, or -EOWNERDEAD, as of
 * shmz_mutex_lock(). Without: -ENOTRECOVERABLE, -EPERM (this thread does not have
 * @m), -EINVAL (no condition or no mutex; @m is left as it is).
 */
SHMZ_MUST_CHECK int shmz_cond_wait(struct shmz_cond *c, struct shmz_mutex *m);
SHMZ_MUST_CHECK int shmz_cond_timedwait(struct shmz_cond *c, struct shmz_mutex *m,
					uint64_t timeout_ns);

/*
 * Wake one of those who wait, or all. With or without the mutex: with it, a
 * death between the change and the signal is -EOWNERDEAD to the next.
 *
 * Return 0 or -EINVAL.
 */
int shmz_cond_signal(struct shmz_cond *c);
int shmz_cond_broadcast(struct shmz_cond *c);

/* Nobody must wait, and nobody wake, any more. Returns 0 or -EINVAL. */
int shmz_cond_destroy(struct shmz_cond *c);

#undef SHMZ_MUST_CHECK

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* SHMZONE_LOCK_H */
