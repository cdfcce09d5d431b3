// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The reader-writer lock: a table of robust mutexes.
 *
 * A reader has one *slot*, any of the table's. A writer has the mutex "writer",
 * has said so in the state, and has then seen each slot free. That the kernel
 * marks both kinds of mutexes when their owner dies is all of the recovery.
 *
 * State, written by the owner of "writer" alone:
 *
 *	IDLE		nobody writes
 *	WRITING		the owner does, or waits for readers to leave
 *	REPAIRING	the same, but another one died WRITING or REPAIRING since the
 *			data was last in order, and its owner, if any, was told
 *	GONE		unlocked while REPAIRING
 *
 * Invariants:
 *
 *  1. Who has a slot and, after that, saw IDLE reads; whoever saw another state
 *     gives the slot back and touches no data. The owner of "writer" can take a
 *     slot without looking if it left the state IDLE.
 *  2. A slot in use by a reader is marked "used" before it looks at the state. The
 *     mark stays; only a writer takes it away, while it has the slot. Of the two,
 *     reader and writer, each stores first and loads then, all sequentially
 *     consistent: one of them sees the other. So a writer need only wait for slots
 *     that were used since the last writer.
 *  3. The state is IDLE whenever "writer" has no owner, unless one died or gave up
 *     while REPAIRING, or it is GONE. So who gets "writer" tells by the state
 *     whether the data may be torn, whatever became of the mutex.
 *
 * A kill, and what the next one sees:
 *
 *	reader, anywhere		a slot whose owner died: as good as free
 *	writer, state not yet WRITING	IDLE: nothing was written, nobody is told
 *	writer, WRITING or REPAIRING	that state: readers go behind "writer", which
 *					the kernel hands to one of them: EOWNERDEAD
 *	writer, IDLE again, or GONE	that: it had ended
 *	reader behind "writer"		IDLE: as a writer that had not begun
 *
 * A reader told EOWNERDEAD goes on as a writer does. No two mutexes are waited for
 * in a cycle: "writer" first, then slots, and who waits for a slot without
 * "writer" has none.
 */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "robust.h"

enum {
	IDLE = 0,
	WRITING,
	REPAIRING,
	GONE,
};

struct slot {
	_Atomic uint32_t used;
	pthread_mutex_t robust;
} __attribute__((aligned(64)));

struct rwlock {
	_Atomic uint32_t magic;
	uint32_t slots;
	_Atomic uint32_t state;
	/* The mutex is away from what every reader looks at. */
	uint32_t reserved[13];
	pthread_mutex_t writer;
	struct slot slot[];
};

static_assert(sizeof(struct slot) == 64, "part of the ABI");
static_assert(sizeof(struct rwlock) == sizeof(struct shmz_rwlock), "part of the ABI");
static_assert(sizeof(struct shmz_rwlock) == 128, "part of the ABI");
static_assert(offsetof(struct rwlock, slot) == sizeof(struct shmz_rwlock), "slots follow");

/*
 * The slot this thread found free last, in whichever lock: there it looks first.
 * Processes that were forked alike part as soon as they meet.
 */
static __thread unsigned int hint;

int shmz_rwlock_init(struct shmz_rwlock *rw, unsigned int readers)
{
	struct rwlock *lock = (struct rwlock *)rw;
	unsigned int i;

	if (!lock_is_aligned(rw) || readers == 0 || readers > SHMZ_RWLOCK_READERS_MAX)
		return -EINVAL;
	memset((void *)rw, 0, SHMZ_RWLOCK_BYTES(readers));
	robust_init(&lock->writer);
	for (i = 0; i < readers; i++)
		robust_init(&lock->slot[i].robust);
	lock->slots = readers;
	lock->magic = RWLOCK_MAGIC;
	return 0;
}

/* How many slots there are; 0 if this is no lock. */
static unsigned int slots_of(const struct rwlock *lock)
{
	unsigned int n = *(const volatile uint32_t *)&lock->slots;

	return lock->magic == RWLOCK_MAGIC && n <= SHMZ_RWLOCK_READERS_MAX ? n : 0;
}

static bool has_it(int ret)
{
	return ret == 0 || ret == -EOWNERDEAD;
}

/* A slot that is free now, or -EBUSY. */
static int find_slot(struct rwlock *lock, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		unsigned int at = (hint + i) % n;
		int ret = robust_lock(&lock->slot[at].robust, AT_ONCE);

		if (has_it(ret))
			hint = at;
		if (has_it(ret) || ret == -EDEADLK)
			return ret;
	}
	return -EBUSY;
}

/* A slot: if none is free, that of the hint when it is, looking at all at times. */
static int take_slot(struct rwlock *lock, unsigned int n, uint64_t deadline)
{
	int ret = find_slot(lock, n);

	while (ret == -EBUSY && deadline != AT_ONCE) {
		uint64_t now = time_now();
		uint64_t look = now + SHMZ_LOCK_LOOK_NS;

		if (now >= deadline)
			return -ETIMEDOUT;
		hint %= n;
		ret = robust_lock(&lock->slot[hint].robust, look < deadline ? look : deadline);
		if (ret == -ETIMEDOUT)
			ret = find_slot(lock, n);
	}
	if (!has_it(ret))
		return ret;
	if (!lock->slot[hint].used)
		lock->slot[hint].used = 1;
	return 0;
}

