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

struct shmzone_cache_head empty_cache;

__thread struct shmzone_cache_head *caches[SLOTS + 1] = {
	[0 ... SLOTS] = &empty_cache,
};

/* Refills before somebody else, a signal handler, must have had the slots. */
#define TRIES	2

/*
 * struct own - this thread's cache of a zone
 * @cache: where it is
 * @number: its index
 * @fresh: the thread has no pointer to it yet, and has not touched it: only the
 *	   kernel can say whether there is memory for it
 */
struct own {
	struct shmzone_cache_head *cache;
	uint32_t number;
	bool fresh;
};

/* Whether this is a child that the kernel would not have as a client, which is for good. */
static bool lacks_client(const struct shmz *z)
{
	return load(*slot_lacks_client(z->slot));
}

static bool find_own(const struct shmz *z, struct own *own)
{
	int number;

	if (z->slot == SLOT_NONE || lacks_client(z))
		return false;
	number = thread_number();
	if (number < 0)
		return false;
	own->number = number;
	own->cache = slot_cache(z->slot, number);
	own->fresh = load(caches[z->slot]) != own->cache;
	/* 0: its pages are new, or those of the child of a fork. */
	return own->fresh || (int32_t)load(own->cache->key) <= 0;
}

int client_ioctl(const struct shmz *z, unsigned long cmd, void *args)
{
	struct shmzone_cache_client client = { .size = sizeof(client) };
	int ret = lib_ioctl(z->fd, cmd, args);

	if (ret != -ENXIO || z->slot == SLOT_NONE || lacks_client(z))
		return ret;
	/* The kernel looks there for the size of a structure, and finds 0. */
	lib_ioctl(z->fd, SHMZONE_CACHE_CLIENT, slot_cache(z->slot, 0));
	ret = lib_ioctl(z->fd, cmd, args);
	if (ret == -ENXIO && lib_ioctl(z->fd, SHMZONE_CACHE_CLIENT, &client) == -ENXIO)
		store(*slot_lacks_client(z->slot), true);
	return ret;
}

/* REFILL or DRAIN; with the first one that works the cache is set up. */
static int call(const struct shmz *z, const struct own *own, unsigned long cmd,
		void *args)
{
	int ret;

	if (!own->fresh)
		return lib_ioctl(z->fd, cmd, args);
	ret = client_ioctl(z, cmd, args);
	/* Who had the number before vanished in the middle of something. */
	if (ret == -EBUSY) {
		store(own->cache->key, 0);
		ret = lib_ioctl(z->fd, cmd, args);
	}
	if (!ret)
		store(caches[z->slot], own->cache);
	return ret;
}

/* Errors that ALLOC would answer with too. */
static bool is_final(int ret, const struct own *own)
{
	return (ret == -ENOMEM && !own->fresh) || ret == -EPERM ||
	       ret == -EINTR;
}

static bool pop_own(const struct shmz *z, const struct own *own,
		    const struct shmzone_bin *bin, void **p)
{
	return cache_pop(z, own->cache,
			 SHMZONE_CACHE_BIN_WORD + (bin - own->cache->bin), p);
}

int cache_refill(struct shmz *z, uint32_t class, uint32_t group, void **p)
{
	struct shmzone_cache_refill args = {
		.size = sizeof(args),
		.size_class = class,
		.group = group,
	};
	struct own own;
	int tries, ret;

	if (!find_own(z, &own))
		return -EAGAIN;
	if (!own.fresh && depot_take(z, own.cache, class, group) &&
	    pop_own(z, &own, bin_of(own.cache, class, group), p))
		return 0;
	args.cache = own.number;
	for (tries = 0; tries < TRIES; tries++) {
		ret = call(z, &own, SHMZONE_CACHE_REFILL, &args);
		if (ret)
			return is_final(ret, &own) ? ret : -EAGAIN;
		if (pop_own(z, &own, &own.cache->bin[args.out_bin], p))
			return 0;
	}
	return -EAGAIN;
}

/* Whether a cache that is set up is not for slots of a page, as another owns them. */
static bool is_foreign(const struct shmz *z, const struct own *own, uint32_t entry)
{
	uint32_t key = load(own->cache->key);

	return !is_own(entry, z->checked ? key + SHMZONE_CACHE_CHECKED : key);
}

/* Into the bin for slots of that page, or in checked zones the one for all. */
static bool push_own(const struct shmz *z, const struct own *own, uint32_t entry,
		     uint64_t offset)
{
	uint32_t class = SHMZONE_PAGE_CLASS(entry), group = SHMZONE_PAGE_GROUP(entry);
	struct shmzone_cache_head *c = own->cache;
	struct shmzone_bin *bin = bin_of(c, class, group);
	uint32_t key = c->key;

	if (z->checked) {
		offset |= (uint64_t)bin->cur << SHMZONE_CACHE_CUR_SHIFT;
		bin = &c->bin[SHMZONE_CACHE_PENDING];
	}
	return is_idle(key) && cache_push(c, bin, offset, key);
}

int cache_drain(struct shmz *z, uint32_t entry, uint64_t offset)
{
	struct shmzone_cache_drain args = {
		.size = sizeof(args),
		.size_class = SHMZONE_PAGE_CLASS(entry),
		.group = SHMZONE_PAGE_GROUP(entry),
	};
	struct own own;
	int tries;

	if (z->checked && z->class[args.size_class].slot_bytes > SHMZONE_CACHE_PENDING_BYTES)
		return -EAGAIN;
	if (!find_own(z, &own))
		return -EAGAIN;
	if (!own.fresh) {
		if (load(own.cache->key) && is_foreign(z, &own, entry))
			return -EAGAIN;
		if (push_own(z, &own, entry, offset) ||
		    (!z->checked && depot_put(z, own.cache, args.size_class, args.group, offset)))
			return 0;
	}
	args.cache = own.number;
	for (tries = 0; tries < TRIES; tries++) {
		if (call(z, &own, SHMZONE_CACHE_DRAIN, &args) || is_foreign(z, &own, entry))
			break;
		if (args.out_count && !z->checked)
			depot_grow(z, own.cache, args.size_class, args.group);
		if (push_own(z, &own, entry, offset))
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
	struct own own;
	int ret;

	/* Nothing is set up for this. */
	if (load(caches[z->slot]) == &empty_cache || lacks_client(z))
		return 0;
	if (!find_own(z, &own))
		return -EBUSY;
	if (own.fresh)
		return 0;
	args.cache = own.number;
	ret = lib_ioctl(z->fd, SHMZONE_CACHE_DRAIN, &args);
	/* The child of a fork that has none. */
	if (ret == -ENXIO)
		return 0;
	return ret ? ret : -(int)args.out_error;
}

ssize_t shmz_reclaim_caches(struct shmz *z)
{
	struct shmzone_cache_reclaim args = { .size = sizeof(args) };
	int ret = lib_ioctl(z->fd, SHMZONE_CACHE_RECLAIM, &args);

	return ret ? ret : (ssize_t)args.out_count;
}
