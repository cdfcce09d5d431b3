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
 * It begins at @empty, a cache that is not set up, so that nothing needs to be
 * tested first: it leads to the slow path by itself. Otherwise the pointer of slot
 * s in thread t (its number, see thread.c) is cache t of the region of slot s.
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
 * Order. The thread has @key positive from before it reads @cur to after it has
 * written it. The kernel makes the page inaccessible before it looks at @key,
 * and that waits until all stores have landed which other processors did by
 * the old mapping: on x86 since they answer an interrupt, on arm64 since that is
 * what the barrier behind a TLB invalidation waits for. If the store is
 * among them, the kernel sees it and leaves the cache alone. If not, it faults,
 * and whatever a processor may have read ahead of it is thrown away with it, as
 * faults are precise. So it is the compiler alone that has to be kept from
 * moving anything. (The store of the key is a release for those who look at caches
 * without unmapping them, such as the figures; on x86 that is a plain store.)
 *
 * Signals. A handler that finds @key positive has interrupted this very thread in
 * between, and goes down the slow path, which then uses plain system calls. A
 * handler that leaves by longjmp(3), or a thread that is cancelled
 * asynchronously, may leave it so: the thread then does without its cache,
 * until its number is given to another one. A handler that interrupted a call of
 * the library may fork, but its child must not return from the handler.
 *
 * Checked zones. There the key is such that no page has a class by it, so that every
 * free goes down the slow path, which puts it where it waits until the kernel looks
 * at it. To allocate is the same in all zones.
 *
 * Cost. With gcc 12 on x86-64 an allocation takes 20 instructions, a free 27, and
 * one of known size 27. They touch seven cache lines: of the handle two, as its
 * table of sizes is longer than one; the pointer of the thread; of the cache the
 * key, the bin and the word; and, but where the size is known, the page map's. Only
 * those of the cache are written to, and by this thread alone.
 *
 * Most of the time goes by for the calls themselves. A Zen 3 processor needs 16
 * cycles for two calls from a program into a shared object that do nothing, as the
 * four jumps are far, and does most of the above meanwhile. But each further line of
 * 64 bytes of instructions that it has to fetch is a cycle more. Hence the short
 * ways to say things, and begins_a_line: allocating takes one line, freeing two.
 */
#ifndef LIBSHMZONE_CACHE_H
#define LIBSHMZONE_CACHE_H

#include <stdbool.h>

#include "lib.h"

/* Zones with caches at a time; the others do without. */
#define SLOTS		32
#define SLOT_NONE	SLOTS	/* its pointer stays at @empty */

/* Caches of a process in a zone that are no thread's, the last ones; see depot.c. */
#ifndef DEPOT_CACHES
#define DEPOT_CACHES	32
#endif

/* Of a page map entry: those of the class, and of the group too. */
#define CLASS_BITS	0x3fU
#define GROUP_BITS	0x3ffU

#define likely(condition)	__builtin_expect(!!(condition), 1)
#define unlikely(condition)	__builtin_expect(!!(condition), 0)
#define always_inline		inline __attribute__((always_inline))

#define load(place)		__atomic_load_n(&(place), __ATOMIC_RELAXED)
#define store(place, value)	__atomic_store_n(&(place), value, __ATOMIC_RELAXED)

extern struct shmzone_cache_head empty_cache;

extern __thread struct shmzone_cache_head *caches[SLOTS + 1]
	__attribute__((tls_model("initial-exec")));

/* The fast functions. */
#define begins_a_line	__attribute__((aligned(64)))

/* The compiler is to take a value for what it is, and not to make it anew. */
#define keep(value)	__asm__("" : "+r"(value))

/*
 * This thread's cache. On x86-64 a handle has the distance of the pointer from where
 * the thread's own memory is, which is the same for all threads; otherwise that
 * would be looked up first.
 */
static always_inline struct shmzone_cache_head *own_cache(const struct shmz *z)
{
#ifdef __x86_64__
	struct shmzone_cache_head *c;

	/* Volatile, and after all stores, as the slow path may change the pointer. */
	__asm__ volatile("mov %%fs:(%1), %0"
			 : "=r"(c)
			 : "r"(z->own)
			 : "memory");
	return c;
#else
	return caches[z->slot];
#endif
}

static inline void set_slot(struct shmz *z, uint32_t slot)
{
	uintptr_t self = 0;

#ifdef __x86_64__
	__asm__("mov %%fs:0, %0" : "=r"(self));
#endif
	z->slot = slot;
	z->own = (uintptr_t)&caches[slot] - self;
}