/* Wait for all who read, and for those who are about to see that they must not. */
static int wait_for_readers(struct rwlock *lock, unsigned int n, uint64_t deadline)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct slot *slot = &lock->slot[i];
		int ret;

		if (!slot->used)
			continue;
		ret = robust_lock(&slot->robust, deadline);
		if (!has_it(ret))
			return ret;
		slot->used = 0;
		robust_unlock(&slot->robust);
	}
	return 0;
}

/* Own "writer": 0, -EOWNERDEAD if the data may be torn, or without it an error. */
static int own_writer(struct rwlock *lock, uint64_t deadline)
{
	int ret = robust_lock(&lock->writer, deadline);

	if (!has_it(ret))
		return ret;
	switch (lock->state) {
	case IDLE:
		return 0;
	case GONE:
		robust_unlock(&lock->writer);
		return -ENOTRECOVERABLE;
	default:
		return -EOWNERDEAD;
	}
}

/* The owner of "writer" becomes a writer, or owns it no longer; @told as above. */
static int begin_writing(struct rwlock *lock, unsigned int n, uint64_t deadline, int told)
{
	int ret;

	lock->state = told ? REPAIRING : WRITING;
	ret = wait_for_readers(lock, n, deadline);
	if (!ret)
		return told;
	/* The next one is to be told as well. */
	if (!told)
		lock->state = IDLE;
	robust_unlock(&lock->writer);
	return ret;
}

static int write_lock(struct shmz_rwlock *rw, uint64_t deadline)
{
	struct rwlock *lock = (struct rwlock *)rw;
	unsigned int n = slots_of(lock);
	int ret;

	if (!n)
		return -EINVAL;
	ret = own_writer(lock, deadline);
	return has_it(ret) ? begin_writing(lock, n, deadline, ret) : ret;
}

/* Somebody writes: get behind, and then in before the next writer can. */
static int read_lock_behind(struct rwlock *lock, unsigned int n, uint64_t deadline)
{
	int ret = own_writer(lock, deadline);

	if (ret == -EOWNERDEAD)
		return begin_writing(lock, n, deadline, ret);
	if (ret)
		return ret;
	ret = take_slot(lock, n, deadline);
	robust_unlock(&lock->writer);
	return ret;
}

static int read_lock(struct shmz_rwlock *rw, uint64_t deadline)
{
	struct rwlock *lock = (struct rwlock *)rw;
	unsigned int n = slots_of(lock);
	int ret;

	if (!n)
		return -EINVAL;
	if (lock->state == IDLE) {
		ret = take_slot(lock, n, deadline);
		if (ret || lock->state == IDLE)
			return ret;
		robust_unlock(&lock->slot[hint].robust);
	}
	return read_lock_behind(lock, n, deadline);
}

int shmz_rwlock_rdlock(struct shmz_rwlock *rw)
{
	return read_lock(rw, NEVER);
}

int shmz_rwlock_tryrdlock(struct shmz_rwlock *rw)
{
	return read_lock(rw, AT_ONCE);
}

int shmz_rwlock_timedrdlock(struct shmz_rwlock *rw, uint64_t timeout_ns)
{
	return read_lock(rw, deadline_after(timeout_ns));
}

int shmz_rwlock_wrlock(struct shmz_rwlock *rw)
{
	return write_lock(rw, NEVER);
}

int shmz_rwlock_trywrlock(struct shmz_rwlock *rw)
{
	return write_lock(rw, AT_ONCE);
}

int shmz_rwlock_timedwrlock(struct shmz_rwlock *rw, uint64_t timeout_ns)
{
	return write_lock(rw, deadline_after(timeout_ns));
}

/* Whether this thread writes. Readers ask too, but only while somebody writes. */
static bool is_writer(struct rwlock *lock)
{
	int ret;

	if (lock->state == IDLE)
		return false;
	ret = robust_lock(&lock->writer, AT_ONCE);
	/* A dead writer's: the state goes on telling of it. */
	if (has_it(ret))
		robust_unlock(&lock->writer);
	return ret == -EDEADLK;
}

int shmz_rwlock_unlock(struct shmz_rwlock *rw)
{
	struct rwlock *lock = (struct rwlock *)rw;
	unsigned int i, n = slots_of(lock);

	if (!n)
		return -EINVAL;
	if (is_writer(lock)) {
		lock->state = lock->state == WRITING ? IDLE : GONE;
		return robust_unlock(&lock->writer);
	}
	for (i = 0; i < n; i++)
		if (!robust_unlock(&lock->slot[(hint + i) % n].robust))
			return 0;
	return -EPERM;
}

int shmz_rwlock_consistent(struct shmz_rwlock *rw)
{
	struct rwlock *lock = (struct rwlock *)rw;

	if (!slots_of(lock) || lock->state != REPAIRING || !is_writer(lock))
		return -EINVAL;
	lock->state = WRITING;
	return 0;
}

int shmz_rwlock_destroy(struct shmz_rwlock *rw)
{
	struct rwlock *lock = (struct rwlock *)rw;
	unsigned int n = slots_of(lock);
	int ret;

	if (!n)
		return -EINVAL;
	ret = robust_lock(&lock->writer, AT_ONCE);
	if (has_it(ret)) {
		ret = wait_for_readers(lock, n, AT_ONCE);
		if (!ret)
			lock->magic = 0;
		robust_unlock(&lock->writer);
	}
	return ret == -EDEADLK ? -EBUSY : ret;
}
