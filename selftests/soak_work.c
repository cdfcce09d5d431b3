// SPDX-License-Identifier: GPL-2.0
/*
 * For soak.c: the workers, who do all kinds of things until they are killed, and the
 * prober, who is never killed and must always get through.
 *
 * A worker records what it has once it is told, and strikes out what it frees before
 * it does. Some rows of its record are of what comes from its cache and goes there.
 * In zones with owners objects go from hand to hand, too: each is on its way before
 * it is given to nobody, and once it is on offer.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

/* Of this class are the objects of the first rows, those of a cache. */
#define CACHED_ROWS	(HELD / 4)
#define CACHED_BYTES	64

struct worker {
	int zone;
	char *data;
	struct shmzone_cache *caches;
	__u32 class;
	__u64 random;
	struct record *record;
	unsigned long *operations;
};

/* Mostly small, at times a span, seldom a large one. */
static __u64 random_size(__u64 *random)
{
	if (next_random(random) % 64 == 0)
		return 1 + next_random(random) % MIB;
	return 1 + next_random(random) % (16U << next_random(random) % 13);
}

static void take(struct worker *worker, __u64 *slots)
{
	__u64 bytes = random_size(&worker->random), offsets[BATCH];
	__u32 count = bytes > 32 * KIB ? 1 : 1 + next_random(&worker->random) % BATCH;
	int n, i;

	if (next_random(&worker->random) % 8)
		n = _try_alloc_in(worker->zone, next_random(&worker->random) % 4, bytes,
				  count, offsets);
	else
		n = _try_alloc_wait(worker->zone, bytes, count, 20000000, offsets);
	if (n < 0 && n != -ENOMEM && n != -ETIMEDOUT)
		wrong("a worker cannot allocate", n);
	for (i = 0; i < n; i++) {
		__atomic_store_n(&slots[i], offsets[i], __ATOMIC_SEQ_CST);
		memset(worker->data + offsets[i], i, bytes < 64 ? bytes : 64);
	}
}

static void give_back(struct worker *worker, __u64 *slots)
{
	__u64 offsets[BATCH];
	int n, i;

	for (n = 0, i = 0; i < BATCH; i++)
		if (slots[i])
			offsets[n++] = slots[i];
	/* Out of the record first: what is freed may be somebody else's at once. */
	for (i = 0; i < BATCH; i++)
		__atomic_store_n(&slots[i], 0, __ATOMIC_SEQ_CST);
	if (n && _try_free_all(worker->zone, offsets, n) != n)
		wrong("a worker's free was refused", n);
}

static void take_cached(struct worker *worker, __u64 *slots)
{
	int i, error = 0;
	__u64 offset;

	for (i = 0; i < BATCH; i++) {
		offset = cache_alloc(worker->zone, worker->caches, 0, worker->class, &error);
		if (!offset)
			break;
		__atomic_store_n(&slots[i], offset, __ATOMIC_SEQ_CST);
		memset(worker->data + offset, i, CACHED_BYTES);
	}
	if (i < BATCH && error != -ENOMEM)
		wrong("a worker's cache is not filled", error);
}

static void give_back_cached(struct worker *worker, __u64 *slots)
{
	__u64 offset;
	int i, ret;

	for (i = 0; i < BATCH; i++) {
		offset = __atomic_exchange_n(&slots[i], 0, __ATOMIC_SEQ_CST);
		if (!offset)
			continue;
		ret = cache_free(worker->zone, worker->caches, 0, worker->class, offset);
		if (ret)
			wrong("a worker's cache is not emptied", ret);
	}
}

static void take_or_give_back(struct worker *worker, unsigned int row)
{
	__u64 *slots = worker->record->offsets[row];
	bool cached = row < CACHED_ROWS;

	if (slots[0])
		(cached ? give_back_cached : give_back)(worker, slots);
	else
		(cached ? take_cached : take)(worker, slots);
}

/* From hand to hand. */

