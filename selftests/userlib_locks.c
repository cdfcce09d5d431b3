// SPDX-License-Identifier: GPL-2.0
/*
 * The library's locks: what each call returns, and to whom it is told that one
 * died. In a zone, and in memory of any kind: they need no module.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <linux/futex.h>

#include "kselftest_harness.h"
#include "utils.h"

#include <shmzone_lock.h>

#define MS		1000000ULL
#define READERS		3

struct shared {
	struct shmz_mutex mutex;
	struct shmz_cond cond;
	union {
		struct shmz_rwlock rwlock;
		char bytes[SHMZ_RWLOCK_BYTES(READERS)];
	};
	_Atomic int value;
	_Atomic int ready;
};

FIXTURE(locks) {
	struct shared *shared;
	struct shmz *zone;
	const char *name;
	int memory;
};

FIXTURE_VARIANT(locks) {
	bool in_zone;
};

FIXTURE_VARIANT_ADD(locks, memory) {
	.in_zone = false,
};

FIXTURE_VARIANT_ADD(locks, zone) {
	.in_zone = true,
};

static struct shared *map_memory(int memory)
{
	return mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
}

FIXTURE_SETUP(locks)
{
	if (variant->in_zone) {
		if (access("/dev/shmzone", F_OK))
			SKIP(return, "no /dev/shmzone");
		self->name = fresh_name();
		self->zone = shmz_create(self->name, MIB, NULL);
		ASSERT_NE(NULL, self->zone);
		self->shared = shmz_aligned_alloc(self->zone, SHMZ_LOCK_ALIGN,
						  sizeof(*self->shared));
		ASSERT_NE(NULL, self->shared);
		ASSERT_EQ(0, shmz_root_set(self->zone, "shared", self->shared));
	} else {
		self->memory = memfd_create("locks", MFD_CLOEXEC);
		ASSERT_EQ(0, ftruncate(self->memory, sizeof(*self->shared)));
		self->shared = map_memory(self->memory);
		ASSERT_NE(MAP_FAILED, self->shared);
	}
	memset((void *)self->shared, 0xa5, sizeof(*self->shared));
	self->shared->value = 0;
	self->shared->ready = 0;
	ASSERT_EQ(0, shmz_mutex_init(&self->shared->mutex));
	ASSERT_EQ(0, shmz_cond_init(&self->shared->cond));
	ASSERT_EQ(0, shmz_rwlock_init(&self->shared->rwlock, READERS));
}

FIXTURE_TEARDOWN(locks)
{
	shmz_close(self->zone);
}

static struct shmz_mutex *mutex_of(void *arg)
{
	return &((struct shared *)arg)->mutex;
}

static struct shmz_rwlock *rwlock_of(void *arg)
{
	return &((struct shared *)arg)->rwlock;
}

/* Killed, if @ret says that it has the lock. */
static int dies(int ret)
{
	if (!ret)
		kill(getpid(), SIGKILL);
	return 1;
}

static int dies_with_mutex(void *arg)
{
	return dies(shmz_mutex_lock(mutex_of(arg)));
}

static int dies_trying(void *arg)
{
	return dies(shmz_mutex_trylock(mutex_of(arg)));
}

static int dies_reading(void *arg)
{
	return dies(shmz_rwlock_rdlock(rwlock_of(arg)));
}

static int dies_writing(void *arg)
{
	return dies(shmz_rwlock_wrlock(rwlock_of(arg)));
}

/* A child's result: what the library returned, as a positive number. */

static int try_mutex(void *arg)
{
	return -shmz_mutex_trylock(mutex_of(arg));
}

static int unlock_mutex(void *arg)
{
	return -shmz_mutex_unlock(mutex_of(arg));
}

static int mutex_is_consistent(void *arg)
{
	return -shmz_mutex_consistent(mutex_of(arg));
}

static int destroy_mutex(void *arg)
{
	return -shmz_mutex_destroy(mutex_of(arg));
}

static int try_reading(void *arg)
{
	return -shmz_rwlock_tryrdlock(rwlock_of(arg));
}

static int try_writing(void *arg)
{
	return -shmz_rwlock_trywrlock(rwlock_of(arg));
}

static int unlock_rwlock(void *arg)
{
	return -shmz_rwlock_unlock(rwlock_of(arg));
}

static int rwlock_is_consistent(void *arg)
{
	return -shmz_rwlock_consistent(rwlock_of(arg));
}

static int destroy_rwlock(void *arg)
{
	return -shmz_rwlock_destroy(rwlock_of(arg));
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 * MS + time.tv_nsec;
}

