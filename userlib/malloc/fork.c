// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fork: the child gets a copy of what its parent has allocated.
 *
 * The copy is made by the parent, before it forks, in private memory elsewhere:
 * so it is one moment's, and nobody has to wait for anybody. The parent then
 * drops it; the child leaves the zone and puts the copy in its place, with no
 * store of its own having reached the zone.
 *
 * The page map says which pages to copy and, of inherited objects, what may be
 * used; the parent's is no good for that later, as the parent goes on. Other
 * threads of the parent may change objects while they are copied; these threads
 * are not there in the child.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap.h"

/* Made by prepare, for parent and child; held until these are done with it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct inherited *table;
	char *data;
} copy;

static void *private_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		heap_die("no memory for a child's copy of the heap", errno);
	return memory;
}

/* Copies an object or a page of slots; returns how many pages that were. */
static size_t copy_at(size_t i, uint32_t entry, size_t page)
{
	char *from = heap.base + i * page;
	size_t usable, pages = 1;

	if (SHMZONE_PAGE_KIND(entry) != SHMZONE_KIND_SLAB &&
	    SHMZONE_PAGE_KIND(entry) != SHMZONE_KIND_SPAN)
		return 1;
	usable = shmz_usable_size(heap.zone, from);
	/* Freed by another thread just now. */
	if (!usable)
		return 1;
	copy.table->usable[i] = usable;
	if (SHMZONE_PAGE_KIND(entry) == SHMZONE_KIND_SPAN) {
		pages = usable / page;
		copy.table->usable[i] = INHERITED_SPAN | pages;
	}
	memcpy(copy.data + i * page, from, pages * page);
	return pages;
}

void fork_prepare(void)
{
	size_t page = sysconf(_SC_PAGESIZE), pages, i, end, bytes;
	const volatile uint32_t *map;
	int saved = errno;

	pthread_mutex_lock(&lock);
	copy.table = NULL;
	if (!heap.zone)
		return;
	map = shmz_page_map(heap.zone, &pages);
	bytes = sizeof(*copy.table) + pages * sizeof(copy.table->usable[0]);
	copy.table = private_memory(bytes);
	copy.data = private_memory(heap.bytes);
	*copy.table = (struct inherited){
		.next = heap.inherited,
		.base = heap.base,
		.bytes = heap.bytes,
		.mapped_bytes = bytes,
	};
	end = (heap.top - (uintptr_t)heap.base + page - 1) / page;
	for (i = 0; i < end;)
		i += copy_at(i, map[i], page);
	errno = saved;
}

void fork_parent(void)
{
	int saved = errno;

	if (copy.table) {
		munmap(copy.table, copy.table->mapped_bytes);
		munmap(copy.data, heap.bytes);
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
}

/* Where the zone was nothing else can be by then: there is one thread. */
static void replace_zone(void)
{
	struct shmz *zone = heap.zone;

	heap.zone = NULL;
	heap.inherited = copy.table;
	shmz_close(zone);
	if (mremap(copy.data, heap.bytes, heap.bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
		   heap.base) == MAP_FAILED)
		heap_die("the copy of the heap cannot be put in its place", errno);
	heap.base = NULL;
	heap.bytes = 0;
}

void fork_child(void)
{
	int saved = errno;

	if (copy.table)
		replace_zone();
	/* Another thread may have been about to create one. */
	atomic_flag_clear(&heap.creating);
	pthread_mutex_unlock(&lock);
	errno = saved;
}
