// SPDX-License-Identifier: GPL-2.0
/*
 * The library over the stand-in for the device: forks of all kinds.
 *
 * Built with room for 64 threads with caches. Children are processes that run on
 * a copy of the allocator: they write to no object of the zone's.
 */
#include "userlib.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static struct shmz *zone;
static _Atomic bool stop;
static pthread_barrier_t barrier;

static void *live_once(void *arg)
{
	(void)arg;
	require(!shmz_free(zone, shmz_alloc(zone, 200)));
	return NULL;
}

/* So that numbers are given out and back at any moment. */
static void *keep_coming(void *arg)
{
	(void)arg;
	while (!stop)
		run_threads(1, live_once);
	return NULL;
}

static void *number_of_a_thread(void *arg)
{
	void **p = arg;
	u32 i;

	for (i = 0; i < 100; i++)
		*p++ = shmz_alloc(zone, 64);
	return (void *)(intptr_t)thread_number();
}

/*
 * A thread of the child's comes before the one that forked, which still has its
 * pointers. They must not meet in one cache.
 */
static int child(const struct held *held, u32 n)
{
	void *theirs[100], *mine, *number;
	pthread_t thread;
	u32 i, round;

	alarm(60);
	pthread_create(&thread, NULL, number_of_a_thread, theirs);
	pthread_join(thread, &number);
	if ((intptr_t)number < 0)
		return 2;
	for (round = 0; round < 100; round++) {
		mine = shmz_alloc(zone, 64);
		if (!mine)
			return 3;
		for (i = 0; i < 100; i++)
			if (mine == theirs[i])
				return 4;
		for (i = 0; i < n; i++)
			if (mine == held[i].p)
				return 5;
	}
	if (thread_number() == (intptr_t)number || thread_number() < 0)
		return 6;
	if (shmz_free(zone, mine) || shmz_cache_flush(zone))
		return 7;
	return heap_check(device_heap(shmz_fd(zone))) ? 8 : 0;
}