/* What glibc is about to get or to give; nothing, once it has. */
static void *pending(void)
{
	struct robust_list_head *head;
	size_t size;

	if (syscall(SYS_get_robust_list, 0, &head, &size))
		return (void *)-1;
	return head->list_op_pending;
}

TEST_F(locks, mutex_results)
{
	struct shmz_mutex *m = &self->shared->mutex;

	ASSERT_EQ(0, shmz_mutex_lock(m));
	ASSERT_EQ(-EDEADLK, shmz_mutex_lock(m));
	ASSERT_EQ(-EDEADLK, shmz_mutex_trylock(m));
	ASSERT_EQ(-EDEADLK, shmz_mutex_timedlock(m, MS));
	ASSERT_EQ(EBUSY, in_child(try_mutex, self->shared));
	ASSERT_EQ(EPERM, in_child(unlock_mutex, self->shared));
	ASSERT_EQ(EBUSY, in_child(destroy_mutex, self->shared));
	ASSERT_EQ(-EBUSY, shmz_mutex_destroy(m));
	ASSERT_EQ(-EINVAL, shmz_mutex_consistent(m));
	ASSERT_EQ(0, shmz_mutex_unlock(m));
	ASSERT_EQ(-EPERM, shmz_mutex_unlock(m));
	ASSERT_EQ(0, shmz_mutex_trylock(m));
	ASSERT_EQ(0, shmz_mutex_unlock(m));
	ASSERT_EQ(0, shmz_mutex_timedlock(m, 0));
	ASSERT_EQ(0, shmz_mutex_unlock(m));
	ASSERT_EQ(0, shmz_mutex_timedlock(m, SHMZ_FOREVER));
	ASSERT_EQ(0, shmz_mutex_unlock(m));
	ASSERT_EQ(0, shmz_mutex_destroy(m));
	ASSERT_EQ(-EINVAL, shmz_mutex_destroy(m));
	ASSERT_EQ(-EINVAL, shmz_mutex_lock(m));
	ASSERT_EQ(-EINVAL, shmz_mutex_unlock(m));
	ASSERT_EQ(-EINVAL, shmz_mutex_consistent(m));
	ASSERT_EQ(-EINVAL, shmz_mutex_init((void *)m + 8));
	ASSERT_EQ(NULL, pending());
}

static int waits_for_mutex(void *arg)
{
	struct shared *shared = arg;
	uint64_t start = now();

	if (shmz_mutex_timedlock(&shared->mutex, 0) != -EBUSY)
		return 1;
	if (shmz_mutex_timedlock(&shared->mutex, 70 * MS) != -ETIMEDOUT)
		return 2;
	/* Longer than one look, no longer than told, and nothing is left behind. */
	if (now() - start < 70 * MS)
		return 3;
	return pending() ? 4 : 0;
}

static int waits_to_write(void *arg)
{
	struct shared *shared = arg;
	uint64_t start = now();

	if (shmz_rwlock_timedwrlock(&shared->rwlock, 0) != -EBUSY)
		return 1;
	if (shmz_rwlock_timedwrlock(&shared->rwlock, 70 * MS) != -ETIMEDOUT)
		return 2;
	if (now() - start < 70 * MS)
		return 3;
	return pending() ? 4 : 0;
}

static int waits_to_read(void *arg)
{
	struct shared *shared = arg;
	uint64_t start = now();

	if (shmz_rwlock_timedrdlock(&shared->rwlock, 0) != -EBUSY)
		return 1;
	if (shmz_rwlock_timedrdlock(&shared->rwlock, 70 * MS) != -ETIMEDOUT)
		return 2;
	if (now() - start < 70 * MS)
		return 3;
	return pending() ? 4 : 0;
}

TEST_F(locks, waiting_ends)
{
	struct shared *shared = self->shared;

	ASSERT_EQ(0, shmz_mutex_lock(&shared->mutex));
	ASSERT_EQ(0, in_child(waits_for_mutex, shared));
	ASSERT_EQ(0, shmz_mutex_unlock(&shared->mutex));

	ASSERT_EQ(0, shmz_rwlock_wrlock(&shared->rwlock));
	ASSERT_EQ(0, in_child(waits_to_write, shared));
	ASSERT_EQ(0, in_child(waits_to_read, shared));
	ASSERT_EQ(0, shmz_rwlock_unlock(&shared->rwlock));

	ASSERT_EQ(0, shmz_rwlock_rdlock(&shared->rwlock));
	ASSERT_EQ(0, in_child(waits_to_write, shared));
	/* Who gave up writing does not keep readers out. */
	ASSERT_EQ(0, in_child(try_reading, shared));
	ASSERT_EQ(0, shmz_rwlock_unlock(&shared->rwlock));
	ASSERT_EQ(0, in_child(try_writing, shared));
}

