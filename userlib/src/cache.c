// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Caches: the slow path, and what is done to a cache as a whole.
 *
 * See cache.h for the rest. Where there is no cache to be used the answer is
 * -EAGAIN, and the caller does with the plain system calls, as it would
 * without any caches: when the kernel knows none, the zone has no slot, there are
 * too many threads, the caches of the zone may not grow, or a signal handler
 * interrupted its thread at the wrong moment.
 */
#include "cache.h"

struct shmzone_cache empty_cache;

__thread struct shmzone_cache *caches[SLOTS + 1] = {
	[0 ... SLOTS] = &empty_cache,
};

/* Refills before somebody else, a signal handler, must have had the slots. */
#define TRIES	2

/* This thread's cache and its number, set up as far as it is the library's. */
static struct shmzone_cache *ready(const struct shmz *z, uint32_t *number)
{
	struct shmzone_cache *c;
	uint32_t slot = z->slot;
	int mine;

	if (slot == SLOT_NONE)
		return NULL;
	mine = thread_number();
	if (mine < 0)
		return NULL;
	*number = mine;
	c = slot_cache(slot, mine);
	if (load(caches[slot]) == c)
		return load(c->busy) ? NULL : c;
	/* Who had the number before may have vanished in between. */
	store(c->busy, 0);
	store(caches[slot], c);
	return c;
}

/* Errors that ALLOC would answer with too. */
static bool is_final(int ret)
{
	return ret == -ENOMEM || ret == -EPERM || ret == -EINTR;
}

int cache_refill(struct shmz *z, uint32_t class, uint32_t group,
		 uint64_t *offset)
{
	struct shmzone_cache_refill args = {
		.size = sizeof(args),
		.class = class,
		.group = group,
	};
	struct shmzone_cache *c = ready(z, &args.cache);
	int tries, ret;

	if (!c)
		return -EAGAIN;
	for (tries = 0; tries < TRIES; tries++) {
		ret = lib_ioctl(z->fd, SHMZONE_CACHE_REFILL, &args);
		if (ret)
			return is_final(ret) ? ret : -EAGAIN;
		if (cache_pop(c, &c->bin[args.out_bin], offset))
			return 0;
	}
	return -EAGAIN;
}

int cache_drain(struct shmz *z, uint32_t class, uint32_t group,
		uint64_t offset)
{
	struct shmzone_cache_drain args = {
		.size = sizeof(args),
		.class = class,
		.group = group,
	};
	struct shmzone_cache *c = ready(z, &args.cache);
	uint32_t bin;
	int tries;

	if (!c)
		return -EAGAIN;
	bin = group ? load(c->bin_of[group][class]) : class;
	if (cache_push(c, &c->bin[bin], offset))
		return 0;
	for (tries = 0; tries < TRIES; tries++) {
		if (lib_ioctl(z->fd, SHMZONE_CACHE_DRAIN, &args))
			break;
		if (cache_push(c, &c->bin[args.out_bin], offset))
			return 0;
	}
	return -EAGAIN;
}

int shmz_cache_flush(struct shmz *z)
{
	struct shmzone_cache_drain args = {
		.size = sizeof(args),
		.flags = SHMZONE_CACHE_DRAIN_ALL,
	};
	int ret;

	/* Not to be set up for this. */
	if (load(caches[z->slot]) == &empty_cache)
		return 0;
	if (!ready(z, &args.cache))
		return z->slot == SLOT_NONE ? 0 : -EBUSY;
	ret = lib_ioctl(z->fd, SHMZONE_CACHE_DRAIN, &args);
	return ret;
}

ssize_t shmz_reclaim_caches(struct shmz *z)
{
	struct shmzone_cache_reclaim args = { .size = sizeof(args) };
	int ret = lib_ioctl(z->fd, SHMZONE_CACHE_RECLAIM, &args);

	return ret ? ret : (ssize_t)args.out_count;
}
