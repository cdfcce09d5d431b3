// SPDX-License-Identifier: GPL-2.0
/*
 * The library over the stand-in for the device: threads and signals.
 *
 * Built with room for 64 threads with caches.
 */
#include "userlib.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define THREADS		4
#define OBJECTS		200
#define BASKET		64

/* More than there were threads at the same time so far. */
#define FEW_NUMBERS	16

static struct shmz *zone;
static pthread_barrier_t barrier;

/* Objects on their way from one thread to another. */
static _Atomic(void *) basket[BASKET];

static void *work(void *arg)
{
	struct held held[OBJECTS] = { 0 };
	u8 mark = (uintptr_t)arg;
	u64 seed = mark;
	u32 round, i;

	for (round = 0; round < 60000; round++) {
		void *p = NULL;

		i = host_random(&seed) % OBJECTS;
		if (held[i].p)
			require(let_go(zone, &held[i], &seed, mark));
		else
			hold(zone, &held[i], &seed, mark);
		if (round % 4 == 0)
			p = shmz_alloc(zone, 48);
		p = atomic_exchange(&basket[i % BASKET], p);
		require(!shmz_free(zone, p));
	}
	for (i = 0; i < OBJECTS; i++)
		if (held[i].p)
			require(let_go(zone, &held[i], &seed, mark));
	for (i = 0; i < BASKET; i++)
		require(!shmz_free(zone, atomic_exchange(&basket[i], NULL)));
	return NULL;
}

static void share(void)
{
	zone = zone_begin();
	run_threads(THREADS, work);
	end_run(zone);
}

static void *live_shortly(void *arg)
{
	void *p = shmz_alloc(zone, 100), *q = shmz_alloc(zone, 5000);

	(void)arg;
	require(p && q);
	/* Those who end give their numbers back. */
	require(thread_number() < FEW_NUMBERS);
	require(!shmz_free(zone, p));
	return q;
}

/* What they leave in their caches is found by those who come after them. */
static void churn(void)
{
	struct shmzone_stat stat = { .size = sizeof(stat) };
	pthread_t thread;
	void *q;
	u32 i;

	zone = zone_begin();
	for (i = 0; i < 3000; i++) {
		pthread_create(&thread, NULL, live_shortly, NULL);
		pthread_join(thread, &q);
		require(!shmz_free(zone, q));
	}
	CHECK_EQ(shmz_stat(zone, &stat), 0);
	/* At most what two caches have room for. */
	CHECK(stat.out_cached_objects < 300);
	CHECK_EQ(stat.out_live_objects, 0);
	end_run(zone);
}

/* What one thread allocates another frees, some at a time. */
#define HANDFUL		32
#define HANDFULS	4000

static void *hand[HANDFUL];