TEST_F(locks, mutex_whose_owner_dies)
{
	struct shmz_mutex *m = &self->shared->mutex;

	ASSERT_EQ(-SIGKILL, in_child(dies_with_mutex, self->shared));
	ASSERT_EQ(-EOWNERDEAD, shmz_mutex_lock(m));
	ASSERT_EQ(EINVAL, in_child(mutex_is_consistent, self->shared));
	ASSERT_EQ(EPERM, in_child(unlock_mutex, self->shared));
	ASSERT_EQ(0, shmz_mutex_consistent(m));
	ASSERT_EQ(-EINVAL, shmz_mutex_consistent(m));
	ASSERT_EQ(0, shmz_mutex_unlock(m));
	ASSERT_EQ(0, shmz_mutex_lock(m));
	ASSERT_EQ(0, shmz_mutex_unlock(m));

	/* Told again if that one dies too. */
	ASSERT_EQ(-SIGKILL, in_child(dies_trying, self->shared));
	ASSERT_EQ(EOWNERDEAD, in_child(try_mutex, self->shared));
	ASSERT_EQ(-EOWNERDEAD, shmz_mutex_timedlock(m, MS));
	ASSERT_EQ(0, shmz_mutex_unlock(m));
	ASSERT_EQ(-ENOTRECOVERABLE, shmz_mutex_lock(m));
	ASSERT_EQ(ENOTRECOVERABLE, in_child(try_mutex, self->shared));
	ASSERT_EQ(-ENOTRECOVERABLE, shmz_mutex_timedlock(m, SHMZ_FOREVER));
	ASSERT_EQ(-EPERM, shmz_mutex_unlock(m));
	ASSERT_EQ(-EINVAL, shmz_mutex_consistent(m));
	ASSERT_EQ(0, shmz_mutex_destroy(m));
	ASSERT_EQ(0, shmz_mutex_init(m));
	ASSERT_EQ(0, shmz_mutex_lock(m));
	ASSERT_EQ(0, shmz_mutex_unlock(m));
}

static int unlocks_a_dead_ones(void *arg)
{
	struct shared *shared = arg;

	return shmz_mutex_unlock(&shared->mutex) == -EPERM &&
	       shmz_rwlock_unlock(&shared->rwlock) == -EPERM &&
	       shmz_mutex_consistent(&shared->mutex) == -EINVAL &&
	       shmz_rwlock_consistent(&shared->rwlock) == -EINVAL ? 0 : 1;
}

TEST_F(locks, death_is_told_whoever_meddles)
{
	ASSERT_EQ(-SIGKILL, in_child(dies_with_mutex, self->shared));
	ASSERT_EQ(-SIGKILL, in_child(dies_writing, self->shared));
	ASSERT_EQ(0, in_child(unlocks_a_dead_ones, self->shared));
	ASSERT_EQ(EOWNERDEAD, in_child(try_mutex, self->shared));
	ASSERT_EQ(EOWNERDEAD, in_child(try_writing, self->shared));
	ASSERT_EQ(0, in_child(unlocks_a_dead_ones, self->shared));
	ASSERT_EQ(-EOWNERDEAD, shmz_mutex_lock(&self->shared->mutex));
	ASSERT_EQ(-EOWNERDEAD, shmz_rwlock_wrlock(&self->shared->rwlock));
}

static void *thread_with_mutex(void *arg)
{
	return (void *)(long)shmz_mutex_lock(arg);
}

TEST_F(locks, thread_that_ends)
{
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_with_mutex, &self->shared->mutex));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	ASSERT_EQ(NULL, ret);
	ASSERT_EQ(-EOWNERDEAD, shmz_mutex_lock(&self->shared->mutex));
}

static int execs_with_mutex(void *arg)
{
	if (shmz_mutex_lock(arg))
		return 1;
	execl("/bin/true", "true", NULL);
	return 2;
}

TEST_F(locks, process_that_execs)
{
	ASSERT_EQ(0, in_child(execs_with_mutex, &self->shared->mutex));
	ASSERT_EQ(-EOWNERDEAD, shmz_mutex_lock(&self->shared->mutex));
}