/* A bin by its place, which is counted in words. */
static always_inline struct shmzone_bin *
cache_bin(struct shmzone_cache_head *c, size_t place)
{
	return (struct shmzone_bin *)((uint64_t *)c + place);
}

/* The bin of a class in any group; 0, which is always empty, if it has none. */
static inline struct shmzone_bin *bin_of(struct shmzone_cache_head *c,
					 uint32_t class, uint32_t group)
{
	return &c->bin[group ? load(c->bin_of[group - 1][class]) : class];
}

/*
 * Have a line that another processor wrote to, before it is written to. gcc has
 * PREFETCHW only for processors that must have it, and else lets the line be read, which
 * is worse than nothing, as it is then asked for twice. Without it, it does nothing.
 */
static always_inline void prefetch_to_write(const void *p)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw (%0)" : : "r"(p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* Nothing is moved across by the compiler. */
static always_inline void barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Whether a thread may begin, by the key that it found. */
static always_inline bool is_idle(uint32_t key)
{
	return (int32_t)key < 0;
}

/*
 * Whether the slots of a slab, by its page map entry, may go into the cache that has
 * this key, which is idle then. It may be of any group, but not of another owner.
 */
static inline bool is_own(uint32_t entry, uint32_t key)
{
	return entry + key <= GROUP_BITS;
}

/* @busy: any number from SHMZONE_CACHE_BUSY on. */
static always_inline void cache_begin(struct shmzone_cache_head *c,
				      uint32_t busy)
{
	c->key = busy;
	barrier();
}

static always_inline void cache_end(struct shmzone_cache_head *c, uint32_t key)
{
	__atomic_store_n(&c->key, key, __ATOMIC_RELEASE);
	barrier();
}

/*
 * Take a slot out of a bin. Its bottom word is the only one that makes the sum
 * overflow. The place of a bin is in a register and will do for @busy.
 */
static always_inline bool cache_pop(const struct shmz *z,
				    struct shmzone_cache_head *c, size_t place,
				    void **p)
{
	const uint64_t *words = (const uint64_t *)c;
	uint32_t key = c->key, cur;
	uint64_t offset;

	if (unlikely(!is_idle(key)))
		return false;
	cache_begin(c, place);
	cur = cache_bin(c, place)->cur;
	offset = words[cur];
	cur--;
	if (unlikely(__builtin_add_overflow((uintptr_t)z->base, offset,
					    (uintptr_t *)p))) {
		cache_end(c, key);
		return false;
	}
	cache_bin(c, place)->cur = cur;
	cache_end(c, key);
	return true;
}

/* Put one in; @key is the cache's. */
static always_inline bool cache_push(struct shmzone_cache_head *c,
				     struct shmzone_bin *b, uint64_t offset,
				     uint32_t key)
{
	uint64_t *words = (uint64_t *)c;
	uint32_t cur;

	cache_begin(c, SHMZONE_CACHE_BUSY);
	cur = b->cur;
	if (unlikely(cur == b->end)) {
		cache_end(c, key);
		return false;
	}
	cur++;
	words[cur] = offset;
	b->cur = cur;
	cache_end(c, key);
	return true;
}

/* The bin of objects of @bytes and group 0, as its place. */
static inline uint32_t place_of(const struct shmz *z, size_t bytes)
{
	size_t last = at_least_one(bytes) - 1;

	if (last / SMALL_STEP < SMALL_STEPS)
		return z->small[last / SMALL_STEP];
	if (last / LARGE_STEP < LARGE_STEPS)
		return z->large[last / LARGE_STEP];
	return SHMZONE_CACHE_BIN_WORD + SHMZONE_CLASS_SPAN;
}

/* The class of objects of @bytes, or SHMZONE_CLASS_SPAN. */
static inline uint32_t class_of(const struct shmz *z, size_t bytes)
{
	return place_of(z, bytes) - SHMZONE_CACHE_BIN_WORD;
}

/* An object of @bytes out of the cache. */
static inline bool cache_alloc(const struct shmz *z, size_t bytes,
			       uint32_t group, void **p)
{
	struct shmzone_cache_head *c = own_cache(z);
	uint32_t place = place_of(z, bytes);

	/* Bin 0, which is always empty, for what has no bin. */
	if (group)
		place = SHMZONE_CACHE_BIN_WORD +
			c->bin_of[group - 1][place - SHMZONE_CACHE_BIN_WORD];
	return cache_pop(z, c, place, p);
}

/* What begins at a multiple of 8 in the zone; not so for all else, NULL too. */
static always_inline bool is_plausible(const struct shmz *z, uint64_t offset)
{
	return likely(offset < z->bytes) && likely(!(offset % 8));
}

