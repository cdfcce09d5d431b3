/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core's memory would take in the kernel.
 */
#ifndef SHMZONE_BENCH_KMEM_H
#define SHMZONE_BENCH_KMEM_H

#include "bench.h"

/* From here on, what the core allocates and frees is noted. */
void kmem_watch(void);

/* Ends that, and forgets. */
void kmem_unwatch(void);

/* Of what was noted and is still there: bytes asked for, bytes taken by it. */
u64 kmem_requested(void);
u64 kmem_allocated(void);

/*
 * What the core calls for memory with, and what then is called: the linker
 * makes these names of those in core_env.h.
 */
void *__real_core_zalloc(size_t bytes);
void __real_core_free(const void *object);
void __real_core_free_rcu(void *object);
void *__real_core_zalloc_array(size_t n, size_t bytes);
void __real_core_free_array(const void *array);
void *__real_core_cache_zalloc(struct kmem_cache *cache);
void __real_core_cache_free(struct kmem_cache *cache, void *object);

void *__wrap_core_zalloc(size_t bytes);
void __wrap_core_free(const void *object);
void __wrap_core_free_rcu(void *object);
void *__wrap_core_zalloc_array(size_t n, size_t bytes);
void __wrap_core_free_array(const void *array);
void *__wrap_core_cache_zalloc(struct kmem_cache *cache);
void __wrap_core_cache_free(struct kmem_cache *cache, void *object);

#endif /* SHMZONE_BENCH_KMEM_H */