TEST_F(locks, rwlock_results)
{
	struct shmz_rwlock *rw = &self->shared->rwlock;

	ASSERT_EQ(0, shmz_rwlock_rdlock(rw));
	ASSERT_EQ(-EDEADLK, shmz_rwlock_rdlock(rw));
	ASSERT_EQ(-EDEADLK, shmz_rwlock_wrlock(rw));
	ASSERT_EQ(0, in_child(try_reading, self->shared));
	ASSERT_EQ(EBUSY, in_child(try_writing, self->shared));
	ASSERT_EQ(EPERM, in_child(unlock_rwlock, self->shared));
	ASSERT_EQ(EBUSY, in_child(destroy_rwlock, self->shared));
	ASSERT_EQ(-EINVAL, shmz_rwlock_consistent(rw));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));
	ASSERT_EQ(-EPERM, shmz_rwlock_unlock(rw));

	ASSERT_EQ(0, shmz_rwlock_wrlock(rw));
	ASSERT_EQ(-EDEADLK, shmz_rwlock_wrlock(rw));
	ASSERT_EQ(-EDEADLK, shmz_rwlock_rdlock(rw));
	ASSERT_EQ(EBUSY, in_child(try_reading, self->shared));
	ASSERT_EQ(EBUSY, in_child(try_writing, self->shared));
	ASSERT_EQ(EPERM, in_child(unlock_rwlock, self->shared));
	ASSERT_EQ(-EBUSY, shmz_rwlock_destroy(rw));
	ASSERT_EQ(-EINVAL, shmz_rwlock_consistent(rw));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));
	ASSERT_EQ(0, shmz_rwlock_tryrdlock(rw));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));
	ASSERT_EQ(0, shmz_rwlock_timedwrlock(rw, SHMZ_FOREVER));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));

	ASSERT_EQ(0, shmz_rwlock_destroy(rw));
	ASSERT_EQ(-EINVAL, shmz_rwlock_destroy(rw));
	ASSERT_EQ(-EINVAL, shmz_rwlock_rdlock(rw));
	ASSERT_EQ(-EINVAL, shmz_rwlock_wrlock(rw));
	ASSERT_EQ(-EINVAL, shmz_rwlock_unlock(rw));
	ASSERT_EQ(-EINVAL, shmz_rwlock_init(rw, 0));
	ASSERT_EQ(-EINVAL, shmz_rwlock_init(rw, SHMZ_RWLOCK_READERS_MAX + 1));
	ASSERT_EQ(-EINVAL, shmz_rwlock_init((void *)rw + 8, READERS));
	ASSERT_EQ(NULL, pending());
}

TEST_F(locks, writer_that_dies)
{
	struct shmz_rwlock *rw = &self->shared->rwlock;

	ASSERT_EQ(-SIGKILL, in_child(dies_writing, self->shared));
	ASSERT_EQ(-EOWNERDEAD, shmz_rwlock_wrlock(rw));
	ASSERT_EQ(EINVAL, in_child(rwlock_is_consistent, self->shared));
	ASSERT_EQ(0, shmz_rwlock_consistent(rw));
	ASSERT_EQ(-EINVAL, shmz_rwlock_consistent(rw));
	ASSERT_EQ(EBUSY, in_child(try_reading, self->shared));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));
	ASSERT_EQ(0, shmz_rwlock_rdlock(rw));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));

	/* A reader that is told has it alone. */
	ASSERT_EQ(-SIGKILL, in_child(dies_writing, self->shared));
	ASSERT_EQ(EOWNERDEAD, in_child(try_reading, self->shared));
	ASSERT_EQ(-EOWNERDEAD, shmz_rwlock_rdlock(rw));
	ASSERT_EQ(EBUSY, in_child(try_reading, self->shared));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));
	ASSERT_EQ(-ENOTRECOVERABLE, shmz_rwlock_rdlock(rw));
	ASSERT_EQ(ENOTRECOVERABLE, in_child(try_reading, self->shared));
	ASSERT_EQ(ENOTRECOVERABLE, in_child(try_writing, self->shared));
	ASSERT_EQ(-EINVAL, shmz_rwlock_consistent(rw));
	ASSERT_EQ(0, shmz_rwlock_destroy(rw));
}

TEST_F(locks, readers_that_die)
{
	struct shmz_rwlock *rw = &self->shared->rwlock;
	int i;

	/* More than there are slots, so that these are had once more. */
	for (i = 0; i < 3 * READERS; i++)
		ASSERT_EQ(-SIGKILL, in_child(dies_reading, self->shared));
	ASSERT_EQ(0, shmz_rwlock_trywrlock(rw));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));
	for (i = 0; i < 3 * READERS; i++)
		ASSERT_EQ(-SIGKILL, in_child(dies_reading, self->shared));
	ASSERT_EQ(0, shmz_rwlock_tryrdlock(rw));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));
}

