// SPDX-License-Identifier: GPL-2.0
/*
 * For races.c: what races for objects in zones with owners, which are offered, given
 * and taken while clients come and end, and the caches of several threads. An object
 * that somebody took is that client's, and nobody else's: it can be written to and
 * freed.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "races.h"

#define CACHES		8
#define STOCK		8
/* Of classes in nobody's cache, and of one that is in caches. */
#define HANDED_BYTES	200
#define CACHED_BYTES	64

static struct shmzone_cache *caches;
static unsigned int caches_used;
static __thread int own_cache = -1;

/* A child has caches of its own, once it has touched them. */
void be_a_client(void)
{
	unsigned int i;

	for (i = 0; caches && i < CACHES; i++)
		if (cache_at(caches, i)->head.key)
			wrong("a child has its parent's cache", i);
}

static __u64 make_one(void)
{
	__u64 offset;
	int ret = _try_alloc(shared->zone, HANDED_BYTES, 1, &offset);

	expect("alloc by a client", ret, ALLOW(ENOMEM));
	return ret == 1 ? offset : 0;
}

static bool put_under_way(__u64 *way, __u64 offset)
{
	__u64 none = 0;

	return __atomic_compare_exchange_n(way, &none, offset, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

/* Whoever still knows the offset from before may take it, or may have. */
void offer_one(__u64 *random)
{
	unsigned int way = next_random(random) % WAYS;
	__u64 offset = make_one();

	if (!offset)
		return;
	expect("offer", _try_handover(shared->zone, SHMZONE_OFFER, offset, 0), ALLOW(ENOMEM));
	/* Of two at once one's object is not found, and goes with its owner. */
	__atomic_store_n(&shared->offers[way].client, _try_client(shared->zone),
			 __ATOMIC_RELAXED);
	if (!put_under_way(&shared->offers[way].offset, offset))
		expect("free what is on offer", _try_free_at(shared->zone, offset),
		       ALLOW(EPERM, EINVAL));
}

void give_one(__u64 *random)
{
	__u64 offset = make_one();

	if (!offset)
		return;
	if (_try_handover(shared->zone, SHMZONE_GIVE, offset, 0))
		wrong("give to nobody", 0);
	if (!put_under_way(&shared->nobodys[next_random(random) % WAYS], offset) &&
	    _try_free_at(shared->zone, offset) != 1)
		wrong("free what is nobody's", 0);
}

static __u64 find(__u64 *way)
{
	return __atomic_exchange_n(way, 0, __ATOMIC_SEQ_CST);
}

/* What is nobody's is there; who offers may be gone, and the object with it. */
void take_any(__u64 *random)
{
	unsigned int way = next_random(random) % WAYS;
	bool offered = next_random(random) % 2;
	__u64 client = offered ? shared->offers[way].client : 0;
	__u64 offset = find(offered ? &shared->offers[way].offset : &shared->nobodys[way]);
	int ret;

	if (!offset)
		return;
	ret = _try_handover(shared->zone, SHMZONE_TAKE, offset, client);
	if (ret && !offered)
		wrong("take what is nobody's", ret);
	expect("take", ret, ALLOW(EPERM, EINVAL, ESRCH));
	if (ret)
		return;
	__atomic_add_fetch(&shared->taken, 1, __ATOMIC_RELAXED);
	if (_try_free_at(shared->zone, offset) != 1)
		wrong("what was taken is not one's own", 0);
}

/* One for each thread that does this. */
void use_a_cache(__u64 *random)
{
	__u32 class = class_of(shared->zone, CACHED_BYTES);
	unsigned int i, n = 1 + next_random(random) % STOCK;
	__u64 offsets[STOCK];
	int error = 0;

	if (own_cache < 0)
		own_cache = __atomic_fetch_add(&caches_used, 1, __ATOMIC_RELAXED) % CACHES;
	for (i = 0; i < n; i++) {
		offsets[i] = cache_alloc(shared->zone, caches, own_cache, class, &error);
		if (!offsets[i])
			break;
	}
	while (i--)
		if (cache_free(shared->zone, caches, own_cache, class, offsets[i]))
			wrong("a cache's free was refused", offsets[i]);
	if (next_random(random) % 16 == 0)
		_try_reclaim(shared->zone, NULL);
}

/* With objects of its own, on offer and not, and stock. */
void client_ends(__u64 *random)
{
	pid_t pid = fork();

	if (!pid) {
		own_cache = 0;
		be_a_client();
		for (;;) {
			make_one();
			offer_one(random);
			use_a_cache(random);
			if (next_random(random) % 64 == 0)
				_exit(0);
		}
	}
	if (pid < 0)
		return;
	usleep(next_random(random) % 5000);
	if (next_random(random) % 4)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void begin_owners(void)
{
	memset(shared->offers, 0, sizeof(shared->offers));
	memset(shared->nobodys, 0, sizeof(shared->nobodys));
	shared->taken = 0;
	caches = map_caches(shared->zone, CACHES);
	if (caches == MAP_FAILED)
		wrong("map caches", -errno);
}

/* But what was given to nobody, which any can free. */
void nothing_is_left(void)
{
	struct shmzone_stat stat;
	int i;

	for (i = 0; i < WAYS; i++)
		if (shared->nobodys[i] && _try_free_at(shared->zone, shared->nobodys[i]) != 1)
			wrong("free what is nobody's", i);
	for (i = 0; i < 6000; i++) {
		if (_try_stat(shared->zone, &stat) || !stat.out_live_objects)
			break;
		usleep(10000);
	}
	if (!shared->taken)
		wrong("nobody ever took anything", 0);
	all_is_free();
	munmap(caches, CACHES * SHMZONE_CACHE_BYTES);
	caches = NULL;
}
