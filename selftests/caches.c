// SPDX-License-Identifier: GPL-2.0
/* See caches.h. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "caches.h"
#include "crowd.h"

void (*cache_dawdle)(void);

struct shmzone_cache *map_caches(int zone, unsigned int count)
{
	return mmap(NULL, (size_t)count * SHMZONE_CACHE_BYTES, PROT_READ | PROT_WRITE,
		    MAP_SHARED, zone, SHMZONE_MMAP_CACHES);
}

int _try_map_caches(int zone, unsigned int count)
{
	return map_caches(zone, count) == MAP_FAILED ? -errno : 0;
}

struct shmzone_cache *cache_at(struct shmzone_cache *caches, unsigned int index)
{
	return (void *)((char *)caches + (size_t)index * SHMZONE_CACHE_BYTES);
}

__u64 *cache_words(struct shmzone_cache *cache)
{
	return (__u64 *)&cache->head;
}

unsigned int cache_used(const struct shmzone_cache *cache, unsigned int bin)
{
	const struct shmzone_cache_head *head = &cache->head;
	unsigned int cur = head->bin[bin].cur;

	/* Not set up. */
	if (!cur)
		return 0;
	while (~((const __u64 *)head)[cur])
		cur--;
	return head->bin[bin].cur - cur;
}

unsigned int cache_capacity(const struct shmzone_cache *cache, unsigned int bin)
{
	const struct shmzone_bin *b = &cache->head.bin[bin];

	return cache_used(cache, bin) + b->end - b->cur;
}

/* The key while the thread is not at work, and while it is. */
void cache_be_idle(struct shmzone_cache *cache)
{
	cache->head.key = -((__u32)SHMZONE_KIND_SLAB << 10);
}

void cache_be_busy(struct shmzone_cache *cache)
{
	cache->head.key = SHMZONE_CACHE_BUSY;
}

int _try_refill(int zone, __u32 cache, __u32 class, __u32 group,
		struct shmzone_cache_refill *answer)
{
	struct shmzone_cache_refill args = {
		SIZED(shmzone_cache_refill),
		.cache = cache, .size_class = class, .group = group,
	};
	int ret = _try_call(zone, SHMZONE_CACHE_REFILL, &args);

	if (answer)
		*answer = args;
	return ret;
}

int _try_drain(int zone, __u32 cache, __u32 class, __u32 group,
	       struct shmzone_cache_drain *answer)
{
	struct shmzone_cache_drain args = {
		SIZED(shmzone_cache_drain),
		.cache = cache, .size_class = class, .group = group,
	};
	int ret = _try_call(zone, SHMZONE_CACHE_DRAIN, &args);

	if (answer)
		*answer = args;
	return ret;
}

int _try_share_cache(int zone, __u32 cache, __u32 class)
{
	struct shmzone_cache_drain args = {
		SIZED(shmzone_cache_drain),
		.flags = SHMZONE_CACHE_DRAIN_SHARED, .cache = cache, .size_class = class,
	};

	return _try_call(zone, SHMZONE_CACHE_DRAIN, &args);
}

int _try_drain_told(int zone, __u32 cache, struct shmzone_cache_drain *answer)
{
	*answer = (struct shmzone_cache_drain){
		SIZED(shmzone_cache_drain),
		.flags = SHMZONE_CACHE_DRAIN_ALL, .cache = cache,
	};
	return _try_call(zone, SHMZONE_CACHE_DRAIN, answer);
}

long _try_drain_all(int zone, __u32 cache)
{
	struct shmzone_cache_drain args;
	int ret = _try_drain_told(zone, cache, &args);

	return ret ? ret : (long)args.out_count;
}

long _try_reclaim(int zone, struct shmzone_cache_reclaim *answer)
{
	struct shmzone_cache_reclaim args = { SIZED(shmzone_cache_reclaim) };
	int ret = _try_call(zone, SHMZONE_CACHE_RECLAIM, &args);

	if (answer)
		*answer = args;
	return ret ? ret : (long)args.out_count;
}

long _try_client(int zone)
{
	struct shmzone_cache_client args = { SIZED(shmzone_cache_client) };
	int ret = _try_call(zone, SHMZONE_CACHE_CLIENT, &args);

	return ret ? ret : (long)args.out_client;
}

int _try_sync(int zone, __u64 client, __u64 timeout_ns)
{
	struct shmzone_cache_sync args = {
		SIZED(shmzone_cache_sync), .client = client, .timeout_ns = timeout_ns,
	};

	return _try_call(zone, SHMZONE_CACHE_SYNC, &args);
}

int _try_handover(int zone, unsigned long cmd, __u64 offset, __u64 other)
{
	struct shmzone_give args = {
		SIZED(shmzone_give), .offsets = to_u64(&offset), .count = 1, .client = other,
	};

	return _try_call(zone, cmd, &args);
}

void _try_anything(int zone, __u32 cache, __u64 *random)
{
	__u32 class = 1 + next_random(random) % (SHMZONE_CLASSES - 1);
	__u32 group = next_random(random) % 4 ? 0 : next_random(random) % SHMZONE_GROUPS;

	switch (next_random(random) % 8) {
	case 0:
		_try_drain_all(zone, cache);
		break;
	case 1:
		_try_reclaim(zone, NULL);
		break;
	case 2:
	case 3:
	case 4:
		_try_drain(zone, cache, class, group, NULL);
		break;
	default:
		_try_refill(zone, cache, class, group, NULL);
	}
}

