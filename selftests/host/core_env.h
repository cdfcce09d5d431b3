/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The surroundings of the core on the host: the stand-in for
 * kmod/core/core_env.h, whose include guard it shares. The compiler includes it
 * before anything else, which empties the real one.
 *
 * A warning is an abort here, a lock knows its owner, and allocations can be
 * told to fail (host.h). With HOST_FAST, for benchmarks, locks and caches cost
 * about what they cost in the kernel, and check nothing.
 *
 * RCU is that of liburcu, the kind that needs no registration of threads.
 */
#ifndef SHMZONE_CORE_ENV_H
#define SHMZONE_CORE_ENV_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HOST_FAST
#define _LGPL_SOURCE		/* to be inlined */
#endif
#include <urcu/urcu-bp.h>

typedef int16_t s16;
typedef int64_t s64;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define S16_MAX		INT16_MAX
#define U16_MAX		UINT16_MAX
#define U32_MAX		UINT32_MAX
#define U64_MAX		UINT64_MAX

/* Some tests are built for other page sizes as well. */
#ifndef PAGE_SHIFT
#define PAGE_SHIFT	12
#endif
#define PAGE_SIZE	(1UL << PAGE_SHIFT)

#undef static_assert
#define static_assert_1(expr)		_Static_assert(expr, #expr)
#define static_assert(expr, ...)	static_assert_1(expr)

#define core_uncleared

#define __must_hold(lock)
#define __acquires(lock)
#define __releases(lock)

#define WARN_ON_ONCE(condition) ({					\
	bool warn_condition = !!(condition);				\
									\
	if (warn_condition) {						\
		fprintf(stderr, "%s:%d: WARN_ON_ONCE(%s)\n",		\
			__FILE__, __LINE__, #condition);		\
		abort();						\
	}								\
	warn_condition;							\
})

#define clamp(x, low, high)	min(max(x, low), high)
#define min(a, b)	({ __auto_type min_a = (a); __auto_type min_b = (b); \
			   min_a < min_b ? min_a : min_b; })
#define max(a, b)	({ __auto_type max_a = (a); __auto_type max_b = (b); \
			   max_a > max_b ? max_a : max_b; })
#define max3(a, b, c)	({ __auto_type max_ab = max(a, b); max(max_ab, c); })
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define max_t(type, a, b)	max((type)(a), (type)(b))
#define swap(a, b)	do { __auto_type swap_a = (a); (a) = (b); (b) = swap_a; } while (0)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))

#define __ffs64(word)	((u32)__builtin_ctzll(word))
static inline bool __test_and_set_bit(u64 bit, unsigned long *words)
{
	unsigned long mask = 1UL << bit % 64;

	if (words[bit / 64] & mask)
		return true;
	words[bit / 64] |= mask;
	return false;
}

#define hweight64(word)	((u32)__builtin_popcountll(word))

static inline u32 fls64(u64 word)
{
	return word ? 64 - __builtin_clzll(word) : 0;
}

static inline bool is_power_of_2(u64 n)
{
	return n && !(n & (n - 1));
}

#define likely(condition)	__builtin_expect(!!(condition), 1)
#define unlikely(condition)	__builtin_expect(!!(condition), 0)
#define noinline		__attribute__((noinline))
#define OPTIMIZER_HIDE_VAR(var)	__asm__("" : "+r" (var))
#define fallthrough		__attribute__((fallthrough))
#define prefetch(place)		__builtin_prefetch(place)
#ifdef HOST_YIELD
#define cond_resched()		sched_yield()	/* so that threads meet */
#else
#define cond_resched()		do { } while (0)
#endif

/* Counters. */

typedef struct {
	_Atomic int64_t value;
} atomic64_t;

static inline void atomic64_set(atomic64_t *counter, int64_t value)
{
	counter->value = value;
}

static inline int64_t atomic64_read(const atomic64_t *counter)
{
	return counter->value;
}

static inline void atomic64_add(int64_t value, atomic64_t *counter)
{
	counter->value += value;
}

static inline void atomic64_sub(int64_t value, atomic64_t *counter)
{
	counter->value -= value;
}

/* Memory that several threads look at. */

#define READ_ONCE(place)		__atomic_load_n(&(place), __ATOMIC_RELAXED)
#define data_race(expression)		(expression)
#define WRITE_ONCE(place, value)	__atomic_store_n(&(place), value, __ATOMIC_RELAXED)
#define smp_load_acquire(place)		__atomic_load_n(place, __ATOMIC_ACQUIRE)
#define smp_store_release(place, value)	__atomic_store_n(place, value, __ATOMIC_RELEASE)
#define smp_mb()			__atomic_thread_fence(__ATOMIC_SEQ_CST)

