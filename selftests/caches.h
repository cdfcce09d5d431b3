/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs that test caches share: the thread's side of one, as
 * linux/shmzone_cache.h has it, and the commands.
 */
#ifndef SHMZONE_SELFTESTS_CACHES_H
#define SHMZONE_SELFTESTS_CACHES_H

#include "utils.h"

/* Returns MAP_FAILED with errno as mmap(2) does. */
struct shmzone_cache *map_caches(int zone, unsigned int count);
int _try_map_caches(int zone, unsigned int count);
struct shmzone_cache *cache_at(struct shmzone_cache *caches, unsigned int index);
__u64 *cache_words(struct shmzone_cache *cache);
unsigned int cache_used(const struct shmzone_cache *cache, unsigned int bin);
unsigned int cache_capacity(const struct shmzone_cache *cache, unsigned int bin);
void cache_be_idle(struct shmzone_cache *cache);
void cache_be_busy(struct shmzone_cache *cache);

int _try_refill(int zone, __u32 cache, __u32 class, __u32 group,
		struct shmzone_cache_refill *answer);
/* All that is in a cache; in a checked zone @answer tells what was refused. */
int _try_drain_told(int zone, __u32 cache, struct shmzone_cache_drain *answer);
int _try_drain(int zone, __u32 cache, __u32 class, __u32 group,
	       struct shmzone_cache_drain *answer);
/* CACHE_DRAIN that says that threads use it together. */
int _try_share_cache(int zone, __u32 cache, __u32 class);
/* These give how many slots were freed. */
long _try_drain_all(int zone, __u32 cache);
long _try_reclaim(int zone, struct shmzone_cache_reclaim *answer);
long _try_client(int zone);
int _try_sync(int zone, __u64 client, __u64 timeout_ns);

/* GIVE, OFFER, TAKE or LINK one object, from or to a client, or to a parent. */
int _try_handover(int zone, unsigned long cmd, __u64 offset, __u64 other);

/* Any one of these, with any class and group; what comes of it is not told. */
void _try_anything(int zone, __u32 cache, __u64 *random);

/* The class of objects of that size. */
__u32 class_of(int zone, __u64 bytes);

/* If set, called in the middle of an operation, as if the thread were slow. */
extern void (*cache_dawdle)(void);

/*
 * Allocate and free by the cache, or, where that does not work, by ioctl; of a
 * class in group 0. 0 and -errno: there is no memory. In a checked zone what is freed
 * waits there for the kernel.
 */
__u64 cache_alloc(int zone, struct shmzone_cache *caches, unsigned int index,
		  __u32 class, int *error);
int cache_free(int zone, struct shmzone_cache *caches, unsigned int index, __u32 class,
	       __u64 offset);

/* Have @n slots in a bin, by allocating and freeing; gives how many are in it. */
unsigned int cache_fill(int zone, struct shmzone_cache *caches, unsigned int index,
			__u32 class, unsigned int n);

/* Whether nothing is in caches any more, within half a minute. */
bool comes_to_nothing(int zone);

#define map_caches_ok(...)						\
({									\
	struct shmzone_cache *_caches = map_caches(__VA_ARGS__);	\
									\
	ASSERT_TRUE(_caches != MAP_FAILED);				\
	_caches;							\
})

#define fail_map_caches(e, ...)	gives_errno(e, _try_map_caches(__VA_ARGS__))
#define refill(...)		not_negative(_try_refill(__VA_ARGS__))
#define fail_refill(e, ...)	gives_errno(e, _try_refill(__VA_ARGS__))
#define drain(...)		not_negative(_try_drain(__VA_ARGS__))
#define fail_drain(e, ...)	gives_errno(e, _try_drain(__VA_ARGS__))
#define drain_all(...)		not_negative(_try_drain_all(__VA_ARGS__))
#define reclaim(...)		not_negative(_try_reclaim(__VA_ARGS__))
#define client_of(...)		not_negative(_try_client(__VA_ARGS__))
#define sync_client(...)	not_negative(_try_sync(__VA_ARGS__))

#endif /* SHMZONE_SELFTESTS_CACHES_H */
