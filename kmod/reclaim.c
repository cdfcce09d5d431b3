// SPDX-License-Identifier: GPL-2.0
/*
 * Whose stock is taken back, and when.
 *
 * - A request that falls short takes back the stock of caches, the largest
 *   first, until it is served or nothing is left. So does each attempt of one
 *   that waits. A request that all stock together could not serve, as spans, which
 *   are in no cache, leave no room for it, takes nothing.
 * - While somebody waits for memory, or polls a zone that is short of it, and
 *   once nothing may be allocated any more, caches get no capacity, and what they
 *   have is taken back: frees then come to the kernel, which wakes the waiters.
 * - Stock that nobody has used for a period, about a second, is taken back.
 * - Of a client that has too much and shares caches, those are taken back.
 *
 * A cache whose thread is at work is left alone. The periodic work comes back to
 * it for as long as any cache has capacity.
 *
 * "The largest first" goes by capacity, and by steps of eight times: that takes no
 * memory and a few passes over the clients. All passes but the last look at the
 * capacity without the cache's lock; the last takes every lock, so that it
 * misses no growth that did not see the caches shunned.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "client.h"
#include "core/heap.h"
#include "shmzone.h"

#define FLOOR_SHIFT	3
#define CEILING_MIN	(1ULL << 20)
#define CEILING_SHIFT	5

/* How often, and how far apart, busy caches of a zone being sealed are tried. */
#define SEAL_TRIES	20
#define SEAL_WAIT_MS	1

/*
 * Calls @act for each cache of clients that have capacity, which is where it may
 * have something to do, unless the caller is being killed.
 */
static void each_cache(struct shmzone *zone, void (*act)(struct cache *, void *),
		       void *arg)
{
	unsigned long id = 0;
	struct client *client;
	struct cache *cache;

	while (!fatal_signal_pending(current) && (client = client_next(zone, &id))) {
		cache = NULL;
		if (atomic64_read(&client->capacity))
			cache = client_first_cache(client);
		for (; cache && !fatal_signal_pending(current); cache = cache->next) {
			act(cache, arg);
			cond_resched();
		}
		client_put(client);
		cond_resched();
	}
}

static bool has_capacity(struct shmzone *zone)
{
	return atomic64_read(&zone->clients.capacity);
}

static void revoke_large(struct cache *cache, void *arg)
{
	struct reclaim *reclaim = arg;
	/* A guess will do for all passes but the last. */
	u64 bytes = data_race(cache->m.bytes);

	if (reclaim->floor == 1 || bytes >= reclaim->floor)
		cache_revoke(cache, false, reclaim);
	else
		reclaim->below = max(reclaim->below, bytes);
}

static void reclaim_pass(struct shmzone *zone, struct reclaim *reclaim)
{
	reclaim->below = 0;
	each_cache(zone, revoke_large, reclaim);
	if (reclaim->floor == 1)
		reclaim->floor = 0;
	else
		reclaim->floor = max(reclaim->below >> FLOOR_SHIFT, 1ULL);
}

static void revoke_idle(struct cache *cache, void *arg)
{
	cache_revoke(cache, true, arg);
}

/* What was freed is there for others. */
static void settle(struct shmzone *zone, const struct reclaim *reclaim)
{
	if (!reclaim->slots)
		return;
	zone_age_soon(zone);
	zone_wake(zone);
}

/* Whether a request could be served if all were free that may be in caches. */
static bool stock_may_help(struct shmzone *zone, const struct heap_request *req)
{
	u32 class = class_for(req->bytes, req->align);
	u64 pages = class_run_pages(class, req->bytes);
	struct heap_room room;

	heap_get_room(zone->heap, &room);
	if (pages < zone->bytes >> PAGE_SHIFT && room.span_pages <= room.limit_pages &&
	    pages <= room.limit_pages - room.span_pages)
		return true;
	return heap_has_slab(zone->heap, req);
}

/**
 * zone_reclaim() - take back stock for a request that fell short
 * @zone: the zone
 * @req: what is wanted
 * @reclaim: how far that went already; moves on
 *
 * Context: may sleep; the caller holds no lock.
 * Return: whether it is worth to try again.
 */
bool zone_reclaim(struct shmzone *zone, const struct heap_request *req,
		  struct reclaim *reclaim)
{
	u64 before = reclaim->slots;

	if (!has_capacity(zone) || !stock_may_help(zone, req))
		return false;
	while (reclaim->floor && reclaim->slots == before && has_capacity(zone))
		reclaim_pass(zone, reclaim);
	settle(zone, reclaim);
	return reclaim->slots != before;
}

/**
 * zone_reclaim_all() - take back all stock
 * @zone: the zone
 * @reclaim: counts; all zero
 *
 * Return: 0, or -EINTR if a fatal signal arrived.
 */
