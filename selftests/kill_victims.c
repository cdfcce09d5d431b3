// SPDX-License-Identifier: GPL-2.0
/*
 * For kill.c: a victim, two threads that do little but call. Each writes down what
 * it has once it is told, and strikes out what it frees before it does.
 *
 * In zones with owners objects go from hand to hand: offered to clients, given to
 * them and to nobody, taken from clients and from nobody. What is offered or taken
 * is the victim's, and goes with it; what is given is under way in shared memory
 * from before it is given, so that who looks there afterwards finds it, given or not.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kill.h"

struct victim {
	struct shared *shared;
	struct thread *thread;
	struct shmzone_cache *caches;
	unsigned int index;
	__u32 class;
	__u64 random;
};

static void take(struct victim *v)
{
	__u64 offsets[BATCH], bytes = 16U << next_random(&v->random) % 8;
	unsigned int i, count = 1 + next_random(&v->random) % BATCH;
	int got, at = 0;

	/* Seldom spans: what is lost stays for as long as the zone. */
	if (next_random(&v->random) % 64 == 0)
		bytes = 40 * KIB;
	if (next_random(&v->random) % 4)
		got = _try_alloc(v->shared->zone, bytes, count, offsets);
	else
		got = _try_alloc_wait(v->shared->zone, bytes, count, 1000000, offsets);
	for (i = 0; i < RECORD && at < got; i++)
		if (!v->thread->record[i])
			__atomic_store_n(&v->thread->record[i], offsets[at++],
					 __ATOMIC_RELAXED);
	if (at < got)
		_try_free_all(v->shared->zone, offsets + at, got - at);
}

static void give_back(struct victim *v)
{
	__u64 offsets[BATCH];
	unsigned int i, n = 0, from = next_random(&v->random) % RECORD;

	for (i = from; i < RECORD && n < BATCH; i++)
		if (v->thread->record[i])
			offsets[n++] = __atomic_exchange_n(&v->thread->record[i], 0,
							   __ATOMIC_RELAXED);
	if (n && _try_free_all(v->shared->zone, offsets, n) != (int)n)
		note_wrong(&v->shared->wrong, "a victim's free was refused", n);
}

/* By the cache; there is one place in the record for what is. */
static void use_cache(struct victim *v)
{
	int zone = v->shared->zone, error = 0;
	__u64 offset;

	switch (next_random(&v->random) % 8) {
	case 0:
		_try_drain_all(zone, v->index);
		return;
	case 1:
		_try_reclaim(zone, NULL);
		return;
	case 2:
		_try_refill(zone, v->index, 1 + next_random(&v->random) % 40,
			    next_random(&v->random) % 3, NULL);
		return;
	}
	offset = cache_alloc(zone, v->caches, v->index, v->class, &error);
	if (offset && cache_free(zone, v->caches, v->index, v->class, offset))
		note_wrong(&v->shared->wrong, "a victim's free was refused", -1);
}

static void call_something(struct victim *v)
{
	struct shmzone_root_set set = { SIZED(shmzone_root_set), NAMED("kill") };
	struct shmzone_query query;
	struct shmzone_stat stat;
	__u64 any = v->thread->record[next_random(&v->random) % RECORD];
	int fd;

	switch (next_random(&v->random) % 4) {
	case 0:
		fd = _try_create_kind(v->shared->control, v->shared->kind, 64 * KIB, 0);
		if (fd >= 0)
			close(fd);
		break;
	case 1:
		set.offset = any;
		_try_call(v->shared->zone, SHMZONE_ROOT_SET, &set);
		break;
	case 2:
		if (any)
			_try_query(v->shared->zone, any, &query);
		break;
	default:
		_try_stat(v->shared->zone, &stat);
	}
}

/* Something new to hand on. Whoever is not killed frees it; who is, loses nothing. */
static __u64 make_one(struct victim *v)
{
	__u64 offset;

	return _try_alloc(v->shared->zone, HANDED_BYTES, 1, &offset) == 1 ? offset : 0;
}

static void free_own(struct victim *v, __u64 offset)
{
	if (offset && _try_free_at(v->shared->zone, offset) != 1)
		note_wrong(&v->shared->wrong, "a victim's free of its own was refused", offset);
}

