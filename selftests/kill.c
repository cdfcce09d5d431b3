// SPDX-License-Identifier: GPL-2.0
/*
 * Processes killed at any moment, mostly in the middle of a call, while others work
 * on in the same zone: many kills, and what each has cost to the object.
 *
 * A victim is two threads that do little but call: batches, with and without caches,
 * mapping these anew, waiting, roots, other zones. Each writes down what it has once
 * it is told, and strikes out what it frees before it does. After each kill four
 * clients, who are never killed and watch over every byte of theirs, come to rest.
 * Then all that is live is in their hands, in their caches, or in the victim's
 * record, from which it is freed. What is left over was lost by this kill: it is no
 * more than the batch that either thread had in flight, and nothing in owned zones,
 * where the record need not be looked at.
 *
 * SHMZONE_KILLS is how many there are in each kind of zone; otherwise it is as many
 * as there is time for. SHMZONE_SEED is the seed.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

#define SECONDS		5
#define SECONDS_MAX	15
#define ZONE_BYTES	(256 * MIB)
#define CLIENTS		4
#define HELD		48
#define THREADS		2
#define RECORD		64
#define BATCH		16
#define CHECK_EVERY	50

/* What a thread of a victim has, and whether it is in a call. */
struct thread {
	__u64 record[RECORD];
	unsigned int inside;
	unsigned int calls;
};

struct shared {
	int zone, control;
	char *data;
	__u32 kind;
	struct thread threads[THREADS];
	/* Of the victim, as a client: it maps caches anew at times. */
	__u64 ids[2];
	/* Of those who are never killed. */
	__u64 client_ids[CLIENTS];
	unsigned int held[CLIENTS];
	unsigned int resting[CLIENTS];
	unsigned long operations[CLIENTS];
	unsigned int rest;		/* a number: of the rest to be taken */
	bool end;
	char wrong[160];
};

static void wrong(struct shared *shared, const char *what, long ret)
{
	if (!shared->wrong[0])
		snprintf(shared->wrong, sizeof(shared->wrong), "%s: %ld", what, ret);
}

