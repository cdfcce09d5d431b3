// SPDX-License-Identifier: GPL-2.0
/*
 * The library over the stand-in for the device: how threads get their numbers and
 * give them back, whatever comes between.
 *
 * Numbers that were lost are found missing by as many threads as there are
 * numbers, which all are to have one, and each another.
 */
#include "userlib.h"

#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* For the steps of a sweep, as far as they go. */
#define SECONDS	5

static struct shmz *zone;

/* What a child found wrong. */
#define WRONG(right)							\
do {									\
	if (!(right))							\
		_exit(100 + __LINE__ % 100);				\
} while (0)

int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

static _Atomic u32 failing;

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	if (!failing)
		return __real_pthread_setspecific(key, value);
	errno = ENOMEM;
	return errno;
}

/* All numbers but so many are free. */

static pthread_barrier_t barrier;
static _Atomic u32 seen[NUMBERS];

static void *take_number(void *arg)
{
	int number;

	(void)arg;
	/* It may take several attempts, as nobody waits for anybody. */
	do
		number = thread_number();
	while (number < 0);
	seen[number]++;
	pthread_barrier_wait(&barrier);
	return NULL;
}

/* So many threads have numbers at the same time, or this does not end. */
static bool can_have(u32 n)
{
	pthread_t thread[NUMBERS];
	u32 i;

	memset(seen, 0, sizeof(seen));
	pthread_barrier_init(&barrier, NULL, n);
	for (i = 0; i < n; i++)
		pthread_create(&thread[i], NULL, take_number, NULL);
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < NUMBERS; i++)
		if (seen[i] > 1)
			return false;
	return true;
}

static void *ask_number(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)thread_number();
}

/* Which number a thread that begins now is given. */
static int number_of_another(void)
{
	pthread_t thread;
	void *number;

	pthread_create(&thread, NULL, ask_number, NULL);
	pthread_join(thread, &number);
	return (intptr_t)number;
}

static int child_of(int (*function)(void))
{
	int status, pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(60);
		_exit(function());
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

/*
 * A signal at each instruction: a thread of a child's is forked up to it, and then
 * goes on with a signal. That one may be blocked at that moment, and comes later.
 */

struct stepping {
	bool ends;		/* the thread, or it gets a number */
	_Atomic bool *over;	/* it has its number; shared with the child */
};

static _Atomic int in_handler = -2;

static void handle(int signal)
{
	void *p = shmz_alloc(zone, 64);

	(void)signal;
	WRONG(p && !shmz_free(zone, p));
	in_handler = thread_number();
}

static void *be_stepped(void *arg)
{
	const struct stepping *stepping = arg;
	int number;

	if (stepping->ends)
		WRONG(!shmz_free(zone, shmz_alloc(zone, 64)));
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTOP);
	number = thread_number();
	if (!stepping->ends)
		*stepping->over = true;
	WRONG(number == 0 && thread_number() == 0);
	WRONG(in_handler <= 0);
	return NULL;
}

static int steps(const struct stepping *stepping)
{
	struct sigaction action = { .sa_handler = handle };
	pthread_t thread;

	alarm(60);
	zone = zone_begin();
	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&thread, NULL, be_stepped, (void *)stepping);
	pthread_join(thread, NULL);
	/* It had the first, and gave it back, once. */
	WRONG(thread_number() == 0);
	WRONG(number_of_another() == 1);
	return 0;
}

