/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Caches: the fast path of allocating and freeing.
 *
 * A cache is a thread's stock of free slots in one zone, by class and group, in
 * memory of the kernel's; <linux/shmzone_cache.h> has the protocol. Here are the
 * loads and stores by which a thread takes a slot out of its cache or puts one
 * in. Whatever does not work out, for whatever reason, goes down the slow path
 * in cache.c, which asks the kernel.
 *
 * Which cache. @caches has one pointer for each slot of open zones (region.c).
 * It begins at @empty, a cache whose bins are empty and full at the same time,
 * so that nothing needs to be tested first: what is not set up yet leads to the
 * slow path by itself. Otherwise the pointer of slot s in thread t (its number,
 * see thread.c) is cache t of the region of slot s.
 *
 * Stale pointers. A thread keeps its pointer when a zone is closed, and when
 * the process forks. That does no harm:
 *
 * - The region of a slot never changes its place, and a thread its number only
 *   together with all its pointers. So the pointer of a slot is either @empty,
 *   or what it would be if it were set up now, whichever zone has the slot.
 * - A slot without a zone has no handle, and without a handle nobody follows
 *   the pointer. (Nor is there memory: the region is reserved, and inaccessible.)
 * - In the child of a fork the caches read as zeros, which is as good as @empty.
 *   The one thread it has goes down the slow path, which knows by other zeros
 *   that it is new there. Until it has its old number again, no other thread is
 *   given a number that was in use in the parent.
 *
 * Order. The thread has @busy at 1 from before it reads @cur to after it has
 * written it. The kernel makes the page inaccessible before it looks at @busy,
 * and that waits until all stores have landed which other processors did by
 * the old mapping: on x86 since they answer an interrupt, on arm64 since that is
 * what the barrier behind a TLB invalidation waits for. If the store of 1 is
 * among them, the kernel sees it and leaves the cache alone. If not, it faults,
 * and whatever a processor may have read ahead of it is thrown away with it, as
 * faults are precise. So it is the compiler alone that has to be kept from
 * moving anything. (The store of 0 is a release for those who look at caches
 * without unmapping them, such as the figures; on x86 that is a plain store.)
 *
 * Signals. A handler that finds @busy at 1 has interrupted this very thread in
 * between, and goes down the slow path, which then uses plain system calls. A
 * handler that leaves by longjmp(3), or a thread that is cancelled
 * asynchronously, may leave @busy at 1: the thread then does without its cache,
 * until its number is given to another one. A handler that interrupted a call of
 * the library may fork, but its child must not return from the handler.
 *
 * Cost. With gcc 12 on x86-64 an allocation takes 24 instructions, a free 33, and
 * one of known size 30. They touch eight cache lines: of the handle two, its first
 * one and that of the table of classes; where the thread's pointer is found, and
 * the pointer; of the cache the one of @busy and @page_entry, the bin and the word;
 * and, but where the size is known, the page map's. Only those of the cache are
 * written to, and by this thread alone.
 */
#ifndef LIBSHMZONE_CACHE_H
#define LIBSHMZONE_CACHE_H

#include <stdbool.h>

#include "lib.h"

/* Zones with caches at a time; the others do without. */
#define SLOTS		32
#define SLOT_NONE	SLOTS	/* its pointer stays at @empty */

#define CLASS_BITS	0x3fU	/* of a page map entry */

#define likely(condition)	__builtin_expect(!!(condition), 1)
#define unlikely(condition)	__builtin_expect(!!(condition), 0)
#define always_inline		inline __attribute__((always_inline))

#define load(place)		__atomic_load_n(&(place), __ATOMIC_RELAXED)
#define store(place, value)	__atomic_store_n(&(place), value, __ATOMIC_RELAXED)

extern struct shmzone_cache empty_cache;

extern __thread struct shmzone_cache *caches[SLOTS + 1]
	__attribute__((tls_model("initial-exec")));

/*
 * A bin by its number times BIN_STEP, which the processor multiplies by 8 when it
 * adds it to an address.
 */
#define BIN_STEP	(sizeof(struct shmzone_bin) / 8)

static always_inline struct shmzone_bin *cache_bin(struct shmzone_cache *c,
						   size_t steps)
{
	return (struct shmzone_bin *)((uint64_t *)c->bin + steps);
}

/* Nothing is moved across by the compiler. */
static always_inline void barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Returns false if a signal handler interrupted its own thread. */
static always_inline bool cache_begin(struct shmzone_cache *c)
{
	if (unlikely(c->busy))
		return false;
	c->busy = 1;
	barrier();
	return true;
}

static always_inline void cache_end(struct shmzone_cache *c)
{
	__atomic_store_n(&c->busy, 0, __ATOMIC_RELEASE);
	barrier();
}

/* Take a slot out of a bin. */
static always_inline bool cache_pop(struct shmzone_cache *c,
				    struct shmzone_bin *b, uint64_t *offset)
{
	uint64_t *words = (uint64_t *)c;
	size_t cur;

