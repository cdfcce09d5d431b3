// SPDX-License-Identifier: GPL-2.0
/*
 * The host harness: locks that know their owner, allocations that can fail,
 * memory freed after a grace period.
 */
#include "host.h"
#include "fast.h"
#include "../../kmod/core/heap.h"

#include <malloc.h>

static _Thread_local u32 fail_nth;
static _Thread_local bool fail_reached;
static _Thread_local u32 meanwhile_nth;
static _Thread_local void (*meanwhile_call)(void);
static _Atomic int64_t bytes_allocated;

#ifdef HOST_FAST

#define locks_held 0

#else

static _Thread_local u32 locks_held;
static u32 contend_nth;
static _Thread_local u32 attempts;

void core_lock_init(struct core_lock *lock)
{
	memset(lock, 0, sizeof(*lock));
	pthread_mutex_init(&lock->mutex, NULL);
}

static void locked(struct core_lock *lock)
{
	lock->owner = pthread_self();
	lock->held = true;
	locks_held++;
}

void core_lock(struct core_lock *lock)
{
	pthread_mutex_lock(&lock->mutex);
	locked(lock);
}

bool core_trylock(struct core_lock *lock)
{
	if (contend_nth && ++attempts % contend_nth == 0)
		return false;
	if (pthread_mutex_trylock(&lock->mutex))
		return false;
	locked(lock);
	return true;
}

void host_contend(u32 nth)
{
	contend_nth = nth;
}

void core_unlock(struct core_lock *lock)
{
	core_assert_held(lock);
	lock->held = false;
	locks_held--;
	pthread_mutex_unlock(&lock->mutex);
}

void core_assert_held(const struct core_lock *lock)
{
	WARN_ON_ONCE(!lock->held || !pthread_equal(lock->owner, pthread_self()));
}

#endif

void host_fail_nth(u32 nth)
{
	fail_nth = nth;
	fail_reached = false;
}

bool host_failed(void)
{
	fail_nth = 0;
	return fail_reached;
}

void host_meanwhile(u32 nth, void (*call)(void))
{
	meanwhile_nth = nth;
	meanwhile_call = call;
}

u64 host_bytes(void)
{
	host_rcu_barrier();
	return bytes_allocated;
}

void host_forget_bytes(void)
{
	bytes_allocated = 0;
}

void *core_zalloc(size_t bytes)
{
	void *object;

	WARN_ON_ONCE(locks_held);	/* allocating may sleep */
	if (meanwhile_nth && !--meanwhile_nth)
		meanwhile_call();
	if (fail_nth && !--fail_nth) {
		fail_reached = true;
		return NULL;
	}
#ifdef HOST_FAST
	if (bytes == PAGE_SIZE)
		return fast_page();
#endif
	/* Powers of two are aligned to themselves, as kmalloc() has them. */
	object = is_power_of_2(bytes) ? aligned_alloc(max(bytes, sizeof(void *)), bytes) :
					malloc(bytes);
	if (!object) {
		fprintf(stderr, "the host is out of memory\n");
		exit(1);
	}
	bytes_allocated += malloc_usable_size(object);
	return memset(object, 0, bytes);
}

void core_free(const void *object)
{
	if (!object)
		return;
#ifdef HOST_FAST
	if (fast_page_free(object))
		return;
#endif
	bytes_allocated -= malloc_usable_size((void *)object);
	free((void *)object);
}

void *core_zalloc_array(size_t n, size_t bytes)
{
	return core_zalloc(n * bytes);
}

void core_free_array(const void *array)
{
	WARN_ON_ONCE(locks_held);	/* freeing these may sleep */
	core_free(array);
}

/* Caches of objects. */

#ifndef HOST_FAST

struct kmem_cache {
	size_t bytes;
};

struct kmem_cache *core_cache_create(const char *name, size_t bytes)
{
	struct kmem_cache *cache = malloc(sizeof(*cache));

	(void)name;
	cache->bytes = bytes;
	return cache;
}

void core_cache_destroy(struct kmem_cache *cache)
{
	free(cache);
}

void *core_cache_zalloc(struct kmem_cache *cache)
{
	return core_zalloc(cache->bytes);
}

void core_cache_free(struct kmem_cache *cache, void *object)
{
	(void)cache;
	core_free(object);
}

#endif

__attribute__((constructor)) static void host_begin(void)
{
	if (heap_caches_create())
		abort();
}

/* What waits for a grace period, and how much makes it worth one. */
#ifdef HOST_YIELD
#define PENDING_MAX	64
#else
#define PENDING_MAX	4096
#endif

static struct rcu_head *pending;
static u32 pending_count;
static pthread_mutex_t pending_lock = PTHREAD_MUTEX_INITIALIZER;

static void pending_add(struct rcu_head *head)
{
	bool full;

	pthread_mutex_lock(&pending_lock);
	head->next = pending;
	pending = head;
	full = ++pending_count >= PENDING_MAX;
	pthread_mutex_unlock(&pending_lock);
	if (full && !locks_held)
		host_rcu_barrier();
}

void host_call_rcu(struct rcu_head *head, void (*call)(struct rcu_head *head))
{
	head->call = call;
	pending_add(head);
}

void host_rcu_barrier(void)
{
	struct rcu_head *list, *next;

	pthread_mutex_lock(&pending_lock);
	list = pending;
	pending = NULL;
	pending_count = 0;
	pthread_mutex_unlock(&pending_lock);
	if (list)
		urcu_bp_synchronize_rcu();
	for (; list; list = next) {
		next = list->next;
		list->call(list);
	}
}

/* An object that has no room for a struct rcu_head. */
struct free_later {
	struct rcu_head rcu;
	void *object;
};

static void free_later(struct rcu_head *rcu)
{
	struct free_later *later = container_of(rcu, struct free_later, rcu);

	core_free(later->object);
	free(later);
}

void core_free_rcu(void *object)
{
	struct free_later *later = malloc(sizeof(*later));

	WARN_ON_ONCE(locks_held);	/* may sleep */
	later->object = object;
	host_call_rcu(&later->rcu, free_later);
}

/* splitmix64 by Sebastiano Vigna, public domain. */
u64 host_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}
