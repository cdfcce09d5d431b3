// SPDX-License-Identifier: GPL-2.0
/*
 * The library's condition: what each call returns, that signals wake, and that
 * nobody waits for ever for one who died.
 */
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "kselftest_harness.h"
#include "utils.h"

#include <shmzone_lock.h>

#define MS		1000000ULL

struct shared {
	struct shmz_mutex mutex;
	struct shmz_cond cond;
	_Atomic int value;
	_Atomic int ready;
};

FIXTURE(cond) {
	struct shared *shared;
};

FIXTURE_SETUP(cond)
{
	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	ASSERT_EQ(0, shmz_mutex_init(&self->shared->mutex));
	ASSERT_EQ(0, shmz_cond_init(&self->shared->cond));
}

FIXTURE_TEARDOWN(cond)
{
	munmap(self->shared, sizeof(*self->shared));
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 * MS + time.tv_nsec;
}

static int try_mutex(void *arg)
{
	return -shmz_mutex_trylock(&((struct shared *)arg)->mutex);
}

static int dies_with_mutex(void *arg)
{
	if (shmz_mutex_lock(&((struct shared *)arg)->mutex))
		return 1;
	kill(getpid(), SIGKILL);
	return 2;
}

TEST_F(cond, results)
{
	struct shared *shared = self->shared;
	uint64_t start = now();

	ASSERT_EQ(-EPERM, shmz_cond_wait(&shared->cond, &shared->mutex));
	ASSERT_EQ(0, shmz_mutex_lock(&shared->mutex));
	ASSERT_EQ(-ETIMEDOUT, shmz_cond_timedwait(&shared->cond, &shared->mutex, 0));
	ASSERT_EQ(-ETIMEDOUT, shmz_cond_timedwait(&shared->cond, &shared->mutex, 20 * MS));
	ASSERT_LE(20 * MS, now() - start);
	ASSERT_EQ(EBUSY, in_child(try_mutex, shared));
	ASSERT_EQ(0, shmz_cond_signal(&shared->cond));
	ASSERT_EQ(0, shmz_cond_broadcast(&shared->cond));
	ASSERT_EQ(0, shmz_mutex_unlock(&shared->mutex));
	ASSERT_EQ(-EINVAL, shmz_cond_init((void *)&shared->cond + 8));
	ASSERT_EQ(0, shmz_cond_destroy(&shared->cond));
	ASSERT_EQ(-EINVAL, shmz_cond_destroy(&shared->cond));
	ASSERT_EQ(-EINVAL, shmz_cond_signal(&shared->cond));
	ASSERT_EQ(-EINVAL, shmz_cond_broadcast(&shared->cond));
	ASSERT_EQ(0, shmz_mutex_lock(&shared->mutex));
	ASSERT_EQ(-EINVAL, shmz_cond_wait(&shared->cond, &shared->mutex));
	ASSERT_EQ(0, shmz_mutex_unlock(&shared->mutex));
}

/* Takes one, and waits until there is one; ready once it has the mutex. */
static int takes_one(void *arg)
{
	struct shared *shared = arg;
	int ret;

	if (shmz_mutex_lock(&shared->mutex))
		return 1;
	shared->ready++;
	while (shared->value == 0) {
		ret = shmz_cond_wait(&shared->cond, &shared->mutex);
		if (ret == -EOWNERDEAD)
			ret = shmz_mutex_consistent(&shared->mutex);
		if (ret)
			return -ret;
	}
	shared->value--;
	return shmz_mutex_unlock(&shared->mutex) ? 3 : 0;
}

static void let_sleep(struct shared *shared, const pid_t *children, int n)
{
	int i;

	while (shared->ready < n)
		usleep(1000);
	for (i = 0; i < n; i++)
		falls_asleep(children[i]);
}