/* Under its offset, unless something else is on this way already. */
static bool put_under_way(__u64 *way, __u64 offset)
{
	__u64 none = 0;

	return offset && __atomic_compare_exchange_n(way, &none, offset, false,
						     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void offer_one(struct victim *v, struct hands *hands)
{
	__u64 offset = make_one(v);

	if (!offset)
		return;
	if (_try_handover(v->shared->zone, SHMZONE_OFFER, offset, 0))
		note_wrong(&v->shared->wrong, "a victim cannot offer", 0);
	__atomic_store_n(&hands->offerer, v->shared->ids[1], __ATOMIC_RELEASE);
	if (!put_under_way(&hands->offered, offset))
		free_own(v, offset);
}

static void give_one(struct victim *v, __u64 *way, __u64 client)
{
	__u64 offset = make_one(v);

	if (!put_under_way(way, offset))
		return free_own(v, offset);
	if (_try_handover(v->shared->zone, SHMZONE_GIVE, offset, client))
		note_wrong(&v->shared->wrong, "a victim cannot give", client);
}

/* Some are freed at once, some when the victim has gone. */
static void take_one(struct victim *v, __u64 *way, __u64 from)
{
	__u64 offset = __atomic_load_n(way, __ATOMIC_ACQUIRE);

	if (!offset || _try_handover(v->shared->zone, SHMZONE_TAKE, offset, from))
		return;
	if (next_random(&v->random) % 2)
		free_own(v, offset);
	/* What was nobody's is under way until somebody has taken it. */
	if (!from)
		__atomic_compare_exchange_n(way, &offset, 0, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED);
}

static void hand_on(struct victim *v)
{
	unsigned int number = next_random(&v->random) % CLIENTS;
	__u64 client = __atomic_load_n(&v->shared->client_ids[number], __ATOMIC_ACQUIRE);
	struct hands *hands = &v->shared->hands[number];

	/* It has not begun yet. */
	if (!client)
		return;
	switch (next_random(&v->random) % 5) {
	case 0:
		return offer_one(v, hands);
	case 1:
		return give_one(v, &hands->gift, client);
	case 2:
		return give_one(v, &hands->nobodys, 0);
	case 3:
		return take_one(v, &hands->nobodys, 0);
	default:
		return take_one(v, &hands->lent, client);
	}
}

static void do_anything(struct victim *v)
{
	__u32 what = next_random(&v->random) % (is_owned(v->shared) ? 20 : 16);

	__atomic_add_fetch(&v->thread->calls, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&v->thread->inside, 1, __ATOMIC_RELAXED);
	if (what < 5)
		take(v);
	else if (what < 10)
		give_back(v);
	else if (what < 15)
		use_cache(v);
	else if (what < 16)
		call_something(v);
	else
		hand_on(v);
	__atomic_store_n(&v->thread->inside, 0, __ATOMIC_RELAXED);
}

static void *be_a_victim(void *arg)
{
	for (;;)
		do_anything(arg);
	return NULL;
}

/* Kill this process after a while: a moment that has nothing to do with its work. */
static bool set_timer(__u64 nanoseconds)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec when = { .it_value.tv_nsec = nanoseconds };
	timer_t timer;

	return !timer_create(CLOCK_MONOTONIC, &event, &timer) &&
	       !timer_settime(timer, 0, &when, NULL);
}

/* Becomes another client: the first one goes by munmap, if it gets that far. */
static struct shmzone_cache *map_anew(struct shared *shared)
{
	struct shmzone_cache *caches = map_caches(shared->zone, THREADS);

	if (caches == MAP_FAILED)
		return NULL;
	shared->ids[0] = _try_client(shared->zone);
	_try_refill(shared->zone, 0, class_of(shared->zone, 64), 0, NULL);
	munmap(caches, THREADS * SHMZONE_CACHE_BYTES);
	caches = map_caches(shared->zone, THREADS);
	if (caches == MAP_FAILED)
		return NULL;
	shared->ids[1] = _try_client(shared->zone);
	return caches;
}

int victim(struct shared *shared, __u64 seed)
{
	struct shmzone_cache *caches = map_anew(shared);
	struct victim victims[THREADS];
	unsigned int i;
	pthread_t thread;

	if (!caches)
		return 1;
	for (i = 0; i < THREADS; i++)
		victims[i] = (struct victim) {
			shared, &shared->threads[i], caches, i,
			class_of(shared->zone, 64 << i), seed + i,
		};
	if (pthread_create(&thread, NULL, be_a_victim, &victims[1]))
		return 1;
	/* Where it takes long until both are at work, that is not what they live for. */
	while (!__atomic_load_n(&shared->threads[1].calls, __ATOMIC_RELAXED))
		do_anything(&victims[0]);
	if (!set_timer(1 + next_random(&seed) % (100000U << next_random(&seed) % 10)))
		return 3;
	be_a_victim(&victims[0]);
	return 0;
}