__u32 class_of(int zone, __u64 bytes)
{
	struct shmzone_class classes[SHMZONE_CLASSES];
	struct shmzone_info info = {
		SIZED(shmzone_info), .classes = to_u64(classes),
		.class_count = SHMZONE_CLASSES, .class_size = sizeof(classes[0]),
	};
	__u32 class = 1;

	if (_try_call(zone, SHMZONE_INFO, &info))
		return 0;
	while (class < SHMZONE_CLASSES && classes[class].slot_bytes < bytes)
		class++;
	return class;
}

/*
 * Take a word, or add one; false if the bin is empty, or full, or the cache is
 * not set up. The compiler is not to move anything out of the time between the
 * stores to the key.
 */
static bool pop(struct shmzone_cache *cache, __u32 class, __u64 *offset)
{
	volatile struct shmzone_cache_head *c = &cache->head;
	volatile __u64 *words = cache_words(cache);
	__u32 key = c->key, cur;
	bool found;

	if ((int)key >= 0)
		return false;
	c->key = SHMZONE_CACHE_BUSY;
	cur = c->bin[class].cur;
	*offset = words[cur];
	found = ~*offset;
	if (found) {
		if (cache_dawdle)
			cache_dawdle();
		c->bin[class].cur = cur - 1;
	}
	c->key = key;
	return found;
}

static bool push(struct shmzone_cache *cache, __u32 class, __u64 offset)
{
	volatile struct shmzone_cache_head *c = &cache->head;
	volatile __u64 *words = cache_words(cache);
	__u32 key = c->key, cur;
	bool room;

	if ((int)key >= 0)
		return false;
	c->key = SHMZONE_CACHE_BUSY;
	cur = c->bin[class].cur;
	room = cur != c->bin[class].end;
	if (room) {
		words[cur + 1] = offset;
		c->bin[class].cur = cur + 1;
	}
	c->key = key;
	return room;
}

__u64 cache_alloc(int zone, struct shmzone_cache *caches, unsigned int index, __u32 class,
		  int *error)
{
	struct shmzone_cache *cache = cache_at(caches, index);
	struct shmzone_info info = { SIZED(shmzone_info) };
	struct shmzone_class classes[SHMZONE_CLASSES];
	__u64 offset;

	for (;;) {
		if (pop(cache, class, &offset))
			return offset;
		*error = _try_refill(zone, index, class, 0, NULL);
		if (!*error)
			continue;
		if (*error != -ENOSPC)
			return 0;
		info.classes = to_u64(classes);
		info.class_count = SHMZONE_CLASSES;
		info.class_size = sizeof(classes[0]);
		_try_call(zone, SHMZONE_INFO, &info);
		*error = _try_alloc(zone, classes[class].slot_bytes, 1, &offset);
		return *error < 0 ? 0 : offset;
	}
}

/* In a checked zone its key says so; there it goes into the bin of what waits. */
static bool push_free(struct shmzone_cache *cache, __u32 class, __u64 offset)
{
	__u64 cur = cache->head.bin[class].cur;

	if (cache->head.key & SHMZONE_CACHE_CHECKED)
		return push(cache, class, offset);
	return push(cache, SHMZONE_CACHE_PENDING, offset | cur << SHMZONE_CACHE_CUR_SHIFT);
}

int cache_free(int zone, struct shmzone_cache *caches, unsigned int index, __u32 class,
	       __u64 offset)
{
	struct shmzone_cache *cache = cache_at(caches, index);
	int ret;

	for (;;) {
		if (push_free(cache, class, offset))
			return 0;
		ret = _try_drain(zone, index, class, 0, NULL);
		if (!ret)
			continue;
		if (ret != -ENOSPC)
			return ret;
		ret = _try_free_at(zone, offset);
		return ret == 1 ? 0 : -EINVAL;
	}
}

bool comes_to_nothing(int zone)
{
	struct shmzone_stat stat;
	int tenths;

	for (tenths = 0; tenths < 300; tenths++) {
		if (!_try_stat(zone, &stat) && !stat.out_cached_objects)
			return true;
		usleep(100000);
	}
	return false;
}

/* Refills bring more than was asked for. */
static void trim(int zone, struct shmzone_cache *cache, __u32 class, unsigned int n)
{
	__u64 offset;

	while (cache_used(cache, class) > n && pop(cache, class, &offset))
		if (_try_free_at(zone, offset) != 1)
			break;
}

/* Where what is freed does not come into the stock: refills, of which each brings more. */
static void fill_by_refills(int zone, struct shmzone_cache *cache, unsigned int index,
			    __u32 class, unsigned int n)
{
	while (cache_used(cache, class) < n) {
		trim(zone, cache, class, 0);
		if (_try_refill(zone, index, class, 0, NULL))
			break;
	}
}

unsigned int cache_fill(int zone, struct shmzone_cache *caches, unsigned int index,
			__u32 class, unsigned int n)
{
	static __thread __u64 offsets[256];
	struct shmzone_cache *cache = cache_at(caches, index);
	unsigned int i, got;
	int error;

	for (got = 0; got < n; got++) {
		offsets[got] = cache_alloc(zone, caches, index, class, &error);
		if (!offsets[got])
			break;
	}
	for (i = 0; i < got; i++)
		if (cache_free(zone, caches, index, class, offsets[i]))
			return i;
	if (!(cache->head.key & SHMZONE_CACHE_CHECKED))
		fill_by_refills(zone, cache, index, class, n);
	trim(zone, cache, class, n);
	return cache_used(cache, class);
}
