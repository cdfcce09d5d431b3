// SPDX-License-Identifier: GPL-2.0
/*
 * The stand-in for the device: clients and their caches. See device.h.
 *
 * A client is a process's mapping of a zone's caches. It holds a reference to
 * the zone. After a fork the child has the mapping, but no client: that is made
 * when it is first looked for, with caches that have not been set up.
 */
#include "device.h"

#include <sys/mman.h>

/**
 * struct cache - the kernel's side of one cache
 * @lock: serialises what is done to it
 * @ready: it is set up
 * @index: in the mapping
 * @magazines: what is known of it
 */
struct cache {
	pthread_mutex_t lock;
	bool ready;
	u32 index;
	struct magazines magazines;
};

/**
 * struct client - a process's caches of a zone
 * @zone: the zone
 * @process: number of the process
 * @area: where the caches are
 * @bytes: its length
 * @lock: for @cache
 * @cache: caches used so far
 * @next: another one of the same bucket
 */
struct client {
	struct zone *zone;
	u64 process;
	char *area;
	size_t bytes;
	pthread_mutex_t lock;
	struct cache **cache;
	struct client *next;
};

#define AREAS_MAX	256

/* Who has which area mapped; inherited by children. */
static struct {
	void *area;
	size_t bytes;
	struct zone *zone;
} areas[AREAS_MAX];
static pthread_mutex_t areas_lock = PTHREAD_MUTEX_INITIALIZER;

static struct client **bucket(struct zone *zone, u64 process)
{
	return &zone->clients[process * 0x9e3779b97f4a7c15 >> 60];
}

static struct client *client_make(struct zone *zone, u64 process, void *area, size_t bytes)
{
	struct client *client = calloc(1, sizeof(*client));

	client->zone = zone;
	client->process = process;
	client->area = area;
	client->bytes = bytes;
	client->cache = calloc(bytes / MAGAZINE_CACHE_BYTES, sizeof(client->cache[0]));
	pthread_mutex_init(&client->lock, NULL);
	client->next = *bucket(zone, process);
	/* Pairs with client_find(). */
	smp_store_release(bucket(zone, process), client);
	return client;
}

/* The child of a fork has what its parent had mapped. */
static struct client *client_inherit(struct zone *zone, u64 process)
{
	struct client *client = NULL;
	u32 i;

	pthread_mutex_lock(&areas_lock);
	for (i = 0; i < AREAS_MAX; i++)
		if (areas[i].zone == zone) {
			client = client_make(zone, process, areas[i].area, areas[i].bytes);
			atomic64_set(&zone->stock, 0);
		}
	pthread_mutex_unlock(&areas_lock);
	return client;
}

static struct client *client_find(struct zone *zone, bool inherit)
{
	u64 process = device_process();
	/* Pairs with client_add(). */
	struct client *client = smp_load_acquire(bucket(zone, process));

	while (client && client->process != process)
		client = client->next;
	return client || !inherit ? client : client_inherit(zone, process);
}

int client_map(struct zone *zone, void **area, size_t bytes)
{
	u32 i;

	if (client_find(zone, true))
		return -EBUSY;
	*area = device_area(*area, bytes);
	if (!*area)
		return -ENOMEM;
	zone->refs++;
	client_make(zone, device_process(), *area, bytes);
	pthread_mutex_lock(&areas_lock);
	for (i = 0; i < AREAS_MAX - 1 && areas[i].zone; i++)
		;
	areas[i].area = *area;
	areas[i].bytes = bytes;
	areas[i].zone = zone;
	pthread_mutex_unlock(&areas_lock);
	return 0;
}

/* Caches. */

static struct cache *cache_make(struct client *client, u32 index)
{
	struct cache *cache;

	pthread_mutex_lock(&client->lock);
	cache = client->cache[index];
	if (!cache) {
		cache = calloc(1, sizeof(*cache));
		cache->index = index;
		pthread_mutex_init(&cache->lock, NULL);
		/* Pairs with those who look. */
		smp_store_release(&client->cache[index], cache);
	}
	pthread_mutex_unlock(&client->lock);
	return cache;
}

/* Locks it. */
static struct cache *cache_get(struct zone *zone, u32 index)
{
	struct client *client = client_find(zone, true);
	struct cache *cache;

	if (!client || index >= client->bytes / MAGAZINE_CACHE_BYTES)
		return NULL;
	/* Pairs with cache_make(). */
	cache = smp_load_acquire(&client->cache[index]);
	if (!cache)
		cache = cache_make(client, index);
	pthread_mutex_lock(&cache->lock);
	if (!cache->ready) {
		cache->magazines.page[0] = client->area +
					   index * (size_t)MAGAZINE_CACHE_BYTES;
		magazines_init(&cache->magazines, SHMZONE_KIND_SLAB << 10, false);
		cache->ready = true;
	}
	magazines_show_key(&cache->magazines);
	return cache;
}