static void expect_child(int pid)
{
	int status = -1;

	CHECK(pid > 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void forks_in_the_middle(void)
{
	struct held held[20];
	pthread_t others[2];
	u32 i, n = ARRAY_SIZE(held);
	int pid;

	zone = zone_begin();
	for (i = 0; i < n; i++)
		held[i].p = shmz_alloc(zone, 64);
	for (i = 0; i < 2; i++)
		pthread_create(&others[i], NULL, keep_coming, NULL);
	for (i = 0; i < 60; i++) {
		pid = device_fork(false);
		if (!pid)
			_exit(child(held, n));
		expect_child(pid);
		require(!shmz_free(zone, shmz_alloc(zone, 64)));
	}
	stop = true;
	for (i = 0; i < 2; i++)
		pthread_join(others[i], NULL);
	for (i = 0; i < n; i++)
		require(!shmz_free(zone, held[i].p));
	end_run(zone);
}

/* What the child gets differs from all that the parent has or may get. */
static int bare_child(void *const *theirs, u32 n)
{
	u32 round, i;

	for (round = 0; round < 200; round++) {
		void *p = shmz_alloc(zone, 64);

		for (i = 0; i < n; i++)
			if (p == theirs[i])
				return 3;
	}
	if (thread_number() < 0)
		return 4;
	shmz_close(zone);
	return 0;
}

/* Its first call is made by a child of its own, which uses its memory. */
static int child_that_vforks(void)
{
	pid_t pid = vfork();
	int status;

	if (!pid) {
		if (shmz_free(zone, shmz_alloc(zone, 64)))
			_exit(2);
		_exit(thread_number() < 0 ? 0 : 3);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return 4;
	if (shmz_free(zone, shmz_alloc(zone, 64)) || thread_number() < 0)
		return 5;
	return thread_id() == getpid() ? 0 : 6;
}

static void vfork_of_a_child(void)
{
	int pid;

	zone = zone_begin();
	require(!shmz_free(zone, shmz_alloc(zone, 64)));
	pid = device_fork(false);
	if (!pid)
		_exit(child_that_vforks());
	expect_child(pid);
	end_run(zone);
}

/* As its parent has, but is not allowed to be a client. */
static int child_without_caches(struct shmzone_cache_head *inherited)
{
	u64 calls;
	u32 i;

	device_forget_area(inherited);
	if (shmz_free(zone, shmz_alloc(zone, 64)))
		return 2;
	calls = device_calls();
	for (i = 0; i < 10; i++)
		if (shmz_free(zone, shmz_alloc(zone, 64)))
			return 3;
	if (shmz_cache_flush(zone))
		return 4;
	return device_calls() - calls == 20 ? 0 : 5;
}

/* Such a child takes one call to allocate and one to free. */
static void child_that_is_no_client(void)
{
	struct shmzone_cache_head *area;
	int pid;

	zone = zone_begin();
	require(!shmz_free(zone, shmz_alloc(zone, 64)));
	area = (void *)((char *)slot_cache(0, 0) - offsetof(struct shmzone_cache, head));
	pid = device_fork(false);
	if (!pid)
		_exit(child_without_caches(area));
	expect_child(pid);
	end_run(zone);
}

/* Each generation is begun by a thread without a number, and has one. */
static int generation(uintptr_t left);

static void *fork_next(void *arg)
{
	int pid = device_fork(false), status;

	if (!pid)
		_exit(generation((uintptr_t)arg));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return (void *)2;
	return (void *)(uintptr_t)WEXITSTATUS(status);
}

static int generation(uintptr_t left)
{
	pthread_t thread;
	void *status;

	if (shmz_free(zone, shmz_alloc(zone, 64)) || thread_number() < 0)
		return 3;
	if (!left)
		return 0;
	pthread_create(&thread, NULL, fork_next, (void *)(left - 1));
	pthread_join(thread, &status);
	return (uintptr_t)status;
}

/* More of them than there are numbers. */
static void generations(void)
{
	zone = zone_begin();
	CHECK_EQ(generation(NUMBERS + 1), 0);
	end_run(zone);
}

static void *stay(void *arg)
{
	(void)arg;
	require(!shmz_free(zone, shmz_alloc(zone, 64)));
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void *ask_number(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)thread_number();
}

static int child_of_a_crowd(void)
{
	void *number = NULL;
	pthread_t thread;

	alarm(60);
	if (shmz_free(zone, shmz_alloc(zone, 64)))
		return 2;
	pthread_create(&thread, NULL, ask_number, NULL);
	pthread_join(thread, &number);
	return (intptr_t)number < 0 ? 3 : 0;
}

/* All numbers are in use in the parent, and none in the child. */
static void fork_of_a_crowd(void)
{
	pthread_t thread[NUMBERS];
	u32 i;
	int pid;

	zone = zone_begin();
	pthread_barrier_init(&barrier, NULL, NUMBERS + 1);
	for (i = 0; i < NUMBERS; i++)
		pthread_create(&thread[i], NULL, stay, NULL);
	pthread_barrier_wait(&barrier);
	pid = device_fork(false);
	if (!pid)
		_exit(child_of_a_crowd());
	expect_child(pid);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < NUMBERS; i++)
		pthread_join(thread[i], NULL);
	end_run(zone);
}

/* By a system call of which the C library knows nothing. */
static void bare_clone(void)
{
	void *theirs[100];
	u32 i;
	int pid;

	zone = zone_begin();
	for (i = 0; i < 100; i++)
		theirs[i] = shmz_alloc(zone, 64);
	/* Half of them lie in the cache when the process is cloned. */
	for (i = 0; i < 50; i++)
		CHECK_EQ(shmz_free(zone, theirs[i]), 0);
	pid = device_fork(true);
	if (!pid)
		_exit(bare_child(theirs, 100));
	expect_child(pid);
	for (i = 50; i < 100; i++)
		CHECK_EQ(shmz_free(zone, theirs[i]), 0);
	end_run(zone);
}

int main(void)
{
	host_plan(6);
	/* First, while there are numbers that were never given out. */
	forks_in_the_middle();
	host_result("forks in the middle");
	bare_clone();
	host_result("a child by a bare clone");
	vfork_of_a_child();
	host_result("a child that begins with a vfork");
	child_that_is_no_client();
	host_result("a child that is no client");
	generations();
	host_result("children of children");
	fork_of_a_crowd();
	host_result("a fork of a crowd");
	return host_done();
}