/*
 * Of an object into the cache. Is this a page of a slab of group 0, in a cache
 * that is set up and idle? Then the class is the sum of its entry and the key.
 */
static always_inline bool cache_free(struct shmz *z, const void *p)
{
	struct shmzone_cache_head *c = own_cache(z);
	uint64_t offset = raw_offset(z, p);
	uint32_t key, class;

	if (unlikely(!is_plausible(z, offset)))
		return false;
	key = c->key;
	class = page_entry(z, offset) + key;
	if (unlikely(class > CLASS_BITS))
		return false;
	return cache_push(c, &c->bin[class], offset, key);
}

/*
 * The same where the size is known, and taken for right. In owned zones it is not
 * done: whose the object is has to be known too.
 */
static always_inline bool cache_free_sized(struct shmz *z, const void *p,
					   size_t bytes)
{
	struct shmzone_cache_head *c = own_cache(z);
	uint64_t offset = raw_offset(z, p);
	size_t step = (bytes - 1) / SMALL_STEP;
	uint32_t key;

	keep(step);
	if (unlikely(offset >= z->sized_bytes) || unlikely(offset % 8) ||
	    unlikely(step >= SMALL_STEPS))
		return false;
	key = c->key;
	if (unlikely(!is_idle(key)))
		return false;
	return cache_push(c, cache_bin(c, z->small[step]), offset, key);
}

/* cache.c: the slow path. */

/*
 * An object of a class, after CACHE_REFILL. Returns 0, or -EAGAIN where there is
 * no cache to be used and ALLOC is to be asked, or another error.
 */
int cache_refill(struct shmz *z, uint32_t class, uint32_t group, void **p);

/*
 * Put a slot of a page with this page map entry into its bin, or that of slots to be
 * freed, after CACHE_DRAIN if need be; -EAGAIN: use FREE.
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

/*
 * struct depot - what the process knows of its depot in the zone of a slot
 * @holder: thread that has locked it
 * @misses: attempts to lock it that failed
 * @ready: the kernel has set up that cache of it
 * @end: by class, of group 0: that of a bin of @capacity, all caches being alike
 * @capacity: by group and class: that of a bin of a thread whose slots went there, or 0
 * @level: by group and class: which cache is filled, or emptied, at present
 * @rest: by group and class: for how many times it is neither to grow nor to be told
 */
struct depot {
	pid_t holder;
	uint32_t misses;
	bool ready[DEPOT_CACHES];
	uint16_t end[CLASS_MAX];
	uint16_t capacity[SHMZONE_GROUPS][CLASS_MAX];
	uint8_t level[SHMZONE_GROUPS][CLASS_MAX];
	uint8_t rest[SHMZONE_GROUPS][CLASS_MAX];
};

/* depot.c: this thread's cache is @own, and its bin is full, or empty. */

/* Put half of the bin there, and @offset into the bin. */
bool depot_put(const struct shmz *z, struct shmzone_cache_head *own,
	       uint32_t class, uint32_t group, uint64_t offset);

/* Fill half of the bin from there, as far as there is something. */
bool depot_take(const struct shmz *z, struct shmzone_cache_head *own,
		uint32_t class, uint32_t group);

/* CACHE_DRAIN could not let the bin grow, and freed a part of it. */
void depot_grow(const struct shmz *z, struct shmzone_cache_head *own,
		uint32_t class, uint32_t group);

/* region.c: which slot a handle has; on failure SLOT_NONE. */
void slot_get(struct shmz *z, uint64_t zone_id);
void slot_put(struct shmz *z);
void slots_end(void);
struct shmzone_cache_head *slot_cache(uint32_t slot, uint32_t number);

/* thread.c */

/* Once for the process, before any other one. Returns 0 or -ENOMEM. */
int threads_init(void);

/* The number of this thread, or -1 while it has none. */
int thread_number(void);

/* The thread id of this thread, which has a number. */
pid_t thread_id(void);

/* Whether there is no such thread in the process. */
bool thread_has_vanished(pid_t id);

/* Whether more than one thread has a number; a guess. */
bool threads_are_many(void);

/* All zeros in a new process. */
struct depot *depot_of(uint32_t slot);
bool *slot_lacks_client(uint32_t slot);

/*
 * Waits: for what is no part of allocating or freeing. Signals are blocked
 * meanwhile; @signals keeps what is to be restored.
 */
void slots_lock(uint64_t *signals);
void slots_unlock(const uint64_t *signals);

#endif