static void cache_put(struct cache *cache)
{
	pthread_mutex_unlock(&cache->lock);
}

/* As if nobody else had caches; how several share is not for here. */
static void cache_grow(struct zone *zone, struct cache *cache, u32 bin)
{
	struct magazines *m = &cache->magazines;
	u64 growth = magazine_growth(m, bin), most, limit = zone->bytes;
	u32 page;

	most = max_t(u64, 1 << 20, limit / 32);
	if (!growth)
		return;
	if (atomic64_read(&zone->stock) + growth > most)
		return;
	/* The pages are the process's memory all the time. */
	while ((page = magazine_lacks(m, bin)))
		m->page[page] = (char *)m->page[0] + page * PAGE_SIZE;
	atomic64_add(growth, &zone->stock);
	magazine_grow(m, bin);
}

static void free_all(struct zone *zone, const u64 *offsets, u32 n)
{
	u32 bad, some;

	for (; n; offsets += some, n -= some) {
		some = min_t(u32, n, HEAP_BATCH_MAX);
		heap_free(zone->heap, offsets, some, 0, &bad);
	}
}

/* Returns how many, or a negative errno if none. */
static int alloc_all(struct zone *zone, const struct heap_request *request, u64 *offsets, u32 n)
{
	u32 done = 0, some;
	int got;

	do {
		some = min_t(u32, n - done, HEAP_BATCH_MAX);
		got = heap_alloc(zone->heap, request, offsets + done, some);
		if (got < 0)
			return done ? (int)done : got;
		done += got;
	} while (done < n && got == (int)some);
	return done;
}

/* Finds the bin or makes it, and lets it grow: -ENOSPC if it has no capacity. */
static int open_bin(struct zone *zone, struct cache *cache, u32 class, u32 group,
		    u32 *bin)
{
	*bin = magazine_make(&cache->magazines, class, group);
	if (!*bin)
		return -ENOSPC;
	cache_grow(zone, cache, *bin);
	return cache->magazines.magazine[*bin].capacity ? 0 : -ENOSPC;
}

static int cache_refill(struct zone *zone, struct cache *cache,
			struct shmzone_cache_refill *args)
{
	struct magazines *m = &cache->magazines;
	struct heap_request request = {
		.bytes = class_table[args->size_class].slot_bytes,
		.group = args->group,
		.hint = cache->index,
	};
	u64 offsets[MAGAZINE_IN_MAX];
	u32 bin, room, put;
	int got, ret;

	if (magazines_busy(m))
		return -EBUSY;
	ret = open_bin(zone, cache, args->size_class, args->group, &bin);
	if (ret)
		return ret;
	args->out_bin = bin;
	args->out_count = 0;
	room = m->magazine[bin].capacity - magazine_used(m, bin);
	if (!room)
		return 0;
	got = alloc_all(zone, &request, offsets,
			min(room, magazine_portion(m, bin, MAGAZINE_IN)));
	if (got < 0)
		return got;
	put = magazine_put(m, bin, offsets, got);
	free_all(zone, offsets + put, got - put);
	args->out_count = put;
	return 0;
}

static bool is_slot_class(u32 class, u32 group)
{
	return class != CLASS_SPAN && class < CLASS_COUNT && group < CLASS_GROUPS;
}

int client_refill(struct zone *zone, void *cmd)
{
	struct shmzone_cache_refill *args = cmd;
	struct cache *cache;
	int ret;

	if (args->flags || args->__reserved)
		return -EOPNOTSUPP;
	if (!is_slot_class(args->size_class, args->group))
		return -EINVAL;
	cache = cache_get(zone, args->cache);
	if (!cache)
		return -ENXIO;
	ret = cache_refill(zone, cache, args);
	cache_put(cache);
	return ret;
}

static u32 empty_bin(struct zone *zone, struct magazines *m, u32 bin)
{
	u64 offsets[HEAP_BATCH_MAX];
	u32 n, sum = 0;

	while ((n = magazine_take(m, bin, offsets, HEAP_BATCH_MAX))) {
		free_all(zone, offsets, n);
		sum += n;
	}
	return sum;
}

static u64 cache_empty(struct zone *zone, struct cache *cache)
{
	struct magazines *m = &cache->magazines;
	u64 sum = 0;
	u32 bin;

	for (bin = 1; bin < m->bins; bin++) {
		sum += empty_bin(zone, m, bin);
		atomic64_sub(magazine_shut(m, bin), &zone->stock);
	}
	return sum;
}

static int cache_drain(struct zone *zone, struct cache *cache,
		       struct shmzone_cache_drain *args)
{
	struct magazines *m = &cache->magazines;
	u64 offsets[MAGAZINE_OUT_MAX];
	u32 bin, n, left = 0, sum = 0;
	int ret;

