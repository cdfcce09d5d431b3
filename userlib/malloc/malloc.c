// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * malloc() and its kin on the process's zone.
 *
 * Objects of more than 8 bytes are rounded up to 16, as programs expect that
 * alignment of everything, and zones give it to multiples of 16 alone.
 */
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"

#define ALIGN	16

struct shmz *heap_zone(void)
{
	struct shmz *zone = atomic_load_explicit(&heap.zone, memory_order_acquire);

	return zone ? zone : heap_create();
}

void *heap_note(void *object, size_t bytes)
{
	uintptr_t end = (uintptr_t)object + bytes;
	uintptr_t top = atomic_load_explicit(&heap.top, memory_order_relaxed);

	while (object && end > top)
		if (atomic_compare_exchange_weak(&heap.top, &top, end))
			break;
	return object;
}

/* Never too large to be rounded: that is ENOMEM as it is. */
static size_t rounded(size_t bytes)
{
	if (bytes <= ALIGN / 2 || bytes > PTRDIFF_MAX)
		return bytes;
	return (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

void *malloc(size_t bytes)
{
	struct shmz *zone = heap_zone();

	bytes = rounded(bytes);
	return zone ? heap_note(shmz_alloc(zone, bytes), bytes) :
		      early_alloc(ALIGN, bytes);
}

void *calloc(size_t n, size_t bytes)
{
	struct shmz *zone = heap_zone();

	if (__builtin_mul_overflow(n, bytes, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	bytes = rounded(bytes);
	/* The early area is zero, and nothing in it is used twice. */
	return zone ? heap_note(shmz_zalloc(zone, bytes), bytes) :
		      early_alloc(ALIGN, bytes);
}

void free(void *object)
{
	int ret = 0;

	if (!object)
		return;
	if (heap_has(object))
		ret = shmz_free(atomic_load_explicit(&heap.zone, memory_order_relaxed), object);
	else
		other_usable(object);
	if (ret)
		heap_die("what is freed is no object", 0);
}

size_t malloc_usable_size(void *object)
{
	if (!object)
		return 0;
	return heap_has(object) ? shmz_usable_size(atomic_load(&heap.zone), object) :
				  other_usable(object);
}

/* What is not the zone's stays where it is. */
static void *move_in(void *object, size_t bytes)
{
	size_t usable = other_usable(object);
	void *to = malloc(bytes);

	return to ? memcpy(to, object, bytes < usable ? bytes : usable) : NULL;
}

void *realloc(void *object, size_t bytes)
{
	if (!object)
		return malloc(bytes);
	if (!bytes) {
		free(object);
		return NULL;
	}
	if (!heap_has(object))
		return move_in(object, bytes);
	bytes = rounded(bytes);
	return heap_note(shmz_realloc(atomic_load(&heap.zone), object, bytes), bytes);
}

void *reallocarray(void *object, size_t n, size_t bytes)
{
	if (!__builtin_mul_overflow(n, bytes, &bytes))
		return realloc(object, bytes);
	errno = ENOMEM;
	return NULL;
}

/* NULL, and errno that says why. */
void *memalign(size_t align, size_t bytes)
{
	struct shmz *zone = heap_zone();

	bytes = rounded(bytes);
	if (align < ALIGN)
		align = ALIGN;
	return zone ? heap_note(shmz_aligned_alloc(zone, align, bytes), bytes) :
		      early_alloc(align, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
	return memalign(align, bytes);
}

int posix_memalign(void **object, size_t align, size_t bytes)
{
	int saved = errno, error;
	void *to;

	if (!align || align % sizeof(void *) || (align & (align - 1)))
		return EINVAL;
	to = memalign(align, bytes);
	error = to ? 0 : errno;
	errno = saved;
	if (to)
		*object = to;
	return error;
}

void *valloc(size_t bytes)
{
	return memalign(sysconf(_SC_PAGESIZE), bytes);
}

void *pvalloc(size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (bytes > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return memalign(page, (bytes + page - 1) & -page);
}
