/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core needs of its surroundings: the only header of the core that
 * names kernel headers. The host harness (selftests/host/core_env.h) has the
 * same include guard and is included first there, which empties this file;
 * whatever is added here has to be added there.
 *
 * Beside what the kernel headers below define (RCU among it), the core uses:
 *
 *	struct core_lock		a lock that is not slept under
 *	core_zalloc, core_free		objects up to a page; freeing never sleeps;
 *					a power of two is aligned to itself
 *	core_zalloc_array, core_free_array	longer ones; both may sleep
 *	core_free_rcu			frees, perhaps much later, what readers
 *					under RCU may still see; may sleep
 *	core_cache_*			objects of one size, packed tightly
 *	core_uncleared			of a variable on the stack: not to be cleared
 *					by compilers that are told to clear all
 *
 * Memory is charged to the memory cgroup of whoever asks for it, and a
 * shortage is the caller's to report, so it is worth neither a warning nor a
 * process to be killed for it.
 */
#ifndef SHMZONE_CORE_ENV_H
#define SHMZONE_CORE_ENV_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>

/*
 * For large arrays of which only what was written is read: some kernels have all
 * variables cleared, which takes longer than what they are used for.
 */
#if __has_attribute(__uninitialized__)
#define core_uncleared	__attribute__((__uninitialized__))
#else
#define core_uncleared
#endif

#define CORE_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

struct core_lock {
	spinlock_t spin;
};

#define core_lock_init(lock)	spin_lock_init(&(lock)->spin)
#define core_lock(lock)		spin_lock(&(lock)->spin)
#define core_trylock(lock)	spin_trylock(&(lock)->spin)
#define core_unlock(lock)	spin_unlock(&(lock)->spin)
#define core_assert_held(lock)	lockdep_assert_held(&(lock)->spin)

static inline void *core_zalloc(size_t bytes)
{
	return kzalloc(bytes, CORE_GFP);
}

static inline void core_free(const void *object)
{
	kfree(object);
}

static inline void core_free_rcu(void *object)
{
	kvfree_rcu_mightsleep(object);
}

static inline void *core_zalloc_array(size_t n, size_t bytes)
{
	return kvcalloc(n, bytes, CORE_GFP);
}

static inline void core_free_array(const void *array)
{
	kvfree(array);
}

/* Names are told apart by module: a test module has its own copy of the core. */
#define CORE_NAME(name)	KBUILD_MODNAME "_" name

static inline struct kmem_cache *core_cache_create(const char *name, size_t bytes)
{
	return kmem_cache_create(name, bytes, 0, 0, NULL);
}

static inline void core_cache_destroy(struct kmem_cache *cache)
{
	kmem_cache_destroy(cache);
}

static inline void *core_cache_zalloc(struct kmem_cache *cache)
{
	return kmem_cache_zalloc(cache, CORE_GFP);
}

static inline void core_cache_free(struct kmem_cache *cache, void *object)
{
	kmem_cache_free(cache, object);
}

#endif /* SHMZONE_CORE_ENV_H */
