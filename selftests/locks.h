/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Data under locks, for programs that kill who uses it.
 *
 * The data under each lock is a pair of numbers, which are equal but while it is
 * written. So one number tells: a pair that is not equal was left by a death, and
 * whoever finds it must have been told; if not, a lock was had by two. Whoever
 * does not get a lock in time has met a hang. What went wrong first is kept.
 */
#ifndef SHMZONE_SELFTESTS_LOCKS_H
#define SHMZONE_SELFTESTS_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include <shmzone_lock.h>

#define MS		1000000ULL
#define PEERS		2
#define READERS		4

struct pair {
	volatile uint64_t a;
	volatile uint64_t b;
};

struct under_locks {
	struct shmz_mutex mutex;
	struct shmz_cond cond;
	union {
		struct shmz_rwlock rwlock;
		char bytes[SHMZ_RWLOCK_BYTES(READERS)];
	};
	struct pair under_mutex;
	struct pair under_rwlock;
	uint64_t limit_ns;
	/* The same for the tracer, after a kill. */
	uint64_t dead_ns;
	/* What peers did since the last kill. */
	_Atomic uint64_t beats[PEERS];
	_Atomic int stop;
	/* What went wrong first. */
	const char *_Atomic wrong;
	/* How often who got a lock was told, and found data torn. */
	_Atomic uint64_t told;
	_Atomic uint64_t torn;
	/* How often the tracer was not told. */
	uint64_t untold;
	/* What a child that is stepped has come to. */
	volatile int step;
};

/* In memory shared with children, the locks made; NULL if that fails. */
struct under_locks *make_under_locks(uint64_t limit_ns);

void goes_wrong(struct under_locks *shared, const char *what);
/* That @ret is 0. */
void check(struct under_locks *shared, int ret, const char *what);

/* Loops in the middle of reading and writing, so that more happens there. */
extern int dwell_loops;

void write_pair(struct pair *pair);

/*
 * With a lock, as @ret tells: the data is in order, or it was told that it may
 * not be. False, and wrong, if the lock is not had.
 */
bool look_after(struct under_locks *shared, struct pair *pair, int ret);

/* Lock within the limit, look after the data, and unlock. */
void use_mutex(struct under_locks *shared);
void use_rwlock(struct under_locks *shared, bool write);
/* With a wait in between. */
void use_cond(struct under_locks *shared, uint64_t timeout_ns);

#endif /* SHMZONE_SELFTESTS_LOCKS_H */