	if (magazines_busy(m))
		return -EBUSY;
	if (args->flags & SHMZONE_CACHE_DRAIN_ALL) {
		args->out_bin = 0;
		args->out_count = cache_empty(zone, cache);
		return 0;
	}
	ret = open_bin(zone, cache, args->size_class, args->group, &bin);
	if (ret)
		return ret;
	if (magazine_used(m, bin) == m->magazine[bin].capacity)
		left = magazine_portion(m, bin, MAGAZINE_OUT);
	while ((n = magazine_take_old(m, bin, offsets, min(left, MAGAZINE_OUT_MAX)))) {
		free_all(zone, offsets, n);
		left -= n;
		sum += n;
	}
	args->out_bin = bin;
	args->out_count = sum;
	return 0;
}

int client_drain(struct zone *zone, void *cmd)
{
	struct shmzone_cache_drain *args = cmd;
	struct cache *cache;
	int ret;

	if (args->flags & ~(SHMZONE_CACHE_DRAIN_ALL | SHMZONE_CACHE_DRAIN_SHARED) ||
	    args->__reserved)
		return -EOPNOTSUPP;
	if (args->flags & SHMZONE_CACHE_DRAIN_ALL ? args->size_class || args->group :
			  !is_slot_class(args->size_class, args->group))
		return -EINVAL;
	cache = cache_get(zone, args->cache);
	if (!cache)
		return -ENXIO;
	ret = cache_drain(zone, cache, args);
	cache_put(cache);
	return ret;
}

/* Calls for each cache that is set up, locked. */
static void each_cache(struct client *client,
		       void (*call)(struct zone *zone, struct cache *cache, void *arg),
		       void *arg)
{
	u32 i;

	for (i = 0; i < client->bytes / MAGAZINE_CACHE_BYTES; i++) {
		/* The same. */
		struct cache *cache = smp_load_acquire(&client->cache[i]);

		if (!cache)
			continue;
		pthread_mutex_lock(&cache->lock);
		if (cache->ready)
			call(client->zone, cache, arg);
		pthread_mutex_unlock(&cache->lock);
	}
}

static void reclaim_cache(struct zone *zone, struct cache *cache, void *arg)
{
	struct shmzone_cache_reclaim *args = arg;

	if (magazines_busy(&cache->magazines)) {
		args->out_busy++;
		return;
	}
	args->out_count += cache_empty(zone, cache);
	args->out_caches++;
}

int client_number(struct zone *zone, void *cmd)
{
	struct shmzone_cache_client *args = cmd;
	const struct client *client = client_find(zone, true);

	if (args->size != sizeof(*args))
		return -EINVAL;
	if (!client)
		return -ENXIO;
	args->out_client = client->process;
	return 0;
}

int client_reclaim(struct zone *zone, void *cmd)
{
	struct shmzone_cache_reclaim *args = cmd;
	struct client *client = client_find(zone, false);

	args->out_caches = 0;
	args->out_busy = 0;
	args->out_count = 0;
	if (client)
		each_cache(client, reclaim_cache, args);
	return 0;
}

static void count_stock(struct zone *zone, struct cache *cache, void *arg)
{
	struct shmzone_stat *stat = arg;
	u64 slots;

	(void)zone;
	stat->out_cached_bytes += magazines_stock(&cache->magazines, &slots);
	stat->out_cached_objects += slots;
	stat->out_caches++;
}

void clients_stock(struct zone *zone, struct shmzone_stat *stat)
{
	struct client *client = client_find(zone, false);

	stat->out_cached_bytes = 0;
	stat->out_cached_objects = 0;
	stat->out_caches = 0;
	stat->out_bad_bins = atomic64_read(&zone->bad);
	if (client)
		each_cache(client, count_stock, stat);
}

static void end_cache(struct zone *zone, struct cache *cache, void *arg)
{
	(void)arg;
	cache_empty(zone, cache);
	atomic64_add(cache->magazines.wrong, &zone->bad);
}

static void client_end(struct client *client)
{
	struct client **link = bucket(client->zone, client->process);
	u32 i;

	each_cache(client, end_cache, NULL);
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	for (i = 0; i < client->bytes / MAGAZINE_CACHE_BYTES; i++)
		free(client->cache[i]);
	free(client->cache);
	free(client);
}

void device_forget_area(void *area)
{
	struct zone *zone = NULL;
	struct client *client;
	u32 i;

	pthread_mutex_lock(&areas_lock);
	for (i = 0; i < AREAS_MAX; i++)
		if (areas[i].area == area && areas[i].zone) {
			zone = areas[i].zone;
			areas[i].zone = NULL;
		}
	pthread_mutex_unlock(&areas_lock);
	if (!zone)
		return;
	client = client_find(zone, false);
	if (client)
		client_end(client);
	device_put(zone);
}