int zone_reclaim_all(struct shmzone *zone, struct reclaim *reclaim)
{
	reclaim->floor = 1;
	reclaim_pass(zone, reclaim);
	settle(zone, reclaim);
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/**
 * zone_reclaim_idle() - take back stock that was not used for a period
 * @zone: the zone
 *
 * All stock, if the zone is short of memory or sealed.
 */
void zone_reclaim_idle(struct shmzone *zone)
{
	struct reclaim reclaim = {};

	if (!has_capacity(zone))
		return;
	if (zone_shuns_caches(zone))
		zone_reclaim_all(zone, &reclaim);
	else
		each_cache(zone, revoke_idle, &reclaim);
}

/**
 * zone_reclaim_sealed() - take back all stock of a zone that was sealed
 * @zone: the zone
 *
 * Caches that stay busy are left to the periodic work.
 */
void zone_reclaim_sealed(struct shmzone *zone)
{
	int tries;

	for (tries = 0; tries < SEAL_TRIES && has_capacity(zone); tries++) {
		struct reclaim reclaim = {};

		if (tries)
			msleep(SEAL_WAIT_MS);
		if (zone_reclaim_all(zone, &reclaim))
			break;
	}
	zone_age_soon(zone);
}

/* Whether caches are to have no capacity, so that all frees come to the kernel. */
bool zone_shuns_caches(const struct shmzone *zone)
{
	return zone_is_short(zone) || zone_is_sealed(zone, SHMZONE_SEAL_ALLOC);
}

/* Whether a client has more than so many halves of what it leaves to others. */
static bool has_halves(const struct client *client, u32 halves)
{
	const struct zone_clients *clients = &client->zone->clients;
	u64 own = atomic64_read(&client->capacity);
	u64 all = atomic64_read(&clients->capacity);
	u64 ceiling = READ_ONCE(clients->ceiling);

	return own && (all >= ceiling || 2 * own > halves * (ceiling - all));
}

/* Whether its caches are to begin anew: see kmod/cache.c. */
bool client_has_too_much(const struct client *client)
{
	return has_halves(client, 4);
}

/**
 * client_revoke_shared() - take back what threads of a client share
 * @client: the caller's, which had too much
 *
 * One cache after the other, until they might grow themselves.
 */
void client_revoke_shared(struct client *client)
{
	struct reclaim reclaim = {};
	struct cache *cache;

	if (!READ_ONCE(client->shares))
		return;
	for (cache = client_first_cache(client); cache && has_halves(client, 1);
	     cache = cache->next) {
		if (READ_ONCE(cache->shared))
			cache_revoke(cache, false, &reclaim);
		cond_resched();
	}
	settle(client->zone, &reclaim);
}

/* The part of a limit that caches may keep; what they have beyond is left. */
void zone_limit_caches(struct shmzone *zone, u64 limit)
{
	WRITE_ONCE(zone->clients.ceiling,
		   max(limit >> CEILING_SHIFT, CEILING_MIN));
}

static void count_one(struct cache *cache, void *arg)
{
	/* Without capacity there is nothing in it. */
	if (data_race(cache->m.bytes))
		cache_count(cache, arg);
}

void zone_count_caches(struct shmzone *zone, struct cache_figures *figures)
{
	*figures = (struct cache_figures) {};
	if (has_capacity(zone))
		each_cache(zone, count_one, figures);
}

/**
 * struct search - what zone_find_cached() looks for
 * @objects: objects, in order of their offsets
 * @n: how many
 * @cached: set to 1 for those that are found
 */
struct search {
	const struct heap_object *objects;
	u32 n;
	u8 *cached;
};

static void find_offset(const struct search *search, u64 offset, u64 owner)
{
	const struct heap_object *objects = search->objects;
	u32 middle, low = 0, high = search->n;

	while (low < high) {
		middle = (low + high) / 2;
		if (objects[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	/* What a cache has of another's is none of its own. */
	if (low < search->n && objects[low].offset == offset &&
	    (!owner || objects[low].owner == owner))
		search->cached[low] = 1;
}

static void find_in(struct cache *cache, void *arg)
{
	u64 owner = cache->client->owner ? cache->client->id : 0;
	struct magazines *m = &cache->m;
	u32 bin, i, used;

	/* Without capacity there is nothing in it. */
	if (!data_race(m->bytes))
		return;
	mutex_lock(&cache->lock);
	for (bin = CLASS_SPAN + 1; bin < m->bins; bin++) {
		used = m->magazine[bin].capacity ? magazine_used(m, bin) : 0;
		for (i = 0; i < used; i++)
			find_offset(arg, magazine_word(m, bin, i), owner);
	}
	cache_end(cache);
}

/**
 * zone_find_cached() - which objects are slots that lie in caches
 * @zone: the zone
 * @objects: objects, in order of their offsets
 * @n: how many
 * @cached: set to 1 for those that do
 */
void zone_find_cached(struct shmzone *zone, const struct heap_object *objects,
		      u32 n, u8 *cached)
{
	struct search search = { .objects = objects, .n = n, .cached = cached };

	if (n && has_capacity(zone))
		each_cache(zone, find_in, &search);
}