#define rcu_head host_rcu_head	/* liburcu has one of its own */

struct rcu_head {
	struct rcu_head *next;
	void (*call)(struct rcu_head *head);
};

#define rcu_read_lock()		urcu_bp_read_lock()
#define rcu_read_unlock()	urcu_bp_read_unlock()
#define call_rcu(head, call)	host_call_rcu(head, call)
#define rcu_barrier()		host_rcu_barrier()

void host_call_rcu(struct rcu_head *head, void (*call)(struct rcu_head *head));
void host_rcu_barrier(void);

/* Lists. */

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list_head *list)
{
	return list->next == list;
}

static inline void list_add(struct list_head *item, struct list_head *list)
{
	item->next = list->next;
	item->prev = list;
	item->next->prev = item;
	list->next = item;
}

static inline void list_splice(const struct list_head *from, struct list_head *list)
{
	if (from->next == from)
		return;
	from->next->prev = list;
	from->prev->next = list->next;
	list->next->prev = from->prev;
	list->next = from->next;
}

/* As the kernel's debugging lists: an item whose neighbours deny it is a bug. */
static inline void list_del_init(struct list_head *item)
{
	WARN_ON_ONCE(item->next->prev != item || item->prev->next != item);
	item->next->prev = item->prev;
	item->prev->next = item->next;
	INIT_LIST_HEAD(item);
}

#define list_del(item)	list_del_init(item)

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#define INIT_HLIST_HEAD(head)	((head)->first = NULL)
#define hlist_empty(head)	(!(head)->first)

static inline void INIT_HLIST_NODE(struct hlist_node *item)
{
	item->next = NULL;
	item->pprev = NULL;
}

static inline void hlist_add_head(struct hlist_node *item, struct hlist_head *head)
{
	item->next = head->first;
	if (item->next)
		item->next->pprev = &item->next;
	head->first = item;
	item->pprev = &head->first;
}

/* Of an item that is on no list, too. */
static inline void hlist_del_init(struct hlist_node *item)
{
	if (!item->pprev)
		return;
	WARN_ON_ONCE(*item->pprev != item || (item->next && item->next->pprev != &item->next));
	*item->pprev = item->next;
	if (item->next)
		item->next->pprev = item->pprev;
	INIT_HLIST_NODE(item);
}

#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))
#define list_entry(pointer, type, member) \
	container_of(pointer, type, member)
#define list_first_entry(list, type, member) \
	list_entry((list)->next, type, member)
#define list_for_each_entry(item, list, member)				\
	for (item = list_entry((list)->next, typeof(*item), member);	\
	     &item->member != (list);					\
	     item = list_entry(item->member.next, typeof(*item), member))

#define hlist_entry(pointer, type, member) \
	container_of(pointer, type, member)
#define hlist_for_each_entry(item, head, member)				\
	for (struct hlist_node *hlist_at = (head)->first;			\
	     hlist_at && (item = hlist_entry(hlist_at, typeof(*item), member), 1); \
	     hlist_at = hlist_at->next)

/* The lock. */

#ifdef HOST_FAST

struct core_lock {
	bool held;
};

#define core_lock_init(lock)	((lock)->held = false)
#define core_assert_held(lock)	((void)(lock))

static inline bool core_trylock(struct core_lock *lock)
{
	return !__atomic_test_and_set(&lock->held, __ATOMIC_ACQUIRE);
}

static inline void core_lock(struct core_lock *lock)
{
	while (!core_trylock(lock))
		while (READ_ONCE(lock->held))
			__builtin_ia32_pause();
}

static inline void core_unlock(struct core_lock *lock)
{
	__atomic_clear(&lock->held, __ATOMIC_RELEASE);
}

#else

struct core_lock {
	pthread_mutex_t mutex;
	pthread_t owner;
	bool held;
};

void core_lock_init(struct core_lock *lock);
void core_lock(struct core_lock *lock);
bool core_trylock(struct core_lock *lock);
void core_unlock(struct core_lock *lock);
void core_assert_held(const struct core_lock *lock);

#endif

/* Memory; may fail on purpose, and must not be asked for under a lock. */

void *core_zalloc(size_t bytes);
void core_free(const void *object);
void core_free_rcu(void *object);
void *core_zalloc_array(size_t n, size_t bytes);
void core_free_array(const void *array);

struct kmem_cache;

#define CORE_NAME(name)		name

struct kmem_cache *core_cache_create(const char *name, size_t bytes);
void core_cache_destroy(struct kmem_cache *cache);
void *core_cache_zalloc(struct kmem_cache *cache);
void core_cache_free(struct kmem_cache *cache, void *object);

#endif /* SHMZONE_CORE_ENV_H */