/* Returns how many steps it took of @at, or -1 if something was wrong then. */
static long step_to(struct stepping *stepping, long at)
{
	int status, pid, tid;
	long taken = 0;

	*stepping->over = false;
	pid = fork();
	if (!pid)
		_exit(steps(stepping));
	tid = waitpid(-1, &status, __WALL);
	while (tid > 0 && WIFSTOPPED(status) && taken < at && !*stepping->over) {
		ptrace(PTRACE_SINGLESTEP, tid, 0, 0);
		waitpid(tid, &status, __WALL);
		taken++;
	}
	if (WIFSTOPPED(status))
		ptrace(PTRACE_DETACH, tid, 0, SIGUSR1);
	if (waitpid(pid, &status, 0) == pid && !status)
		return taken;
	printf("# signal after %ld instructions: status %x\n", taken, status);
	return -1;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* As many as there is time for: a machine may be slow. */
static void each_instruction(bool ends)
{
	struct stepping stepping = {
		.ends = ends,
		.over = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	};
	double start = seconds();
	long all = step_to(&stepping, LONG_MAX), taken = all;
	/* The others take half as long as that one. */
	long stride = 1 + (long)((seconds() - start) * all / 2 / SECONDS);
	long at = getpid() % stride;

	for (; at < all && taken >= 0; at += stride)
		taken = step_to(&stepping, at);
	CHECK(taken >= 0);
	printf("# at each %ld of %ld instructions\n", stride, all);
}

/* Destructors of others, which come back as often as they may. */

static pthread_key_t other_key;
static _Atomic u32 rounds, wrong;

static void other_end(void *arg)
{
	void *p = shmz_alloc(zone, 100);

	if (!p || shmz_free(zone, p))
		wrong++;
	rounds++;
	__real_pthread_setspecific(other_key, arg);
}

static void *live_with_others(void *arg)
{
	(void)arg;
	__real_pthread_setspecific(other_key, zone);
	if (thread_number() < 0 || shmz_free(zone, shmz_alloc(zone, 100)))
		wrong++;
	return NULL;
}

static int destructors(void)
{
	pthread_t thread;
	u32 i;

	zone = zone_begin();
	/* The library has its key by now: so it comes first in each round. */
	pthread_key_create(&other_key, other_end);
	for (i = 0; i < 2 * NUMBERS; i++) {
		pthread_create(&thread, NULL, live_with_others, NULL);
		pthread_join(thread, NULL);
	}
	WRONG(!wrong && rounds >= 4 * i);
	/* All gave back what they had. */
	WRONG(number_of_another() == 0);
	return 0;
}

/* No memory to be told of the thread's end. */

static int no_memory(void)
{
	void *p;

	zone = zone_begin();
	failing = 1;
	errno = EXDEV;
	p = shmz_alloc(zone, 64);
	WRONG(p && errno == EXDEV && thread_number() < 0 && errno == EXDEV);
	WRONG(!shmz_free(zone, p) && errno == EXDEV);
	failing = 0;
	WRONG(can_have(NUMBERS));
	return 0;
}

/* vfork */

static int after_vfork(void)
{
	int number, status, pid;

	zone = zone_begin();
	pid = vfork();
	if (!pid) {
		/* Of the child it is not known how long it lives. */
		if (shmz_free(zone, shmz_alloc(zone, 64)) || thread_number() >= 0)
			_exit(1);
		_exit(0);
	}
	WRONG(waitpid(pid, &status, 0) == pid && !status);
	number = thread_number();
	WRONG(number >= 0);
	WRONG(can_have(NUMBERS - 1) && !seen[number]);
	pid = vfork();
	if (!pid)
		_exit(shmz_free(zone, shmz_alloc(zone, 64)) || thread_number() != number);
	WRONG(waitpid(pid, &status, 0) == pid && !status);
	WRONG(thread_number() == number);
	return 0;
}

/* The thread that forked has a number, and ends without having used it again. */

static pthread_t forked;

static void *after_main(void *arg)
{
	(void)arg;
	pthread_join(forked, NULL);
	WRONG(can_have(NUMBERS));
	_exit(0);
}

static int forked_thread_ends(void)
{
	pthread_t thread;
	int status, pid;

	zone = zone_begin();
	WRONG(can_have(NUMBERS));
	WRONG(thread_number() >= 0);
	pid = fork();
	if (!pid) {
		alarm(60);
		forked = pthread_self();
		pthread_create(&thread, NULL, after_main, NULL);
		pthread_exit(NULL);
	}
	WRONG(waitpid(pid, &status, 0) == pid);
	return status ? 1 : 0;
}

int main(void)
{
	host_plan(6);
	each_instruction(false);
	host_result("a signal at each instruction of getting a number");
	each_instruction(true);
	host_result("a signal at each instruction of a thread's end");
	CHECK_EQ(child_of(destructors), 0);
	host_result("other destructors allocate");
	CHECK_EQ(child_of(no_memory), 0);
	host_result("no memory to be told of a thread's end");
	CHECK_EQ(child_of(after_vfork), 0);
	host_result("children that share the memory");
	CHECK_EQ(child_of(forked_thread_ends), 0);
	host_result("the thread that forked ends");
	return host_done();
}