static void *let_go_of_hand(void *arg)
{
	u32 i, j;

	(void)arg;
	for (i = 0; i < HANDFULS; i++) {
		pthread_barrier_wait(&barrier);
		for (j = 0; j < HANDFUL; j++) {
			require(*(u64 *)hand[j] == i * HANDFUL + j);
			require(!shmz_free(zone, hand[j]));
		}
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void hand_over(size_t bytes, u32 group)
{
	pthread_t other;
	u32 i, j;

	pthread_create(&other, NULL, let_go_of_hand, NULL);
	for (i = 0; i < HANDFULS; i++) {
		for (j = 0; j < HANDFUL; j++) {
			hand[j] = shmz_alloc_group(zone, bytes, group);
			*(u64 *)hand[j] = i * HANDFUL + j;
		}
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
	pthread_join(other, NULL);
}

/* Through the kernel it would take a call for each half of a bin, on either side. */
static void handed_over(void)
{
	static const size_t bytes[] = { 64, 1000, 40 };
	u64 calls;
	u32 i;

	zone = zone_begin();
	pthread_barrier_init(&barrier, NULL, 2);
	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		calls = device_calls();
		hand_over(bytes[i], i);
		CHECK(device_calls() - calls < HANDFULS / 10);
	}
	end_run(zone);
}

static _Atomic u32 numbered;

static void *be_one_of_many(void *arg)
{
	struct held held[10] = { 0 };
	u8 mark = (uintptr_t)arg;
	u64 seed = mark;
	u32 i, round;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 10; i++)
			hold(zone, &held[i], &seed, mark);
		if (!round)
			pthread_barrier_wait(&barrier);
		for (i = 0; i < 10; i++)
			require(let_go(zone, &held[i], &seed, mark));
	}
	if (thread_number() >= 0)
		numbered++;
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void crowd(void)
{
	zone = zone_begin();
	pthread_barrier_init(&barrier, NULL, 100);
	run_threads(100, be_one_of_many);
	/* This one has the last. */
	CHECK_EQ(numbered, NUMBERS - 1);
	end_run(zone);
}

static void *vanish(void *arg)
{
	void *p = shmz_alloc(zone, 64);

	(void)arg;
	require(!shmz_free(zone, p));
	syscall(SYS_exit, 0);
	return NULL;
}

static void *have_number(void *arg)
{
	u32 i;

	(void)arg;
	for (i = 0; i < 5000; i++) {
		require(!shmz_free(zone, shmz_alloc(zone, 64)));
		if (thread_number() >= 0)
			return NULL;
	}
	require(false);
	return NULL;
}

/* The depot is locked by a thread that is no more, and its caches are at work. */
static void *vanish_with_depot(void *arg)
{
	u32 i;

	require(!shmz_free(zone, shmz_alloc(zone, 64)));
	*(pid_t *)arg = thread_id();
	for (i = 1; i <= DEPOT_CACHES; i++)
		slot_cache(0, SHMZONE_CACHES_MAX - i)->key = SHMZONE_CACHE_BUSY;
	syscall(SYS_exit, 0);
	return NULL;
}

static void vanished_with_depot(void)
{
	pthread_t thread;
	pid_t *holder = depot_of(0);
	u64 calls;

	zone = zone_begin();
	pthread_barrier_init(&barrier, NULL, 2);
	hand_over(64, 0);
	CHECK_EQ(*holder, 0);
	pthread_create(&thread, NULL, vanish_with_depot, holder);
	pthread_join(thread, NULL);
	CHECK(*holder);
	hand_over(64, 0);
	CHECK_EQ(*holder, 0);
	calls = device_calls();
	hand_over(64, 0);
	CHECK(device_calls() - calls < HANDFULS / 10);
	end_run(zone);
}

/* A signal handler that interrupted the holder neither waits nor looks for it. */
static void interrupted_with_depot(void)
{
	pid_t *holder = depot_of(0), *misses = holder + 1;
	void *object[1000];
	u64 calls;
	u32 i;

	zone = zone_begin();
	pthread_barrier_init(&barrier, NULL, 2);
	hand_over(64, 0);
	calls = device_calls();
	*misses = 0;
	*holder = thread_id();
	for (i = 0; i < ARRAY_SIZE(object); i++)
		object[i] = shmz_alloc(zone, 64);
	for (i = 0; i < ARRAY_SIZE(object); i++)
		CHECK(!shmz_free(zone, object[i]));
	CHECK(device_calls() > calls);
	CHECK_EQ(*misses, 0);
	CHECK_EQ(*holder, thread_id());
	*holder = 0;
	end_run(zone);
}

/* Far more than there are numbers: they can only be had from those who died. */
static void vanished(void)
{
	u32 i;

	zone = zone_begin();
	for (i = 0; i < 3 * NUMBERS; i++) {
		run_threads(1, vanish);
		run_threads(1, have_number);
	}
	end_run(zone);
}

/* Signals. */

static struct held in_handler[16];
static _Atomic u32 signals;

static void handle(int signal)
{
	static u64 seed = 7;
	struct held *held = &in_handler[signals++ % 16];

	(void)signal;
	if (held->p)
		require(let_go(zone, held, &seed, 0xee));
	else
		hold(zone, held, &seed, 0xee);
}

static void storm(void)
{
	struct itimerval interval = { { 0, 50 }, { 0, 50 } }, never = { 0 };
	struct held held[32] = { 0 };
	u64 seed = 3;
	u32 i;

	zone = zone_begin();
	signal(SIGALRM, handle);
	setitimer(ITIMER_REAL, &interval, NULL);
	while (signals < 4000) {
		i = host_random(&seed) % 32;
		if (held[i].p)
			require(let_go(zone, &held[i], &seed, i));
		else
			hold(zone, &held[i], &seed, i);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	for (i = 0; i < 32; i++)
		if (held[i].p)
			require(let_go(zone, &held[i], &seed, i));
	for (i = 0; i < 16; i++)
		if (in_handler[i].p)
			require(let_go(zone, &in_handler[i], &seed, 0xee));
	end_run(zone);
}

static pthread_barrier_t turn;
static struct shmz *many[40];

/* The same threads all the time, with whatever pointers they have kept. */
static void *keep_up(void *arg)
{
	u8 mark = (uintptr_t)arg;
	u32 round, i, j;

	for (round = 0; round < 60; round++) {
		pthread_barrier_wait(&turn);
		for (i = 0; many[i]; i++)
			for (j = 0; j < 20; j++) {
				u8 *p = shmz_alloc(many[i], 64 + j);

				require(shmz_offset(many[i], p));
				memset(p, mark, 64 + j);
				sched_yield();
				require(p[0] == mark && p[63 + j] == mark);
				require(!shmz_free(many[i], p));
			}
		pthread_barrier_wait(&turn);
	}
	return NULL;
}

static void zones_change(void)
{
	pthread_t thread[3];
	uintptr_t i;
	u32 round, n;

	pthread_barrier_init(&turn, NULL, 4);
	for (i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, keep_up, (void *)(i + 1));
	for (round = 0; round < 60; round++) {
		n = round % 3 ? 2 : 39;
		for (i = 0; i < n; i++)
			many[i] = zone_begin();
		many[n] = NULL;
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
		for (i = 0; i < n; i++)
			zone_end(many[i]);
	}
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	no_troubles();
}

static _Atomic pid_t waiting;

static void *wait_for_slots(void *arg)
{
	(void)arg;
	waiting = syscall(SYS_gettid);
	zone_end(zone_begin());
	return NULL;
}

static bool sleeps(pid_t thread)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (file)
		fclose(file);
	return state == 'S';
}

/* Who waits for a lock leaves the processor to who has it. */
static void waits(void)
{
	pthread_t thread;
	u64 before;
	u32 i;

	zone_end(zone_begin());
	slots_lock(&before);
	pthread_create(&thread, NULL, wait_for_slots, NULL);
	while (!waiting)
		sched_yield();
	for (i = 0; i < 10000 && !sleeps(waiting); i++)
		usleep(1000);
	CHECK(i < 10000);
	slots_unlock(&before);
	pthread_join(thread, NULL);
}

int main(void)
{
	host_plan(10);
	share();
	host_result("threads share a zone");
	churn();
	host_result("threads that live shortly");
	handed_over();
	host_result("one thread frees what another allocates");
	crowd();
	host_result("more threads than numbers");
	vanished();
	host_result("threads that vanish");
	vanished_with_depot();
	host_result("a thread that vanishes with the depot");
	interrupted_with_depot();
	host_result("a signal handler that interrupts who has the depot");
	storm();
	host_result("signal handlers");
	zones_change();
	host_result("zones change below the same threads");
	waits();
	host_result("threads that wait for a lock");
	return host_done();
}