/* By a signal and a broadcast; how long that took, or UINT64_MAX. */
static uint64_t wake_three(struct shared *shared)
{
	pid_t children[3];
	uint64_t start;
	int i, ret = 0;

	shared->ready = 0;
	for (i = 0; i < 3; i++)
		children[i] = start_child(takes_one, shared);
	let_sleep(shared, children, 3);
	start = now();
	ret |= shmz_mutex_lock(&shared->mutex);
	shared->value = 1;
	ret |= shmz_cond_signal(&shared->cond);
	ret |= shmz_mutex_unlock(&shared->mutex);
	while (shared->value)
		usleep(100);
	ret |= shmz_mutex_lock(&shared->mutex);
	shared->value = 2;
	ret |= shmz_cond_broadcast(&shared->cond);
	ret |= shmz_mutex_unlock(&shared->mutex);
	for (i = 0; i < 3; i++)
		ret |= end_child(children[i]);
	return ret ? UINT64_MAX : now() - start;
}

TEST_F(cond, wakes)
{
	uint64_t took, least = UINT64_MAX;
	int i, rounds;

	/* Not because the waiters looked; but the machine may be busy. */
	rounds = kernel_debugs() ? 1 : 30;
	for (i = 0; i < rounds && least >= SHMZ_COND_LOOK_NS / 2; i++) {
		took = wake_three(self->shared);
		ASSERT_NE(UINT64_MAX, took);
		least = took < least ? took : least;
	}
	if (!kernel_debugs())
		ASSERT_GT(SHMZ_COND_LOOK_NS / 2, least);
}

static int changes_and_dies(void *arg)
{
	struct shared *shared = arg;

	if (shmz_mutex_lock(&shared->mutex))
		return 1;
	shared->value = 1;
	if (shared->ready > 1)
		shmz_mutex_unlock(&shared->mutex);
	kill(getpid(), SIGKILL);
	return 2;
}

TEST_F(cond, whose_signaller_dies)
{
	pid_t child;
	int i;

	/* First with the mutex, then without; in both cases without a signal. */
	for (i = 1; i <= 2; i++) {
		child = start_child(takes_one, self->shared);
		let_sleep(self->shared, &child, 1);
		self->shared->ready = i;
		ASSERT_EQ(-SIGKILL, in_child(changes_and_dies, self->shared));
		ASSERT_EQ(0, end_child(child));
		ASSERT_EQ(0, self->shared->value);
		self->shared->ready = 0;
	}
}

TEST_F(cond, whose_waiters_die)
{
	struct shared *shared = self->shared;
	pid_t children[3];
	int i;

	for (i = 0; i < 3; i++)
		children[i] = start_child(takes_one, shared);
	let_sleep(shared, children, 3);
	kill(children[0], SIGKILL);
	ASSERT_EQ(-SIGKILL, end_child(children[0]));
	/* The one that was woken, whichever it is, dies as well. */
	ASSERT_EQ(0, shmz_mutex_lock(&shared->mutex));
	shared->value = 1;
	ASSERT_EQ(0, shmz_cond_signal(&shared->cond));
	kill(children[1], SIGKILL);
	ASSERT_EQ(-SIGKILL, end_child(children[1]));
	ASSERT_EQ(0, shmz_mutex_unlock(&shared->mutex));
	ASSERT_EQ(0, end_child(children[2]));
	ASSERT_EQ(0, shared->value);
}

TEST_F(cond, after_a_death)
{
	struct shared *shared = self->shared;

	ASSERT_EQ(-SIGKILL, in_child(dies_with_mutex, shared));
	ASSERT_EQ(-EOWNERDEAD, shmz_mutex_lock(&shared->mutex));
	ASSERT_EQ(-ENOTRECOVERABLE, shmz_cond_timedwait(&shared->cond, &shared->mutex, MS));
	ASSERT_EQ(-EPERM, shmz_cond_wait(&shared->cond, &shared->mutex));
}

TEST_HARNESS_MAIN
