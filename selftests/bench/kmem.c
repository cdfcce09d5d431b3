// SPDX-License-Identifier: GPL-2.0
/*
 * What the core's memory would take in the kernel.
 *
 * The linker sends the core's calls for memory (core_env.h) here first (see
 * the Makefile for --wrap), which notes address and size while it is told to.
 * From the sizes of what is alive follows what the kernel's slab allocator
 * needs for it:
 *
 *	core_zalloc()		kmalloc: rounded up to one of its sizes, beyond
 *				two pages to a power of two of pages
 *	core_zalloc_array()	the same
 *	core_cache_zalloc()	exactly that size
 *
 * Objects of one size fill slabs of 2^0 to 2^3 pages: the smallest that leaves
 * at most a sixteenth over, else the largest. Each slab has, beside its
 * objects, a pointer to the memory cgroup for each of them. An object counts
 * with its share of a slab, since all zones use the same ones.
 */
#include "kmem.h"
#include "host.h"

#define ORDER_MAX	3
#define LEFT_OVER	16	/* a sixteenth */
#define CGROUP_BYTES	8
#define KMALLOC_SLAB_MAX	(2 * PAGE_SIZE)

/* An object that is alive; @bytes as the slab allocator sees it. */
struct object {
	const void *address;
	size_t requested;
	size_t bytes;
};

static struct object *objects;
static u64 count, room;
static bool watching;

static size_t kmalloc_bytes(size_t bytes)
{
	size_t power = 8;

	if (bytes > 64 && bytes <= 96)
		return 96;
	if (bytes > 128 && bytes <= 192)
		return 192;
	while (power < bytes)
		power *= 2;
	return power;
}

static double taken_by(size_t bytes)
{
	u64 slab, order;

	if (bytes > KMALLOC_SLAB_MAX)
		return bytes;
	for (order = 0; order < ORDER_MAX; order++) {
		slab = PAGE_SIZE << order;
		if (slab >= bytes && slab % bytes <= slab / LEFT_OVER)
			break;
	}
	slab = PAGE_SIZE << order;
	return (double)slab / (slab / bytes) + CGROUP_BYTES;
}

static void note(const void *address, size_t requested, size_t bytes)
{
	if (!watching || !address)
		return;
	if (count == room) {
		room = max(2 * room, 1024ULL);
		objects = realloc(objects, room * sizeof(*objects));
		if (!objects)
			bench_die("out of memory");
	}
	objects[count++] = (struct object){ address, requested, bytes };
}

/* What is freed here has mostly just been allocated. */
static void forget(const void *address)
{
	u64 i;

	for (i = watching ? count : 0; i; i--) {
		if (objects[i - 1].address != address)
			continue;
		objects[i - 1] = objects[--count];
		return;
	}
}

void kmem_watch(void)
{
	watching = true;
}

void kmem_unwatch(void)
{
	watching = false;
	free(objects);
	objects = NULL;
	count = 0;
	room = 0;
}

u64 kmem_requested(void)
{
	u64 i, sum = 0;

	for (i = 0; i < count; i++)
		sum += objects[i].requested;
	return sum;
}

u64 kmem_allocated(void)
{
	double sum = 0;
	u64 i;

	for (i = 0; i < count; i++)
		sum += taken_by(objects[i].bytes);
	return sum;
}

/* The core's environment, as kmem.h says. */

void *__wrap_core_zalloc(size_t bytes)
{
	void *object = __real_core_zalloc(bytes);

	note(object, bytes, kmalloc_bytes(bytes));
	return object;
}

void __wrap_core_free(const void *object)
{
	forget(object);
	__real_core_free(object);
}

void __wrap_core_free_rcu(void *object)
{
	forget(object);
	__real_core_free_rcu(object);
}

void *__wrap_core_zalloc_array(size_t n, size_t bytes)
{
	void *array = __real_core_zalloc_array(n, bytes);

	note(array, n * bytes, kmalloc_bytes(n * bytes));
	return array;
}

void __wrap_core_free_array(const void *array)
{
	forget(array);
	__real_core_free_array(array);
}

void *__wrap_core_cache_zalloc(struct kmem_cache *cache)
{
	void *object = __real_core_cache_zalloc(cache);

	note(object, host_cache_bytes(cache), host_cache_bytes(cache));
	return object;
}

void __wrap_core_cache_free(struct kmem_cache *cache, void *object)
{
	forget(object);
	__real_core_cache_free(cache, object);
}
