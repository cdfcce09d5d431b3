/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The surroundings of the core on the host: the stand-in for
 * kmod/core/core_env.h, whose include guard it shares. The compiler includes it
 * before anything else, which empties the real one.
 *
 * A warning is an abort here, a lock knows its owner, and allocations can be
 * told to fail (host.h).
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

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define U16_MAX		UINT16_MAX
#define U32_MAX		UINT32_MAX
#define U64_MAX		UINT64_MAX

/* The tests of the size classes are built for other page sizes as well. */
#ifndef PAGE_SHIFT
#define PAGE_SHIFT	12
#endif
#define PAGE_SIZE	(1UL << PAGE_SHIFT)

#define static_assert_1(expr)		_Static_assert(expr, #expr)
#define static_assert(expr, ...)	static_assert_1(expr)

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
#define hweight64(word)	((u32)__builtin_popcountll(word))

static inline u32 fls64(u64 word)
{
	return word ? 64 - __builtin_clzll(word) : 0;
}

static inline bool is_power_of_2(u64 n)
{
	return n && !(n & (n - 1));
}

#define fallthrough		__attribute__((fallthrough))
#define cond_resched()		sched_yield()

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

/* As the kernel's debugging lists: an item whose neighbours deny it is a bug. */
static inline void list_del_init(struct list_head *item)
{
	WARN_ON_ONCE(item->next->prev != item || item->prev->next != item);
	item->next->prev = item->prev;
	item->prev->next = item->next;
	INIT_LIST_HEAD(item);
}

#define list_del(item)	list_del_init(item)

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

/* The lock. */

struct core_lock {
	pthread_mutex_t mutex;
	pthread_t owner;
	bool held;
};

void core_lock_init(struct core_lock *lock);
void core_lock(struct core_lock *lock);
void core_unlock(struct core_lock *lock);
void core_assert_held(const struct core_lock *lock);

/* Memory; may fail on purpose, and must not be asked for under a lock. */

void *core_zalloc(size_t bytes);
void core_free(const void *object);
void *core_zalloc_array(size_t n, size_t bytes);
void core_free_array(const void *array);

#endif /* SHMZONE_CORE_ENV_H */