static bool put_under_way(struct way *way, __u64 offset, __u64 client)
{
	__u64 none = 0;

	/* Who reads the wrong client does not get the object. */
	way->client = client;
	return __atomic_compare_exchange_n(&way->offset, &none, offset, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void offer_one(struct worker *worker, struct way *way)
{
	__u64 offset;

	if (_try_alloc(worker->zone, 200, 1, &offset) != 1)
		return;
	if (_try_handover(worker->zone, SHMZONE_OFFER, offset, 0))
		wrong("a worker cannot offer", 0);
	/* Whoever still knows this offset from before may take it. */
	if (!put_under_way(way, offset, _try_client(worker->zone)))
		_try_free_at(worker->zone, offset);
}

static void give_one(struct worker *worker, struct way *way)
{
	__u64 offset;

	if (_try_alloc(worker->zone, 200, 1, &offset) != 1)
		return;
	if (!put_under_way(way, offset, 0)) {
		if (_try_free_at(worker->zone, offset) != 1)
			wrong("a worker cannot free its own", 0);
		return;
	}
	if (_try_handover(worker->zone, SHMZONE_GIVE, offset, 0))
		wrong("a worker cannot give", 0);
}

/* Unless something else is on this way by now. */
static void clear_way(struct way *way, __u64 offset)
{
	__atomic_compare_exchange_n(&way->offset, &offset, 0, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_RELAXED);
}

/* Of an object that is there still one gets it, and has it alone. */
static void take_one(struct worker *worker, struct way *way)
{
	__u64 client = way->client, offset = __atomic_load_n(&way->offset, __ATOMIC_SEQ_CST);
	int ret;

	if (!offset)
		return;
	ret = _try_handover(worker->zone, SHMZONE_TAKE, offset, client);
	/* What is to be nobody's may be given yet: then it is to be found here. */
	if (!ret || client)
		clear_way(way, offset);
	if (ret)
		return;
	__atomic_add_fetch(&shared->taken, 1, __ATOMIC_RELAXED);
	worker->data[offset] = 1;
	/* Some it keeps: they lie on slabs of others, and go with it. */
	if (next_random(&worker->random) % 2 && _try_free_at(worker->zone, offset) != 1)
		wrong("what a worker took is not its own", 0);
}

static void hand_on(struct worker *worker)
{
	struct way *offers = &shared->offers[next_random(&worker->random) % WAYS];
	struct way *nobodys = &shared->nobodys[next_random(&worker->random) % WAYS];

	switch (next_random(&worker->random) % 4) {
	case 0:
		return offer_one(worker, offers);
	case 1:
		return give_one(worker, nobodys);
	case 2:
		return take_one(worker, offers);
	default:
		return take_one(worker, nobodys);
	}
}

static void set_a_root(struct worker *worker, __u64 offset)
{
	struct shmzone_root_set set = {
		SIZED(shmzone_root_set), NAMED(ROOT_NAME), .offset = offset,
	};
	int ret = _try_call(worker->zone, SHMZONE_ROOT_SET, &set);

	if (ret)
		wrong("a worker cannot set a root", ret);
}

static void be_elsewhere(struct worker *worker)
{
	int zone = _try_open_zone(control, name, 0);
	char *data;

	if (zone < 0)
		return wrong("the zone is not found by its name", zone);
	data = map_data(zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	if (data == MAP_FAILED)
		return wrong("the zone cannot be mapped", -errno);
	munmap(worker->data, ZONE_BYTES);
	close(worker->zone);
	worker->zone = zone;
	worker->data = data;
}

/* With other caches. In zones with owners all that it has is gone with the first. */
static void be_another_client(struct worker *worker)
{
	__u64 *offsets = &worker->record->offsets[0][0];
	int i;

	for (i = 0; is_owned() && i < HELD * BATCH; i++)
		__atomic_store_n(&offsets[i], 0, __ATOMIC_SEQ_CST);
	if (worker->caches)
		munmap(worker->caches, SHMZONE_CACHE_BYTES);
	worker->caches = map_caches(worker->zone, 1);
	if (worker->caches == MAP_FAILED)
		wrong("caches cannot be mapped", -errno);
}

static void fork_a_child(struct worker *worker)
{
	pid_t pid = fork();
	__u64 offset;

	if (!pid) {
		/* Its first touch makes it a client of its own. */
		if (worker->caches->head.key)
			wrong("a child has its parent's cache", worker->caches->head.key);
		/* Freed at once: what a child has is in no record. */
		if (_try_alloc(worker->zone, 200, 1, &offset) == 1) {
			worker->data[offset] = 1;
			_try_free_at(worker->zone, offset);
		}
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void work_once(struct worker *worker)
{
	unsigned int row = next_random(&worker->random) % HELD;
	__u64 object = worker->record->offsets[row][0];
	__u32 what = next_random(&worker->random) % 1024;

	if (what < 4)
		fork_a_child(worker);
	else if (what < 5)
		be_another_client(worker);
	else if (what < 12)
		be_elsewhere(worker);
	else if (what < 40 && object)
		set_a_root(worker, object);
	else if (what < 140 && is_owned())
		hand_on(worker);
	else
		take_or_give_back(worker, row);
	(*worker->operations)++;
}

pid_t start_worker(int number, __u64 seed)
{
	struct worker worker = {
		.random = seed * 1000003 + number,
		.record = &shared->records[number],
		.operations = &shared->operations[number],
		.zone = -1,
	};
	pid_t pid = fork();

	if (pid)
		return pid;
	setpgid(0, 0);
	be_elsewhere(&worker);
	be_another_client(&worker);
	worker.class = class_of(worker.zone, CACHED_BYTES);
	while (!shared->wrong.is)
		work_once(&worker);
	_exit(0);
}

/* All that one can do to a zone, at any moment. */
static const char *probe(int zone, char *data)
{
	struct shmzone_root_get get = { SIZED(shmzone_root_get), NAMED(ROOT_NAME) };
	struct shmzone_query query;
	struct shmzone_stat stat;
	__u64 offset;
	int fd, n;

	fd = _try_open_zone(control, name, SHMZONE_OPEN_RDONLY);
	if (fd < 0)
		return "the prober cannot open the zone";
	close(fd);
	if (_try_stat(zone, &stat) || stat.out_taken_bytes > stat.out_limit_bytes)
		return "the figures make no sense";
	if (_try_call(zone, SHMZONE_ROOT_GET, &get))
		return "the prober cannot read a root";
	/* It may be full, but not for long: workers free, or are killed, which frees. */
	n = _try_alloc_wait(zone, 100, 1, 30000000000ULL, &offset);
	if (n != 1)
		return "the prober cannot allocate";
	data[offset] = 1;
	if (_try_query(zone, offset, &query) || query.out_bytes < 100)
		return "the prober's object is not there";
	if (_try_free_at(zone, offset) != 1)
		return "the prober cannot free its object";
	return NULL;
}

pid_t start_prober(int zone, char *data)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	/* In zones with owners nobody allocates without. */
	if (map_caches(zone, 1) == MAP_FAILED)
		wrong("the prober cannot map caches", -errno);
	while (!shared->over) {
		double start = now(), took;
		const char *error = probe(zone, data);

		if (error)
			wrong(error, 0);
		took = now() - start;
		if (took > shared->slowest_probe)
			shared->slowest_probe = took;
		shared->probes++;
		usleep(10000);
	}
	_exit(0);
}