static __u32 next_random(__u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* The victim. */

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
		wrong(v->shared, "a victim's free was refused", n);
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
		wrong(v->shared, "a victim's free was refused", -1);
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

static void do_anything(struct victim *v)
{
	__u32 what = next_random(&v->random) % 16;

	__atomic_add_fetch(&v->thread->calls, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&v->thread->inside, 1, __ATOMIC_RELAXED);
	if (what < 5)
		take(v);
	else if (what < 10)
		give_back(v);
	else if (what < 15)
		use_cache(v);
	else
		call_something(v);
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

static int victim(struct shared *shared, __u64 seed)
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

/* Those who are never killed. */

struct object {
	__u64 offset;
	__u32 bytes;
	bool cached;
};

struct client {
	struct shared *shared;
	struct shmzone_cache *caches;
	unsigned int number;
	__u32 class;
	__u64 random;
	struct object objects[HELD];
};

static void get(struct client *c, struct object *object)
{
	int zone = c->shared->zone, ret = 0;

	object->cached = next_random(&c->random) % 2;
	object->bytes = object->cached ? 64 : 1 + next_random(&c->random) % 5000;
	if (object->cached)
		object->offset = cache_alloc(zone, c->caches, 0, c->class, &ret);
	else
		ret = _try_alloc(zone, object->bytes, 1, &object->offset);
	if (ret < 0 || !object->offset) {
		object->offset = 0;
		return wrong(c->shared, "a client cannot allocate", ret);
	}
	fill_pattern(c->shared->data + object->offset, object->bytes, object->offset);
	c->shared->held[c->number]++;
}

static void let_go(struct client *c, struct object *object)
{
	int zone = c->shared->zone, ret;

	if (!has_pattern(c->shared->data + object->offset, object->bytes, object->offset))
		wrong(c->shared, "somebody wrote to a client's object", object->bytes);
	if (object->cached)
		ret = cache_free(zone, c->caches, 0, c->class, object->offset);
	else
		ret = _try_free_at(zone, object->offset) - 1;
	if (ret)
		wrong(c->shared, "a client's free was refused", ret);
	object->offset = 0;
	c->shared->held[c->number]--;
}

static int client(struct shared *shared, unsigned int number)
{
	struct client c = { shared, map_caches(shared->zone, 1), number,
			    class_of(shared->zone, 64), number };
	unsigned int rested = 0, rest;

	shared->client_ids[number] = _try_client(shared->zone);
	while (c.caches != MAP_FAILED && !__atomic_load_n(&shared->end, __ATOMIC_ACQUIRE)) {
		struct object *object = &c.objects[next_random(&c.random) % HELD];

		rest = __atomic_load_n(&shared->rest, __ATOMIC_ACQUIRE);
		if (rest != rested && rest % 2) {
			__atomic_store_n(&shared->resting[number], rest, __ATOMIC_RELEASE);
			while (__atomic_load_n(&shared->rest, __ATOMIC_ACQUIRE) == rest)
				usleep(200);
			rested = rest;
			continue;
		}
		if (object->offset)
			let_go(&c, object);
		else
			get(&c, object);
		/* Leave some time to those who are to be killed. */
		if (++shared->operations[number] % 16 == 0)
			usleep(1000);
	}
	return 0;
}

/* The one who counts. */

static bool all_rest(struct shared *shared)
{
	unsigned int i, rest = shared->rest + 1;
	double end = now() + 100;

	__atomic_store_n(&shared->rest, rest, __ATOMIC_RELEASE);
	for (i = 0; i < CLIENTS; i++) {
		while (__atomic_load_n(&shared->resting[i], __ATOMIC_ACQUIRE) != rest) {
			if (now() > end) {
				wrong(shared, "a client hangs", i);
				return false;
			}
			usleep(100);
		}
	}
	return true;
}

static void go_on(struct shared *shared)
{
	__atomic_add_fetch(&shared->rest, 1, __ATOMIC_RELEASE);
}

/* There nothing is lost, nor is there anything left. */
static bool is_owned(const struct shared *shared)
{
	return shared->kind & SHMZONE_CREATE_OWNED;
}

/* What the victim's threads say they have; and whether they were in a call. */
static unsigned int free_recorded(struct shared *shared, unsigned long *calls)
{
	unsigned int t, i, inside = 0;

	for (t = 0; t < THREADS; t++) {
		struct thread *thread = &shared->threads[t];

		for (i = 0; i < RECORD; i++)
			if (thread->record[i] && !is_owned(shared) &&
			    _try_free_at(shared->zone, thread->record[i]) != 1)
				wrong(shared, "what a victim had is gone", i);
		inside += thread->inside;
		*calls += thread->calls;
		memset(thread, 0, sizeof(*thread));
	}
	return inside;
}

struct tally {
	unsigned long kills, inside, calls, lost;
};

/* Idle stock may be taken back at any moment, and be counted before and after. */
static bool get_figures(int zone, struct shmzone_stat *stat)
{
	struct shmzone_stat before;
	int i;

	for (i = 0; i < 100; i++) {
		if (_try_stat(zone, &before) || _try_stat(zone, stat))
			break;
		if (before.out_live_objects == stat->out_live_objects &&
		    before.out_cached_objects == stat->out_cached_objects)
			return true;
	}
	return false;
}

static void count(struct shared *shared, struct tally *tally)
{
	struct shmzone_stat stat;
	__u64 held = 0, lost;
	int i;

	if (!all_rest(shared) || !get_figures(shared->zone, &stat))
		return wrong(shared, "there are no figures", 0);
	for (i = 0; i < CLIENTS; i++)
		held += shared->held[i];
	lost = stat.out_live_objects - stat.out_cached_objects - held - tally->lost;
	if (lost > (is_owned(shared) ? 0 : THREADS * BATCH))
		wrong(shared, "more was lost than was in flight", lost);
	tally->lost += lost;
	if (stat.out_bad_not_live + stat.out_bad_interior + stat.out_bad_outside +
	    stat.out_bad_misaligned + stat.out_bad_bytes + stat.out_bad_bins)
		wrong(shared, "something was freed that was not there", 0);
	if (tally->kills % CHECK_EVERY == 0 && !zone_consistent(shared->zone))
		wrong(shared, "the allocator contradicts itself", tally->kills);
	go_on(shared);
}

static void kill_one(struct shared *shared, __u64 *random, struct tally *tally)
{
	pid_t pid = fork();
	int i, status;

	if (!pid)
		_exit(victim(shared, next_random(random)));
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL)
		wrong(shared, "a victim has ended by itself", status);
	for (i = 0; i < 2; i++) {
		if (_try_sync(shared->zone, shared->ids[i], 60000000000ULL))
			wrong(shared, "a victim does not go", i);
		shared->ids[i] = 0;
	}
	tally->inside += free_recorded(shared, &tally->calls) > 0;
	tally->kills++;
	count(shared, tally);
}

FIXTURE(kill) {
	struct shared *shared;
	__u64 zones;
};

FIXTURE_VARIANT(kill) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(kill, plain) {
	.kind = 0,
};

FIXTURE_VARIANT_ADD(kill, strict) {
	.kind = SHMZONE_CREATE_STRICT,
};

FIXTURE_VARIANT_ADD(kill, committed) {
	.kind = SHMZONE_CREATE_COMMITTED,
};

FIXTURE_VARIANT_ADD(kill, owned) {
	.kind = SHMZONE_CREATE_OWNED,
};

FIXTURE_VARIANT_ADD(kill, checked) {
	.kind = SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED,
};

FIXTURE_SETUP(kill)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct shmzone_info args;

	ASSERT_NE(MAP_FAILED, shared);
	self->shared = shared;
	shared->control = control_fd();
	shared->kind = variant->kind;
	info(shared->control, &args);
	self->zones = args.out_zones;
	shared->zone = create_kind(shared->control, variant->kind, ZONE_BYTES, 0);
	shared->data = map_data_ok(shared->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
}

FIXTURE_TEARDOWN(kill)
{
	munmap(self->shared->data, ZONE_BYTES);
	close(self->shared->zone);
	EXPECT_TRUE(zones_become(self->shared->control, self->zones));
	close(self->shared->control);
}

static unsigned long number_of(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/* Slow machines need longer until one is killed in a call. */
static bool goes_on(double start, const struct tally *tally)
{
	return now() < start + (tally->inside ? SECONDS : SECONDS_MAX);
}

TEST_F_TIMEOUT(kill, in_the_midst, 7200)
{
	unsigned long kills = number_of("SHMZONE_KILLS", 0), operations = 0;
	__u64 random = number_of("SHMZONE_SEED", 1);
	struct shared *shared = self->shared;
	double start = now();
	struct tally tally = { 0 };
	pid_t clients[CLIENTS];
	struct shmzone_stat stat;
	int i;

	for (i = 0; i < CLIENTS; i++) {
		clients[i] = fork();
		if (!clients[i])
			_exit(client(shared, i));
	}
	while (!shared->wrong[0] && (kills ? tally.kills < kills : goes_on(start, &tally)))
		kill_one(shared, &random, &tally);
	shared->end = true;
	for (i = 0; i < CLIENTS; i++) {
		EXPECT_EQ(0, end_child(clients[i]));
		operations += shared->operations[i];
	}
	TH_LOG("%lu kills, %lu in a call, after %lu calls: %lu objects lost; others: %lu calls",
	       tally.kills, tally.inside, tally.calls, tally.lost, operations);
	if (shared->wrong[0])
		TH_LOG("wrong: %s", shared->wrong);
	ASSERT_EQ(0, shared->wrong[0]);
	ASSERT_LT(0, operations);
	/* Their caches are gone with them; what they held is live, but where it was theirs. */
	for (i = 0; i < CLIENTS; i++)
		ASSERT_EQ(0, _try_sync(shared->zone, shared->client_ids[i], 60000000000ULL));
	stat = stat_of(shared->zone);
	for (i = 0; i < CLIENTS && !is_owned(shared); i++)
		tally.lost += shared->held[i];
	ASSERT_EQ(tally.lost, stat.out_live_objects);
	ASSERT_TRUE(zone_consistent(shared->zone));
	ASSERT_LT(0, tally.inside);
}

TEST_HARNESS_MAIN