static int reads_a_while(void *arg)
{
	struct shared *shared = arg;

	if (shmz_rwlock_rdlock(&shared->rwlock))
		return 1;
	shared->ready++;
	while (shared->value == 0)
		usleep(1000);
	return shmz_rwlock_unlock(&shared->rwlock) ? 2 : 0;
}

TEST_F(locks, as_many_readers_as_slots)
{
	pid_t children[READERS];
	int i;

	for (i = 0; i < READERS; i++)
		children[i] = start_child(reads_a_while, self->shared);
	while (self->shared->ready < READERS)
		usleep(1000);
	ASSERT_EQ(-EBUSY, shmz_rwlock_tryrdlock(&self->shared->rwlock));
	ASSERT_EQ(-ETIMEDOUT, shmz_rwlock_timedrdlock(&self->shared->rwlock, 60 * MS));
	ASSERT_EQ(NULL, pending());
	ASSERT_EQ(-EBUSY, shmz_rwlock_trywrlock(&self->shared->rwlock));
	/* It is had as soon as one leaves, or dies. */
	kill(children[1], SIGKILL);
	ASSERT_EQ(0, shmz_rwlock_timedrdlock(&self->shared->rwlock, 10000 * MS));
	self->shared->value = 1;
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(i == 1 ? -SIGKILL : 0, end_child(children[i]));
	ASSERT_EQ(0, shmz_rwlock_unlock(&self->shared->rwlock));
	ASSERT_EQ(0, shmz_rwlock_trywrlock(&self->shared->rwlock));
}

static int dies_waiting_to_write(void *arg)
{
	struct shared *shared = arg;

	return -shmz_rwlock_wrlock(&shared->rwlock);
}

TEST_F(locks, writer_that_dies_waiting)
{
	struct shmz_rwlock *rw = &self->shared->rwlock;
	pid_t child;

	ASSERT_EQ(0, shmz_rwlock_rdlock(rw));
	child = start_child(dies_waiting_to_write, self->shared);
	ASSERT_TRUE(falls_asleep(child));
	ASSERT_EQ(EBUSY, in_child(try_reading, self->shared));
	kill(child, SIGKILL);
	ASSERT_EQ(-SIGKILL, end_child(child));
	/* Told, but not had while another one reads; and told again. */
	ASSERT_EQ(EBUSY, in_child(try_reading, self->shared));
	ASSERT_EQ(EBUSY, in_child(try_writing, self->shared));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));
	ASSERT_EQ(-EOWNERDEAD, shmz_rwlock_rdlock(rw));
	ASSERT_EQ(0, shmz_rwlock_consistent(rw));
	ASSERT_EQ(0, shmz_rwlock_unlock(rw));
	ASSERT_EQ(0, in_child(try_reading, self->shared));
}

TEST_F(locks, what_is_scribbled_over)
{
	struct shared *shared = self->shared;
	unsigned char byte = 0;

	/* What is no lock is told so; nothing else is promised. */
	do {
		memset((void *)shared, byte, sizeof(*shared));
		ASSERT_EQ(-EINVAL, shmz_mutex_lock(&shared->mutex));
		ASSERT_EQ(-EINVAL, shmz_mutex_unlock(&shared->mutex));
		ASSERT_EQ(-EINVAL, shmz_rwlock_rdlock(&shared->rwlock));
		ASSERT_EQ(-EINVAL, shmz_rwlock_unlock(&shared->rwlock));
		ASSERT_EQ(-EINVAL, shmz_cond_wait(&shared->cond, &shared->mutex));
	} while (++byte);
}

/* At another address than in the parent, and dead with all of them. */
static int locks_elsewhere(void *arg)
{
	FIXTURE_DATA(locks) *self = arg;
	struct shared *shared;

	if (self->zone) {
		struct shmz *zone = shmz_open(self->name, 0);

		shared = zone ? shmz_root_get(zone, "shared") : NULL;
	} else {
		shared = map_memory(self->memory);
	}
	if (!shared || shared == MAP_FAILED || shared == self->shared)
		return 1;
	if (shmz_mutex_lock(&shared->mutex) || shmz_rwlock_wrlock(&shared->rwlock))
		return 2;
	kill(getpid(), SIGKILL);
	return 3;
}

TEST_F(locks, mapped_elsewhere)
{
	ASSERT_EQ(-SIGKILL, in_child(locks_elsewhere, self));
	ASSERT_EQ(-EOWNERDEAD, shmz_mutex_lock(&self->shared->mutex));
	ASSERT_EQ(-EOWNERDEAD, shmz_rwlock_rdlock(&self->shared->rwlock));
}

TEST_HARNESS_MAIN