	if (unlikely(!cache_begin(c)))
		return false;
	cur = b->cur;
	if (unlikely(cur == b->base)) {
		cache_end(c);
		return false;
	}
	*offset = words[cur - 1];
	b->cur = cur - 1;
	cache_end(c);
	return true;
}

/* Put one in. */
static always_inline bool cache_push(struct shmzone_cache *c,
				     struct shmzone_bin *b, uint64_t offset)
{
	uint64_t *words = (uint64_t *)c;
	size_t cur;

	if (unlikely(!cache_begin(c)))
		return false;
	cur = b->cur;
	if (unlikely(cur == b->end)) {
		cache_end(c);
		return false;
	}
	words[cur] = offset;
	b->cur = cur + 1;
	cache_end(c);
	return true;
}

/* The class of objects of @bytes, or SHMZONE_CLASS_SPAN, times BIN_STEP. */
static always_inline size_t steps_of(const struct shmz *z, size_t bytes)
{
	if (likely(bytes <= SMALL_MAX))
		return z->small_steps[(bytes + SMALL_STEP - 1) / SMALL_STEP];
	if (likely(bytes <= LARGE_MAX))
		return z->large_steps[(bytes + LARGE_STEP - 1) / LARGE_STEP];
	return SHMZONE_CLASS_SPAN;
}

static inline uint32_t class_of(const struct shmz *z, size_t bytes)
{
	return steps_of(z, bytes) / BIN_STEP;
}

/* An object of @bytes out of the cache. */
static always_inline bool cache_alloc(struct shmz *z, size_t bytes,
				      uint32_t group, uint64_t *offset)
{
	struct shmzone_cache *c = caches[z->slot];
	size_t steps = steps_of(z, bytes);

	/* 0, which is always empty, for what has no bin. */
	if (group)
		steps = c->bin_of[group][steps / BIN_STEP] * BIN_STEP;
	return cache_pop(c, cache_bin(c, steps), offset);
}

/* What begins at a multiple of 8 in the zone; not so for all else, NULL too. */
static always_inline bool is_plausible(const struct shmz *z, uint64_t offset)
{
	return likely(offset < z->bytes) && likely(!(offset % 8));
}

/*
 * Of an object into the cache. Is this a page of a slab of group 0, in a cache
 * that is set up? Then the class is all in which its entry differs from the
 * cache's.
 */
static always_inline bool cache_free(struct shmz *z, const void *p)
{
	struct shmzone_cache *c = caches[z->slot];
	uint64_t offset = raw_offset(z, p);
	uint32_t class;

	if (unlikely(!is_plausible(z, offset)))
		return false;
	class = page_entry(z, offset) ^ c->page_entry;
	if (unlikely(class > CLASS_BITS))
		return false;
	return cache_push(c, &c->bin[class], offset);
}

/*
 * The same where the size is known, and taken for right. In owned zones it is not
 * done: whose the object is has to be known too.
 */
static always_inline bool cache_free_sized(struct shmz *z, const void *p,
					   size_t bytes)
{
	struct shmzone_cache *c = caches[z->slot];
	uint64_t offset = raw_offset(z, p);

	if (unlikely(offset >= z->sized_bytes) || unlikely(offset % 8))
		return false;
	return cache_push(c, cache_bin(c, steps_of(z, bytes)), offset);
}

/* cache.c: the slow path. */

/*
 * A slot of a class, after CACHE_REFILL. Returns 0, or -EAGAIN where there is
 * no cache to be used and ALLOC is to be asked, or another error.
 */
int cache_refill(struct shmz *z, uint32_t class, uint32_t group,
		 uint64_t *offset);

/*
 * Put a slot of a page with this page map entry into its bin, after CACHE_DRAIN if
 * need be; -EAGAIN: use FREE.
 */
int cache_drain(struct shmz *z, uint32_t entry, uint64_t offset);

/*
 * A command that wants the process to be a client, tried again once if it is none:
 * the child of a fork becomes one when it touches its caches, which the kernel is to
 * do, as it answers with an errno where a touch is SIGBUS.
 */
int client_ioctl(const struct shmz *z, unsigned long cmd, void *args);

/* alloc.c: free by a system call; @bytes 0: of any size. */
int free_by_call(struct shmz *z, uint64_t offset, uint64_t bytes);

/* region.c: which slot a handle has; on failure SLOT_NONE. */
void slot_get(struct shmz *z, uint64_t zone_id);
void slot_put(struct shmz *z);
void slots_end(void);
struct shmzone_cache *slot_cache(uint32_t slot, uint32_t number);

/* thread.c */

/* Once for the process, before any other one. Returns 0 or -ENOMEM. */
int threads_init(void);

/* The number of this thread, or -1 while it has none. */
int thread_number(void);

/*
 * Waits: for what is no part of allocating or freeing. Signals are blocked
 * meanwhile; @signals keeps what is to be restored.
 */
void slots_lock(uint64_t *signals);
void slots_unlock(const uint64_t *signals);

#endif
