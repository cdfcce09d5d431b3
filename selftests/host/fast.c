// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for benchmarks, as near to the kernel's as a program can have it.
 *
 * The kernel keeps objects of one size side by side, and sees all of its memory
 * through huge pages. Here, caches and whole pages take theirs from one arena
 * that is advised to be of huge pages; glibc's malloc() would put 16 bytes in
 * front of each object and spend a TLB entry on every 4 KiB. Only built with
 * HOST_FAST, in place of what host.c has.
 */
#include "host.h"
#include "fast.h"

#include <sys/mman.h>

#define ARENA_BYTES	(1ULL << 36)
#define BLOCK_BYTES	32768		/* as the kernel's largest slabs */

/**
 * struct kmem_cache - a cache
 * @bytes: in an object
 * @free: objects that were freed, linked by their first words
 * @fresh: where those begin that never were in use, so that nobody has touched them
 * @left: how many of these
 */
struct kmem_cache {
	size_t bytes;
	void *free;
	char *fresh;
	size_t left;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kmem_cache page_cache = { .bytes = PAGE_SIZE };
static char *arena, *arena_next;

static char *arena_block(void)
{
	if (!arena) {
		arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (arena == MAP_FAILED)
			abort();
		madvise(arena, ARENA_BYTES, MADV_HUGEPAGE);
		arena_next = arena;
	}
	if (arena_next == arena + ARENA_BYTES)
		abort();
	arena_next += BLOCK_BYTES;
	return arena_next - BLOCK_BYTES;
}

static void *take_fresh(struct kmem_cache *cache)
{
	if (!cache->left) {
		cache->fresh = arena_block();
		cache->left = BLOCK_BYTES / cache->bytes;
	}
	cache->left--;
	cache->fresh += cache->bytes;
	return cache->fresh - cache->bytes;
}

void *core_cache_zalloc(struct kmem_cache *cache)
{
	void **object;

	pthread_mutex_lock(&lock);
	object = cache->free;
	if (object)
		cache->free = *object;
	else
		object = take_fresh(cache);
	pthread_mutex_unlock(&lock);
	return memset(object, 0, cache->bytes);
}

void core_cache_free(struct kmem_cache *cache, void *object)
{
	pthread_mutex_lock(&lock);
	*(void **)object = cache->free;
	cache->free = object;
	pthread_mutex_unlock(&lock);
}

struct kmem_cache *core_cache_create(const char *name, size_t bytes)
{
	struct kmem_cache *cache = calloc(1, sizeof(*cache));

	(void)name;
	if (bytes > BLOCK_BYTES)
		abort();
	cache->bytes = bytes;
	return cache;
}

void core_cache_destroy(struct kmem_cache *cache)
{
	free(cache);
}

size_t host_cache_bytes(const struct kmem_cache *cache)
{
	return cache->bytes;
}

void *fast_page(void)
{
	return core_cache_zalloc(&page_cache);
}

bool fast_page_free(const void *object)
{
	if ((char *)object < arena || (char *)object >= arena + ARENA_BYTES)
		return false;
	core_cache_free(&page_cache, (void *)object);
	return true;
}
